//! A peer that is away: what calls wait for and end with, who dials, and what is told of it.

mod connecting;
mod told;

use std::io::Error;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;
use vox::transport::{Connector, Link};
use vox::{Backoff, Client, ConnectError, EndReason, Limits, NoopClient, NotSent, Ran, Server, SessionState, VoxError};

use crate::lab::{Bench, LabClient, LabDispatcher, Probe};
use crate::support::cable::Cable;
use crate::support::raw::{self, Raw};
use crate::support::{block_on, settle};

const HOUR: Duration = Duration::from_secs(3600);

/// A backoff that nobody outlives who does not hurry it.
/// Each wait is a random part of it, so it is as long as timers take: of an hour, one wait in sixty is shorter than a minute.
const AGES: Duration = Duration::from_secs(15_000 * 3600);
const SLOW: Backoff = Backoff { first: AGES, factor: 1.0, most: AGES };

fn server() -> (Server, Probe) {
    let bench = Bench::default();
    let probe = bench.probe.clone();
    (Server::builder().service(LabDispatcher::new(bench)).start().expect("a server"), probe)
}

async fn cable() -> (Cable, Probe, LabClient) {
    let (server, probe) = server();
    let cable = Cable::to(server);
    let lab = vox::connect(cable.connector()).await.expect("a session");
    (cable, probe, lab)
}

/// The call was not sent, for want of a link. Says why.
fn no_link<T: std::fmt::Debug>(result: Result<T, VoxError>) -> String {
    let error = result.expect_err("nobody is there");
    assert_eq!((error.ran(), error.is_retryable()), (Ran::No, true), "{error:?}");
    let VoxError::NotSent(NotSent::NoLink(why)) = error else { panic!("{error:?}") };
    why.to_string()
}

/// Whether the link is lost for the session, or the session too, whatever becomes of a call that is made then.
// proves: guide.outage.deadline
#[tokio::test(start_paused = true)]
async fn a_call_without_a_link_was_not_sent_and_says_why() {
    for resumes in [true, false] {
        let (server, _) = server();
        let cable = Cable::to(server);
        let connecting = vox::connect(cable.connector());
        let connecting = if resumes { connecting } else { connecting.no_resume() };
        let lab: LabClient = connecting.await.expect("a session");
        let server = cable.unplug();
        tokio::time::sleep(Duration::from_millis(500)).await;
        let why = no_link(lab.echo(1).timeout(Duration::from_secs(1)).await);
        assert!(why.starts_with("no link to cable: connection refused, "), "{why}");
        cable.plug(server);
        assert_eq!(lab.echo(2).await, Ok(2));
    }
}

/// Runs a server in a runtime of its own, which is killed with it: nobody says goodbye.
struct Killable(Option<tokio::runtime::Runtime>, String);

impl Killable {
    fn at(address: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let address = address.to_owned();
        let builder = Server::builder().service(LabDispatcher::new(Bench::default()));
        let server = std::thread::scope(|scope| {
            let binding = scope.spawn(|| runtime.block_on(builder.bind(address)));
            binding.join().expect("no panic").expect("it is free")
        });
        let address = server.address();
        runtime.spawn(async move {
            let _server = server;
            std::future::pending::<()>().await
        });
        Self(Some(runtime), address)
    }

