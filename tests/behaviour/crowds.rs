//! Servers and many who come at once: how many are let in, how many may be at the door, and what a shutdown tells them.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::DuplexStream;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use vox::transport::Link;
use vox::{ConnectError, Limits, Principal, RefusalCode, ServeError, Server, Session};

use crate::lab::{Bench, LabClient, LabDispatcher};
use crate::support::raw::{self, Raw};
use crate::support::{block_on, settle};

type Accepting = JoinHandle<Result<(), ConnectError>>;

/// A server that is given its links.
fn server(limits: Limits) -> Arc<Server> {
    let builder = Server::builder().service(LabDispatcher::new(Bench::default())).limits(limits);
    Arc::new(builder.start().expect("one service"))
}

/// A link into the server, and how its handshake goes.
fn come(server: &Arc<Server>) -> (DuplexStream, Accepting) {
    let (ours, theirs) = tokio::io::duplex(4 << 10);
    let server = Arc::clone(server);
    (ours, tokio::spawn(async move { server.accept(Link::new(theirs, "a pipe")).await }))
}

async fn connect(link: DuplexStream) -> Result<LabClient, ConnectError> {
    vox::connect(Link::new(link, "a pipe")).await
}

#[tokio::test(start_paused = true)]
async fn a_thousand_handshakes_at_once_make_no_more_sessions_than_there_may_be() {
    let server = server(Limits { max_sessions: 10, ..Limits::default() });
    let mut peers = Vec::new();
    for _ in 0..1024 {
        let (link, accepting) = come(&server);
        peers.push((Raw::new(link), accepting));
    }
    // All of them are at the door before the first says anything.
    settle().await;
    for (peer, _) in &mut peers {
        peer.send(&raw::hello(Some("Lab"), raw::LIMITS)).await;
    }
    let (mut welcome, mut refused) = (Vec::new(), 0);
    for (mut peer, accepting) in peers {
        let answer = peer.read().await.expect("an answer");
        let accepted = accepting.await.expect("no panic");
        match answer.kind {
            raw::WELCOME => welcome.push((peer, accepted.expect("it was let in"))),
            raw::REJECTED => {
                let Err(ConnectError::Refused { refusal, .. }) = accepted else {
                    panic!("both ends know: {accepted:?}")
                };
                assert_eq!(refusal.code, RefusalCode::Busy);
                assert!(
                    refusal.reason.contains("`Limits::max_sessions`") && refusal.reason.contains("10"),
                    "{refusal}"
                );
                refused += 1;
            }
            kind => panic!("kind {kind:#x}"),
        }
    }
    assert_eq!((welcome.len(), refused, server.sessions()), (10, 1014, 10));
    // One that leaves makes room for one.
    welcome.pop();
    settle().await;
    let ((one, _), (two, _)) = (come(&server), come(&server));
    let came = (connect(one).await, connect(two).await);
    assert!(came.0.is_ok() && came.1.is_err(), "{came:?}");
}

