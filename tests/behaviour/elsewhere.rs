//! Calls that are awaited elsewhere than in their session's runtime: in another, in none, beside one that stands still or has ended.

use std::sync::mpsc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use vox::{Limits, NotSent, Server, VoxError};

use crate::lab::{Bench, LabClient, LabDispatcher};
use crate::support::block_on;

const SOON: Duration = Duration::from_millis(50);

/// A runtime that nobody drives unless it is asked to.
fn still() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn driven() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads")
}

/// A server that is driven, and a client whose own runtime is not.
fn server_and_client(address: &str, limits: Limits) -> (Runtime, Server, Runtime, LabClient) {
    let (serving, home) = (driven(), still());
    let builder = Server::builder().service(LabDispatcher::new(Bench::default())).limits(limits);
    let server = serving.block_on(builder.bind(address)).expect("it listens");
    let lab = home.block_on(async { vox::connect::<LabClient>(server.address()).await }).expect("it is there");
    (serving, server, home, lab)
}

/// Runs this on a thread of its own, and fails where it does not end.
fn ends<R: Send + 'static>(what: impl FnOnce() -> R + Send + 'static) -> R {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(what()));
    receiver.recv_timeout(Duration::from_secs(60)).expect("it ends at its deadline")
}

fn is_late<T, E>(outcome: &Result<T, VoxError<E>>) -> bool {
    matches!(outcome, Err(VoxError::DeadlineExceeded { .. } | VoxError::NotSent(_) | VoxError::Indeterminate { .. }))
}

#[test]
fn a_deadline_passes_in_another_runtime_while_the_sessions_own_stands_still() {
    for address in ["tcp://127.0.0.1:0", "mem://elsewhere-still"] {
        let (_serving, _server, home, lab) = server_and_client(address, Limits::default());
        let (call, again) = (lab.hang().timeout(SOON), lab.clone());
        assert!(is_late(&ends(move || driven().block_on(call))));
        let call = lab.hang().timeout(SOON);
        assert!(is_late(&ends(move || still().block_on(call))));
        // Once it is driven, all goes on.
        assert_eq!(home.block_on(again.echo(7)), Ok(7));
    }
}

#[test]
fn and_on_a_thread_without_any() {
    let (_serving, _server, home, lab) = server_and_client("tcp://127.0.0.1:0", Limits::default());
    for _ in 0..3 {
        let call = lab.hang().timeout(SOON);
        assert!(is_late(&ends(move || block_on(call))));
    }
    let again = lab.clone();
    assert_eq!(home.block_on(async move { again.echo(7).await }), Ok(7));
}

/// The session is driven: what has an answer gets it, wherever it is awaited.
#[test]
fn a_call_on_a_plain_thread_is_answered() {
    let serving = driven();
    let (server, lab) = serving.block_on(async {
        let builder = Server::builder().service(LabDispatcher::new(Bench::default()));
        let server = builder.bind("tcp://127.0.0.1:0").await.expect("it listens");
        let lab: LabClient = vox::connect(server.address()).await.expect("it is there");
        (server, lab)
    });
    let echoing = lab.clone();
    let answers = ends(move || (0..100).map(|n| block_on(echoing.echo(n))).collect::<Result<Vec<u64>, _>>());
    assert_eq!(answers, Ok((0..100).collect::<Vec<u64>>()));
    assert_eq!(ends(move || block_on(lab.hang().timeout(SOON))), Err(VoxError::DeadlineExceeded));
    drop(server);
}

#[test]
fn a_deadline_passes_in_the_queue_of_a_session_that_stands_still() {
    let limits = Limits { max_calls: 1, ..Limits::default() };
    let (_serving, _server, _home, lab) = server_and_client("tcp://127.0.0.1:0", limits);
    let (first, second) = (lab.hang().timeout(Duration::from_secs(600)), lab.echo(1).timeout(SOON));
    let outcome = ends(move || {
        still().block_on(async move {
            let first = tokio::spawn(first);
            tokio::task::yield_now().await;
            let outcome = second.await;
            first.abort();
            outcome
        })
    });
    assert!(
        matches!(&outcome, Err(VoxError::NotSent(NotSent::Waited(what))) if what.contains("max_calls")),
        "{outcome:?}"
    );
}

/// The runtime of the session goes down while calls are awaited elsewhere: each ends, and none panics.
#[test]
fn no_call_outlives_the_runtime_of_its_session() {
    let (_serving, _server, home, lab) = server_and_client("tcp://127.0.0.1:0", Limits::default());
    let call = lab.hang().timeout(Duration::from_millis(300));
    let waiting = std::thread::spawn(move || ends(move || driven().block_on(call)));
    drop(home);
    assert!(is_late(&waiting.join().expect("no panic")));
    // A later call is made in a session of its own, or ends in time.
    let call = lab.echo(1).timeout(Duration::from_secs(10));
    let outcome = ends(move || driven().block_on(call));
    assert!(outcome == Ok(1) || is_late(&outcome), "{outcome:?}");
    let call = lab.echo(1).timeout(Duration::from_secs(10));
    let outcome = ends(move || block_on(call));
    assert!(outcome == Ok(1) || is_late(&outcome), "{outcome:?}");
}