    fn kill(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Killable {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn a_server_is_killed_and_started_again(address: &str) {
    let mut first = Killable::at(address);
    let address = first.1.clone();
    let lab: LabClient = vox::connect(&address).await.expect("a session");
    assert_eq!(lab.echo(1).await, Ok(1));
    let mut watch = lab.caller().watch();
    first.kill();
    while !matches!(watch.changed().await, Some(SessionState::Reconnecting { .. })) {}
    assert!(!lab.is_connected());
    let why = no_link(lab.echo(2).timeout(Duration::from_millis(300)).await);
    assert!(why.starts_with(&format!("no link to {address}: ")) && why.contains(" attempt"), "{why}");
    let waiting = tokio::spawn(lab.echo(3).timeout(Duration::from_secs(60)));
    let _second = Killable::at(&address);
    assert_eq!(waiting.await.expect("no panic"), Ok(3));
    assert!(lab.is_connected());
}

#[tokio::test]
async fn a_server_on_tcp_is_killed_and_started_again() {
    a_server_is_killed_and_started_again("tcp://127.0.0.1:0").await;
}

#[tokio::test]
async fn a_server_in_memory_is_killed_and_started_again() {
    a_server_is_killed_and_started_again("mem://killed").await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_server_on_a_unix_socket_is_killed_and_started_again() {
    let path = std::env::temp_dir().join(format!("vox-{}-killed.sock", std::process::id()));
    a_server_is_killed_and_started_again(&format!("unix://{}", path.display())).await;
}

/// Makes links that take their time.
fn slow(cable: &Cable, takes: Duration, began: &Arc<AtomicUsize>) -> Connector {
    let (cable, began) = (cable.clone(), Arc::clone(began));
    Connector::new("slow", move || {
        began.fetch_add(1, SeqCst);
        let cable = cable.clone();
        async move {
            tokio::time::sleep(takes).await;
            cable.link()
        }
    })
}

/// Dialling takes longer than any of the calls waits: they end, it goes on.
#[tokio::test(start_paused = true)]
async fn the_deadline_of_a_call_does_not_end_an_attempt() {
    for resumes in [true, false] {
        let (server, _) = server();
        let (cable, began) = (Cable::to(server), Arc::new(AtomicUsize::new(0)));
        let connecting = vox::connect(slow(&cable, Duration::from_secs(5), &began)).reconnect(SLOW);
        let connecting = if resumes { connecting } else { connecting.no_resume() };
        let lab: LabClient = connecting.await.expect("a session");
        assert_eq!(lab.echo(0).await, Ok(0));
        let lost = Instant::now();
        cable.cut();
        settle().await;
        for _ in 0..4 {
            no_link(lab.echo(1).timeout(Duration::from_secs(1)).await);
        }
        assert_eq!(lab.echo(2).await, Ok(2));
        assert_eq!((lost.elapsed().as_secs(), began.load(SeqCst)), (5, 2), "one attempt, whose calls came and went");
    }
}

#[tokio::test(start_paused = true)]
async fn while_a_call_waits_the_peer_is_dialled_once_a_second_whatever_the_backoff() {
    let (server, _) = server();
    let cable = Cable::to(server);
    let lab: LabClient = vox::connect(cable.connector()).reconnect(SLOW).await.expect("a session");
    assert_eq!(lab.echo(0).await, Ok(0));
    let server = cable.unplug();
    settle().await;
    let attempts = cable.attempts();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(cable.attempts(), attempts, "nobody waits");
    // Of the session that waits for a link, and of the next.
    for after in [Duration::ZERO, Duration::from_secs(100)] {
        tokio::time::sleep(after).await;
        let before = cable.attempts();
        let calls: Vec<_> = (0..50).map(|n| tokio::spawn(lab.echo(n).timeout(Duration::from_secs(10)))).collect();
        for call in calls {
            no_link(call.await.expect("no panic"));
        }
        let attempts = cable.attempts() - before;
        assert!((9..=11).contains(&attempts), "{attempts} attempts in 10 seconds, for 50 calls");
    }
    let waiting = tokio::spawn(lab.echo(7).timeout(HOUR));
    tokio::time::sleep(Duration::from_secs(1000)).await;
    cable.plug(server);
    let back = Instant::now();
    assert_eq!(waiting.await.expect("no panic"), Ok(7));
    assert!(back.elapsed() <= Duration::from_secs(1), "{:?}", back.elapsed());
}

/// A call under way and an open channel wait as well.
#[tokio::test(start_paused = true)]
async fn what_is_under_way_makes_the_next_attempt_soon() {
    for stream in [true, false] {
        let (server, probe) = server();
        let cable = Cable::to(server);
        let lab: LabClient = vox::connect(cable.connector()).reconnect(SLOW).await.expect("a session");
        let (tx, rx) = vox::channel();
        let (call, sum) = (tokio::spawn(lab.gate(1).timeout(HOUR)), tokio::spawn(lab.sum(rx)));
        if stream {
            call.abort();
        } else {
            tx.close();
            assert_eq!(sum.await.expect("no panic"), Ok(0));
        }
        settle().await;
        let server = cable.unplug();
        tokio::time::sleep(Duration::from_secs(30)).await;
        let attempts = cable.attempts();
        assert!(attempts >= 30, "{attempts} attempts in 30 seconds");
        cable.plug(server);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(lab.is_connected());
        probe.gate.add_permits(1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_short_outage_ends_a_moment_after_the_link_is_back() {
    // Waits are random, and may be as long as that.
    let backoff = Backoff { most: Duration::from_millis(50), ..Backoff::default() };
    for _ in 0..20 {
        let (server, _) = server();
        let cable = Cable::to(server);
        let lab: LabClient = vox::connect(cable.connector()).reconnect(backoff).await.expect("a session");
        assert_eq!(lab.echo(0).await, Ok(0));
        let server = cable.unplug();
        tokio::time::sleep(Duration::from_millis(40)).await;
        cable.plug(server);
        let back = Instant::now();
        assert_eq!(lab.echo(1).await, Ok(1));
        assert!(back.elapsed() < Duration::from_millis(100), "{:?}", back.elapsed());
    }
}

/// The backoff is of no matter: a call waits.
#[tokio::test(start_paused = true)]
async fn the_link_that_was_away_for_a_tenth_of_a_second_is_found_within_ten_milliseconds() {
    for resumes in [true, false] {
        let (server, _) = server();
        let cable = Cable::to(server);
        let connecting = vox::connect(cable.connector()).reconnect(SLOW);
        let connecting = if resumes { connecting } else { connecting.no_resume() };
        let lab: LabClient = connecting.await.expect("a session");
        for _ in 0..20 {
            assert_eq!(lab.echo(0).await, Ok(0));
            let server = cable.unplug();
            settle().await;
            let call = tokio::spawn(lab.echo(1));
            tokio::time::sleep(Duration::from_millis(100)).await;
            cable.plug(server);
            let back = Instant::now();
            assert_eq!(call.await.expect("no panic"), Ok(1));
            // Timers go by whole milliseconds.
            assert!(back.elapsed() <= Duration::from_millis(12), "{:?}", back.elapsed());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn two_clients_of_one_session_wait_for_one_link() {
    let (cable, probe, lab) = cable().await;
    let second: LabClient = lab.caller().session().open().await.expect("a connection");
    let old = cable.unplug();
    settle().await;
    let calls = [tokio::spawn(lab.echo(1).timeout(HOUR)), tokio::spawn(second.echo(2).timeout(HOUR))];
    settle().await;
    // Another server, as after a restart: the session is lost.
    let (fresh, _) = server();
    cable.plug(Arc::new(fresh));
    for (n, call) in calls.into_iter().enumerate() {
        assert_eq!(call.await.expect("no panic"), Ok(n as u64 + 1));
    }
    assert_eq!((cable.server().sessions(), cable.links()), (1, 3), "a link for the old session, and one for the new");
    drop((old, probe));
}

/// Takes links while it is told to: none, silent ones, or good ones.
fn moody(mood: &Arc<AtomicUsize>, cable: &Cable) -> Connector {
    let (mood, cable) = (Arc::clone(mood), cable.clone());
    Connector::new("moody", move || {
        let (mood, cable) = (mood.load(SeqCst), cable.clone());
        async move {
            match mood {
                0 => cable.link(),
                1 => std::future::pending().await,
                2 => {
                    let (ours, theirs) = tokio::io::duplex(1024);
                    tokio::spawn(async move {
                        let _theirs = theirs;
                        std::future::pending::<()>().await
                    });
                    Ok(Link::new(ours, "silent"))
                }
                _ => panic!("the connector has a fault"),
            }
        }
    })
}

#[tokio::test(start_paused = true)]
async fn attempts_that_come_to_nothing_at_all_are_given_up() {
    for (bad, why) in [
        (1, "no link to moody: no answer in 10s"),
        (2, "no link to moody: no answer in 10s"),
        (3, "no link to moody: the connector panicked"),
    ] {
        for resumes in [true, false] {
            let (server, _) = server();
            let (cable, mood) = (Cable::to(server), Arc::new(AtomicUsize::new(0)));
            let connecting = vox::connect(moody(&mood, &cable));
            let connecting = if resumes { connecting } else { connecting.no_resume() };
            let lab: LabClient = connecting.await.expect("a session");
            mood.store(bad, SeqCst);
            cable.cut();
            settle().await;
            let told = no_link(lab.echo(1).timeout(Duration::from_secs(25)).await);
            assert!(told.contains(why), "{told}");
            mood.store(0, SeqCst);
            assert_eq!(lab.echo(2).await, Ok(2), "{why}");
        }
    }
}

/// A call without a deadline waits to a bound.
#[tokio::test(start_paused = true)]
async fn a_call_without_a_deadline_waits_to_a_bound() {
    let (server, _) = server();
    let cable = Cable::to(server);
    let limits = Limits { link_wait: Duration::from_secs(300), ..Limits::default() };
    let lab: LabClient = vox::connect(cable.connector()).no_resume().limits(limits).await.expect("a session");
    let _server = cable.unplug();
    settle().await;
    let (before, (_tx, rx)) = (Instant::now(), vox::channel());
    let why = no_link(lab.sum(rx).await);
    assert_eq!(before.elapsed().as_secs(), 300, "{why}");
}

/// A refusal for good is told to those who wait, and those who come later ask anew.
// proves: guide.outage.refused
#[tokio::test(start_paused = true)]
async fn a_peer_that_refuses_for_good_is_not_waited_for() {
    let admits = Arc::new(AtomicBool::new(true));
    let admitting = Arc::clone(&admits);
    let authenticate = move |_: vox::Peer| {
        let admits = admitting.load(SeqCst);
        async move {
            match admits {
                true => Ok(vox::Principal::anonymous()),
                false => Err(vox::Refusal::new(vox::RefusalCode::Unauthorized, "the token has expired")),
            }
        }
    };
    let builder = Server::builder().service(LabDispatcher::new(Bench::default())).authenticate(authenticate);
    let cable = Cable::to(builder.start().expect("a server"));
    let lab: LabClient = vox::connect(cable.connector()).no_resume().await.expect("a session");
    admits.store(false, SeqCst);
    cable.cut();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let before = Instant::now();
    let error = lab.echo(1).await.expect_err("it is refused");
    assert!(before.elapsed() <= Duration::from_secs(1), "{:?}", before.elapsed());
    assert!(error.to_string().contains("the token has expired"), "{error}");
    assert_eq!(error.ran(), Ran::No);
    admits.store(true, SeqCst);
    assert_eq!(lab.echo(2).await, Ok(2));
}

/// A client that only serves is called back after its server was started anew.
#[tokio::test(start_paused = true)]
async fn a_client_that_only_serves_is_there_again_by_itself() {
    let (first, _) = server();
    let cable = Cable::to(first);
    let connecting = vox::connect(cable.connector()).serving(LabDispatcher::new(Bench::default()));
    let serving: NoopClient = connecting.await.expect("a session");
    let old = cable.unplug();
    let (fresh, _) = server();
    cable.plug(Arc::new(fresh));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(cable.server().sessions(), 1);
    assert!(serving.is_connected());
    drop(serving);
    settle().await;
    assert_eq!(cable.server().sessions(), 0, "and it goes with its client");
    drop(old);
}

// ---- runtimes ----

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
}

/// The session's runtime is gone: a call outside of any says so, and one in another makes a session there.
// proves: guide.outage.runtime
#[test]
fn a_client_outlives_the_runtime_of_its_session() {
    let server = Killable::at("tcp://127.0.0.1:0");
    let first = runtime();
    let lab: LabClient = first.block_on(async { vox::connect(&server.1).await }).expect("a session");
    assert_eq!(first.block_on(lab.echo(1).into_future()), Ok(1));
    drop(first);
    let error = block_on(lab.echo(2).into_future()).expect_err("nobody drives a session here");
    assert_eq!(error.ran(), Ran::No);
    assert!(error.to_string().contains("no tokio runtime here, and the session's is gone"), "{error}");
    let second = runtime();
    assert_eq!(second.block_on(lab.echo(3).into_future()), Ok(3));
    assert_eq!(second.block_on(lab.echo(4).into_future()), Ok(4));
}

/// In another runtime than the session's, and in none: a call waits for the link to its deadline, and is made when it is back.
// proves: guide.outage.runtime
#[test]
fn calls_wait_in_any_runtime_and_in_none() {
    let home = runtime();
    let (cable, lab) = home.block_on(async {
        let (server, _) = server();
        let cable = Cable::to(server);
        let lab: LabClient = vox::connect(cable.connector()).await.expect("a session");
        (cable, lab)
    });
    let away = runtime();
    for here in [true, false] {
        let wait = |call: vox::Call<u64, vox::Never>| match here {
            true => away.block_on(call),
            false => block_on(call),
        };
        let server = cable.unplug();
        let mut watch = lab.caller().watch();
        home.block_on(async {
            while lab.is_connected() {
                watch.changed().await;
            }
        });
        no_link(wait(lab.echo(1).timeout(Duration::from_millis(300))));
        cable.plug(server);
        assert_eq!(wait(lab.echo(2)), Ok(2));
    }
}
