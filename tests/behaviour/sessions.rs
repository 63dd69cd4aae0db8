//! Sessions: several services, both directions, opened, refused, held and let go.

use vox::{EndReason, Limits, NoopClient, NotSent, OpenError, RefusalCode, VoxError};

use crate::lab::{Bench, LabClient, LabDispatcher};
use crate::support::settle;

#[vox::service]
pub trait Chat {
    async fn say(&self, text: &str) -> String;
}

pub struct Parrot(pub &'static str);

impl Chat for Parrot {
    async fn say(&self, text: &str) -> String {
        format!("{}{text}", self.0)
    }
}

/// A server of both services.
fn both(link: vox::transport::Link) -> tokio::task::JoinHandle<Result<(), vox::ServeError>> {
    let builder = vox::Server::builder().service(LabDispatcher::new(Bench::default()));
    tokio::spawn(builder.service(ChatDispatcher::new(Parrot("server: "))).serve_link(link))
}

#[tokio::test(start_paused = true)]
async fn two_services_share_a_session() {
    let (ours, theirs) = vox::transport::memory_pair();
    let server = both(theirs);
    let session = vox::Session::connect(ours).await.expect("a session");
    let (lab, chat) = tokio::join!(session.open::<LabClient>(), session.open::<ChatClient>());
    let (lab, chat) = (lab.expect("served"), chat.expect("served"));
    let (n, text) = tokio::join!(lab.echo(1).into_future(), chat.say("hi").into_future());
    assert_eq!((n, text.as_deref()), (Ok(1), Ok("server: hi")));
    drop((lab, chat, session));
    server.await.expect("no panic").expect("a clean end");
}

#[tokio::test(start_paused = true)]
async fn opening_an_unknown_service_is_refused_with_a_reason() {
    let (ours, theirs) = vox::transport::memory_pair();
    tokio::spawn(vox::serve(theirs, LabDispatcher::new(Bench::default())));
    let session = vox::Session::connect(ours).await.expect("a session");
    let Err(OpenError::Refused { refusal, .. }) = session.open::<ChatClient>().await else {
        panic!("it is not served")
    };
    assert_eq!(refusal.code, RefusalCode::UnknownService);
    assert!(refusal.reason.contains("`Chat`") && refusal.reason.contains("Lab"), "{refusal}");
    let lab: LabClient = session.open().await.expect("the session lives");
    assert_eq!(lab.echo(1).await, Ok(1));
}

#[tokio::test(start_paused = true)]
async fn a_server_calls_back_the_client_that_called_it() {
    let (ours, theirs) = vox::transport::memory_pair();
    tokio::spawn(vox::serve(theirs, LabDispatcher::new(Bench::default())));
    let connect = vox::connect(ours).serving(LabDispatcher::new(Bench::default()));
    let lab: LabClient = connect.await.expect("a session");
    for n in 0..100 {
        assert_eq!(lab.call_back(n).await, Ok(n));
    }
}

#[tokio::test(start_paused = true)]
async fn both_ends_call_each_other_at_once() {
    let (ours, theirs) = vox::transport::memory_pair();
    both(theirs);
    let connect = vox::connect(ours).serving(LabDispatcher::new(Bench::default()));
    let lab: LabClient = connect.await.expect("a session");
    let calls: Vec<_> = (0..200).map(|n| tokio::spawn(lab.call_back(n).into_future())).collect();
    for (n, call) in calls.into_iter().enumerate() {
        match call.await.expect("no panic") {
            Ok(back) => assert_eq!(back, n as u64),
            // At most 16 connections back at once; the handler's `expect` says so.
            Err(error) => assert_eq!(error, VoxError::Panicked),
        }
    }
    assert_eq!(lab.call_back(7).await, Ok(7));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_only_serves_keeps_its_session() {
    let (ours, theirs) = vox::transport::memory_pair();
    let server = tokio::spawn(async move {
        let serving = vox::connect(theirs).serving(ChatDispatcher::new(Parrot("client: ")));
        let noop: NoopClient = serving.await.expect("a session");
        vox::Client::caller(&noop).closed().await
    });
    let (session_sender, mut sessions) = tokio::sync::mpsc::channel(1);
    let hub = Hub(session_sender);
    tokio::spawn(vox::serve(ours, HubDispatcher::new(hub)));
    settle().await;
    // The peer only serves and has opened nothing; nobody ends the session for that.
    tokio::time::sleep(std::time::Duration::from_secs(3600)).await;
    assert!(!server.is_finished());
    assert!(sessions.try_recv().is_err());
}

/// Hands out the sessions of those who call it.
#[vox::service]
trait Hub {
    async fn join(&self, cx: &vox::Context);
}

struct HubOf(tokio::sync::mpsc::Sender<vox::Session>);
use HubOf as Hub_;

impl Hub for Hub_ {
    async fn join(&self, cx: &vox::Context) {
        let _ = self.0.send(cx.session()).await;
    }
}

#[allow(non_snake_case, reason = "reads like the type")]
fn Hub(sessions: tokio::sync::mpsc::Sender<vox::Session>) -> HubOf {
    HubOf(sessions)
}

#[tokio::test(start_paused = true)]
async fn a_server_calls_a_client_whenever_it_likes_while_it_holds_the_session() {
    let (ours, theirs) = vox::transport::memory_pair();
    let (sender, mut sessions) = tokio::sync::mpsc::channel(1);
    let server = tokio::spawn(vox::serve(theirs, HubDispatcher::new(Hub(sender))));
    let hub: HubClient = vox::connect(ours).serving(ChatDispatcher::new(Parrot("client: "))).await.expect("a session");
    hub.join().await.expect("joined");
    let session = sessions.recv().await.expect("a session");
    for _ in 0..3 {
        let chat: ChatClient = session.open().await.expect("the client serves");
        assert_eq!(chat.say("hi").await.as_deref(), Ok("client: hi"));
    }
    drop(hub);
    assert!(matches!(session.closed().await, EndReason::Goodbye(_)));
    server.await.expect("no panic").expect("a clean end");
}

/// Nothing open is no end of a session that the client holds, to open more.
#[tokio::test(start_paused = true)]
async fn a_held_session_outlives_its_connections() {
    let (ours, theirs) = vox::transport::memory_pair();
    let server = both(theirs);
    let session = vox::Session::connect(ours).await.expect("a session");
    for n in 0..3 {
        let lab: LabClient = session.open().await.expect("served");
        assert_eq!(lab.echo(n).await, Ok(n));
        drop(lab);
        settle().await;
    }
    let held = session.clone();
    drop(session);
    settle().await;
    assert!(!server.is_finished());
    drop(held);
    server.await.expect("no panic").expect("a clean end");
}

#[tokio::test(start_paused = true)]
async fn the_last_client_that_is_dropped_ends_the_session_on_both_sides() {
    let (ours, theirs) = vox::transport::memory_pair();
    let server = both(theirs);
    let lab: LabClient = vox::connect(ours).await.expect("a session");
    let other = lab.clone();
    drop(lab);
    settle().await;
    assert_eq!(other.echo(1).await, Ok(1));
    drop(other);
    server.await.expect("no panic").expect("a clean end");
}

#[tokio::test(start_paused = true)]
async fn connections_that_both_ends_close_at_once_end_the_session() {
    let (ours, theirs) = vox::transport::memory_pair();
    let (sender, mut sessions) = tokio::sync::mpsc::channel(1);
    let server = tokio::spawn(vox::serve(theirs, HubDispatcher::new(Hub(sender))));
    let hub: HubClient = vox::connect(ours).serving(ChatDispatcher::new(Parrot(""))).await.expect("a session");
    hub.join().await.expect("joined");
    let session = sessions.recv().await.expect("a session");
    let chat: ChatClient = session.open().await.expect("served");
    drop(session);
    // In one turn: each end still sees the other's connection.
    drop(hub);
    drop(chat);
    server.await.expect("no panic").expect("a clean end");
}

#[tokio::test(start_paused = true)]
async fn closing_a_session_ends_everything_on_it_and_tells_the_peer_why() {
    let (ours, theirs) = vox::transport::memory_pair();
    let server = both(theirs);
    let lab: LabClient = vox::connect(ours).await.expect("a session");
    let session = vox::Client::caller(&lab).session();
    let call = tokio::spawn(lab.hang().into_future());
    settle().await;
    session.close("enough");
    assert_eq!(call.await.expect("no panic"), Err(VoxError::Indeterminate));
    assert_eq!(session.closed().await, EndReason::ClosedHere);
    assert!(matches!(lab.echo(1).await, Err(VoxError::NotSent(NotSent::Closed(_)))));
    assert!(matches!(session.open::<ChatClient>().await, Err(OpenError::Refused { .. })));
    server.await.expect("no panic").expect("a clean end");
}

#[tokio::test(start_paused = true)]
async fn an_open_that_is_dropped_leaves_nothing_open() {
    let (ours, theirs) = vox::transport::memory_pair();
    let limits = Limits { max_connections: 1, ..Limits::default() };
    crate::lab::serve(theirs, Bench::default(), limits);
    let session = vox::Session::connect(ours).await.expect("a session");
    for _ in 0..10 {
        {
            let mut opening = std::pin::pin!(session.open::<LabClient>());
            let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(opening.as_mut().poll(cx))).await;
            assert!(polled.is_pending());
        }
        settle().await;
    }
    let lab: LabClient = session.open().await.expect("the one place is free");
    assert_eq!(lab.echo(1).await, Ok(1));
}

#[tokio::test(start_paused = true)]
async fn all_who_wait_for_the_end_of_a_session_hear_of_it() {
    let (ours, theirs) = vox::transport::memory_pair();
    let server = both(theirs);
    let lab: LabClient = vox::connect(ours).await.expect("a session");
    let watchers: Vec<_> = (0..3)
        .map(|_| {
            let caller = vox::Client::caller(&lab).clone();
            tokio::spawn(async move { caller.closed().await })
        })
        .collect();
    settle().await;
    watchers[0].abort();
    server.abort();
    for watcher in watchers.into_iter().skip(1) {
        let reason = watcher.await.expect("no panic");
        assert_eq!(reason, EndReason::Goodbye("the server has stopped".into()));
    }
}