#[tokio::test(start_paused = true)]
async fn links_that_are_brought_wait_while_too_many_are_in_their_handshake() {
    let builder = Server::builder().service(LabDispatcher::new(Bench::default()));
    let builder = builder.limits(Limits { max_pending_handshakes: 2, ..Limits::default() });
    let is_known = Arc::new(Semaphore::new(0));
    let asked = Arc::clone(&is_known);
    let server = builder.authenticate(move |_| {
        let asked = Arc::clone(&asked);
        async move {
            asked.acquire().await.expect("nobody closes it").forget();
            Ok(Principal::anonymous())
        }
    });
    let server = Arc::new(server.start().expect("one service"));
    // Two are asked about, two wait, and the fifth is told so.
    let mut clients = Vec::new();
    for _ in 0..4 {
        clients.push(tokio::spawn(connect(come(&server).0)));
        settle().await;
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(clients.iter().all(|client| !client.is_finished()), "there is no room for a third");
    let refused = connect(come(&server).0).await.expect_err("as many wait");
    assert!(refused.to_string().contains("2 links are in their handshake and as many wait"), "{refused}");
    is_known.add_permits(4);
    for client in clients {
        assert_eq!(client.await.expect("no panic").expect("its turn").echo(1).await, Ok(1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_refuses_those_who_are_at_the_door_and_those_who_come_later() {
    let server = server(Limits::default());
    let (link, _) = come(&server);
    let lab = connect(link).await.expect("a session");
    let (silent, waiting) = come(&server);
    settle().await;
    let started = tokio::time::Instant::now();
    let report = server.shutdown(Duration::from_secs(1)).await;
    assert_eq!((report.sessions, report.aborted_calls), (1, 0));
    assert!(started.elapsed() < Duration::from_secs(1), "nobody is waited for who says nothing");
    let refused = waiting.await.expect("no panic");
    assert!(
        matches!(&refused, Err(ConnectError::Refused { refusal: why, .. }) if why.code == RefusalCode::ShuttingDown),
        "{refused:?}"
    );
    assert_eq!(Raw::new(silent).read().await.expect("it is told").kind, raw::REJECTED);
    let (late, _) = come(&server);
    let refused = connect(late).await;
    assert!(
        matches!(&refused, Err(ConnectError::Refused { refusal: why, .. }) if why.code == RefusalCode::ShuttingDown),
        "{refused:?}"
    );
    assert!(lab.echo(1).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_may_be_asked_for_as_often_as_one_likes() {
    let server = server(Limits::default());
    let (link, _) = come(&server);
    let lab = connect(link).await.expect("a session");
    let call = tokio::spawn(lab.hang());
    settle().await;
    let stop = |grace: u64| {
        let server = Arc::clone(&server);
        tokio::spawn(async move { server.shutdown(Duration::from_secs(grace)).await })
    };
    // The shorter patience is the one that counts.
    let (long, short) = (stop(60), stop(1));
    let started = tokio::time::Instant::now();
    let reports = (short.await.expect("no panic"), long.await.expect("no panic"));
    assert!(started.elapsed() < Duration::from_secs(10), "the session is over: nothing is left to wait for");
    assert_eq!((reports.0.sessions, reports.0.aborted_calls, reports.1.sessions), (1, 1, 1));
    assert!(call.await.expect("no panic").is_err());
    assert_eq!(server.shutdown(Duration::from_secs(60)).await.aborted_calls, 0);
}

/// What a listener of the user's own gives.
struct Links(mpsc::Receiver<Link>);

impl futures_core::Stream for Links {
    type Item = Link;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Link>> {
        self.0.poll_recv(cx)
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_links_is_served_though_some_say_nothing() {
    let server = server(Limits::default());
    let (links, stream) = mpsc::channel(16);
    let serving = {
        let server = Arc::clone(&server);
        tokio::spawn(async move { server.accept_all(Links(stream)).await })
    };
    let (silent, theirs) = tokio::io::duplex(4 << 10);
    links.send(Link::new(theirs, "silent")).await.expect("it listens");
    for n in 0..3 {
        let (ours, theirs) = tokio::io::duplex(4 << 10);
        links.send(Link::new(theirs, "a pipe")).await.expect("it listens");
        assert_eq!(connect(ours).await.expect("a session").echo(n).await, Ok(n));
    }
    server.shutdown(Duration::ZERO).await;
    serving.await.expect("it ends with the server, though the stream goes on");
    drop((links, silent));
}

#[tokio::test(start_paused = true)]
async fn two_services_of_one_name_are_refused_whichever_end_serves_them() {
    let lab = || LabDispatcher::new(Bench::default());
    let twice = Server::builder().service(lab()).service(lab()).start();
    assert!(matches!(twice, Err(ServeError::DuplicateService("Lab"))), "{twice:?}");
    let (ours, _theirs) = vox::transport::memory_pair();
    let twice = Session::connect(ours).serving(lab()).serving(lab()).await;
    assert!(matches!(twice, Err(ConnectError::DuplicateService("Lab"))), "{twice:?}");
}

/// The runtime that the accept loop is in ends, and the one that waits is elsewhere.
#[test]
fn serving_does_not_end_well_when_nobody_accepts_any_more() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let mut serving = Box::pin(vox::serve("mem://crowds-serve", LabDispatcher::new(Bench::default())));
    {
        let _runtime = runtime.enter();
        let first = serving.as_mut().poll(&mut Context::from_waker(std::task::Waker::noop()));
        assert!(first.is_pending(), "{first:?}");
    }
    drop(runtime);
    let ended = block_on(serving);
    assert!(matches!(ended, Err(ServeError::Stopped { .. })), "{ended:?}");
}
