//! Servers: what they keep, how they stop, and whom they wait for.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::sync::oneshot;
use vox::transport::Link;
use vox::{ConnectError, EndReason, Limits, NotSent, OpenError, RefusalCode, Server, VoxError};

use crate::lab::{Bench, LabClient, LabDispatcher, Probe};
use crate::support::{raw, settle};

/// A server at an address of its own inside the process.
async fn server(name: &str, limits: Limits) -> (Server, Probe) {
    let bench = Bench::default();
    let probe = bench.probe.clone();
    let builder = Server::builder().service(LabDispatcher::new(bench)).limits(limits);
    (builder.bind(format!("mem://{name}")).await.expect("the name is free"), probe)
}

async fn connect(server: &Server) -> LabClient {
    vox::connect(server.address()).await.expect("a session")
}

#[tokio::test(start_paused = true)]
async fn a_server_forgets_sessions_that_have_ended() {
    let (server, _) = server("forgets", Limits::default()).await;
    for _ in 0..20 {
        let clients = (connect(&server).await, connect(&server).await);
        assert_eq!(clients.0.echo(1).await, Ok(1));
        settle().await;
        assert_eq!(server.sessions(), 2);
        drop(clients);
        settle().await;
        assert_eq!(server.sessions(), 0);
    }
}

/// A link whose peer has read everything long before its flush is over.
struct Reluctant {
    io: DuplexStream,
    may_flush: oneshot::Receiver<()>,
}

impl AsyncRead for Reluctant {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Reluctant {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.may_flush.is_terminated() {
            std::task::ready!(Pin::new(&mut self.may_flush).poll(cx)).expect("it is told");
        }
        Pin::new(&mut self.io).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_is_counted_before_its_peer_is_welcomed() {
    let server = Server::builder().service(LabDispatcher::new(Bench::default())).start().expect("a server");
    let server = Arc::new(server);
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let (flush, may_flush) = oneshot::channel();
    let link = Link::new(Reluctant { io: theirs, may_flush }, "reluctant");
    let accepting = tokio::spawn({
        let server = Arc::clone(&server);
        async move { server.accept(link).await }
    });
    let lab: LabClient = vox::connect(Link::new(ours, "here")).await.expect("it is welcomed");
    assert_eq!(server.sessions(), 1);
    flush.send(()).expect("it waits");
    accepting.await.expect("no panic").expect("a session");
    assert_eq!((server.sessions(), lab.echo(1).await), (1, Ok(1)));
    vox::Client::caller(&lab).session().close("done").await;
    assert_eq!(server.sessions(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_drains_what_runs_and_refuses_what_is_new() {
    let (server, probe) = server("drains", Limits::default()).await;
    let lab = connect(&server).await;
    let session = vox::Client::caller(&lab).session();
    let address = server.address();
    let running = tokio::spawn(lab.gate(1).into_future());
    settle().await;
    let stopping = tokio::spawn(async move { server.shutdown(Duration::from_secs(5)).await });
    settle().await;
    assert_eq!(lab.echo(1).await, Err(VoxError::Busy));
    let Err(OpenError::Refused { refusal, .. }) = session.open::<LabClient>().await else { panic!("it is stopping") };
    assert_eq!(refusal.code, RefusalCode::ShuttingDown);
    assert!(matches!(vox::connect::<LabClient>(address).await, Err(ConnectError::NoLink(_))));
    probe.gate.add_permits(1);
    assert_eq!(running.await.expect("no panic"), Ok(1));
    let report = stopping.await.expect("no panic");
    assert_eq!((report.sessions, report.aborted_calls), (1, 0));
    assert_eq!(session.closed().await, EndReason::Goodbye("the server is shutting down".into()));
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_cuts_what_does_not_end_in_time_and_says_so() {
    let (server, probe) = server("cuts", Limits::default()).await;
    let lab = connect(&server).await;
    let calls: Vec<_> = (0..3).map(|_| tokio::spawn(lab.hang().into_future())).collect();
    settle().await;
    let report = server.shutdown(Duration::from_millis(100)).await;
    assert_eq!((report.sessions, report.aborted_calls), (1, 3));
    settle().await;
    assert_eq!(probe.stopped.get(), 3);
    for call in calls {
        assert_eq!(call.await.expect("no panic"), Err(VoxError::Indeterminate));
    }
}

/// Its client may know of it before the server's table does.
#[tokio::test(start_paused = true)]
async fn a_shutdown_reports_a_session_that_is_being_welcomed() {
    let server = Arc::new(Server::builder().service(LabDispatcher::new(Bench::default())).start().expect("a server"));
    // So narrow that a welcome leaves only as it is read.
    let (ours, theirs) = tokio::io::duplex(16);
    let accepting = tokio::spawn({
        let server = Arc::clone(&server);
        async move { server.accept(Link::new(theirs, "narrow")).await }
    });
    let mut peer = raw::Raw::new(ours);
    peer.send(&raw::hello(Some("Lab"), raw::LIMITS)).await;
    settle().await;
    assert_eq!(server.sessions(), 1);
    let report = server.shutdown(Duration::ZERO).await;
    assert_eq!((report.sessions, report.aborted_calls), (1, 0));
    assert_eq!(peer.read_kind(raw::WELCOME).await.kind, raw::WELCOME);
    assert_eq!(peer.read_kind(raw::GOODBYE).await.kind, raw::GOODBYE);
    accepting.await.expect("no panic").expect("it was welcomed");
}

/// A program that stops a server often ends its runtime next.
#[test]
fn pitfall_25_a_shutdown_has_told_the_peers_when_it_returns() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (serving, calling) = (runtime(), runtime());
    let server = serving.block_on(async {
        let builder = Server::builder().service(LabDispatcher::new(Bench::default()));
        builder.bind("tcp://127.0.0.1:0").await.expect("a port is free")
    });
    let address = server.address();
    let stopped = std::thread::spawn(move || {
        // Serves until the client is there, then stops, and takes its runtime down at once.
        serving.block_on(async {
            while server.sessions() == 0 {
                tokio::task::yield_now().await;
            }
            server.shutdown(Duration::ZERO).await
        })
    });
    let reason = calling.block_on(async {
        let lab: LabClient = vox::connect(address).await.expect("a session");
        vox::Client::caller(&lab).closed().await
    });
    assert_eq!(reason, EndReason::Goodbye("the server is shutting down".into()));
    assert_eq!(stopped.join().expect("no panic").sessions, 1);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_dropped_ends_its_sessions() {
    let (server, probe) = server("dropped", Limits::default()).await;
    let lab = connect(&server).await;
    let call = tokio::spawn(lab.hang().into_future());
    settle().await;
    drop(server);
    assert_eq!(call.await.expect("no panic"), Err(VoxError::Indeterminate));
    let error = lab.echo(1).timeout(Duration::from_secs(1)).await;
    assert!(matches!(error, Err(VoxError::NotSent(NotSent::NoLink(_)))), "it waits for another: {error:?}");
    settle().await;
    assert_eq!(probe.stopped.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn sessions_past_the_limit_are_closed_and_those_before_are_not() {
    let (server, _) = server("full", Limits { max_sessions: 2, ..Limits::default() }).await;
    let clients = (connect(&server).await, connect(&server).await);
    settle().await;
    assert!(vox::connect::<LabClient>(server.address()).await.is_err());
    assert_eq!((clients.0.echo(1).await, clients.1.echo(2).await), (Ok(1), Ok(2)));
    drop(clients);
    settle().await;
    assert_eq!(connect(&server).await.echo(3).await, Ok(3));
}

#[tokio::test(start_paused = true)]
async fn two_services_of_one_name_are_refused_when_the_server_is_made() {
    let builder = Server::builder().service(LabDispatcher::new(Bench::default()));
    let error = builder.service(LabDispatcher::new(Bench::default())).bind("mem://twice").await;
    assert!(matches!(error, Err(vox::ServeError::DuplicateService("Lab"))), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_name_in_memory_is_free_again_when_its_server_is_gone() {
    let (first, _) = server("again", Limits::default()).await;
    let second = Server::builder().service(LabDispatcher::new(Bench::default())).bind("mem://again").await;
    assert!(matches!(second, Err(vox::ServeError::Listen { .. })));
    first.shutdown(Duration::ZERO).await;
    let (second, _) = server("again", Limits::default()).await;
    assert_eq!(connect(&second).await.echo(1).await, Ok(1));
}
