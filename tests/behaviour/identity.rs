//! Asking who a peer is: it may take its time, and fail, at nobody else's cost.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use vox::transport::Link;
use vox::{ConnectError, Limits, Peer, Principal, Ran, Refusal, RefusalCode, Server};

use crate::lab::{Bench, LabClient, LabDispatcher, Mine};
use crate::support::cable::Cable;
use crate::support::settle;

/// Does as the peer's metadata says.
async fn ask(peer: Peer) -> Result<Principal, Refusal> {
    let millis = peer.metadata().get("millis").map_or(0, |millis| millis.parse().expect("a number"));
    tokio::time::sleep(Duration::from_millis(millis)).await;
    match peer.metadata().get("how") {
        Some("panics") => panic!("on purpose"),
        Some("drops") => {
            let _mine = Mine { armed: true };
            pending().await
        }
        Some("nameless") => Ok(Principal::new("")),
        Some("refuses") => Err(Refusal::new(RefusalCode::Unauthorized, "nobody knows you")),
        _ => Ok(Principal::new("somebody")),
    }
}

fn server<F, A>(limits: Limits, ask: F) -> Server
where
    F: Fn(Peer) -> A + Send + Sync + 'static,
    A: Future<Output = Result<Principal, Refusal>> + Send + 'static,
{
    let builder = Server::builder().service(LabDispatcher::new(Bench::default())).limits(limits).authenticate(ask);
    builder.start().expect("a server")
}

async fn come(server: &Arc<Server>, told: &[(&str, &str)]) -> Result<LabClient, ConnectError> {
    let (ours, theirs) = tokio::io::duplex(4 << 10);
    let server = Arc::clone(server);
    let accepting = tokio::spawn(async move { server.accept(Link::new(theirs, "a pipe")).await });
    let connecting =
        told.iter().fold(vox::connect(Link::new(ours, "a pipe")), |to, (key, value)| to.metadata(*key, *value));
    let client = connecting.await;
    assert_eq!(accepting.await.expect("the server lives").is_ok(), client.is_ok(), "both ends know");
    client
}

fn refusal(came: Result<LabClient, ConnectError>) -> (RefusalCode, String) {
    match came {
        Err(ConnectError::Refused { refusal, .. }) => (refusal.code, refusal.reason),
        other => panic!("it was not refused: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_may_take_a_while_and_holds_up_nobody_else() {
    let server = Arc::new(server(Limits::default(), ask));
    let slow = {
        let server = Arc::clone(&server);
        tokio::spawn(async move { come(&server, &[("millis", "5000")]).await })
    };
    settle().await;
    let started = tokio::time::Instant::now();
    assert_eq!(come(&server, &[]).await.expect("somebody").echo(1).await, Ok(1));
    assert!(started.elapsed() < Duration::from_secs(1));
    assert_eq!(slow.await.expect("no panic").expect("somebody").echo(2).await, Ok(2));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_come_in_time_is_a_refusal_that_names_the_limit() {
    let limits = Limits { handshake_timeout: Duration::from_secs(4), ..Limits::default() };
    let server = Arc::new(server(limits, ask));
    let started = tokio::time::Instant::now();
    let (code, reason) = refusal(come(&server, &[("millis", "60000")]).await);
    assert!(started.elapsed() < Duration::from_secs(4), "the peer is told before its own patience is over");
    assert_eq!(code, RefusalCode::Busy);
    assert!(reason.contains("`Limits::handshake_timeout`") && reason.contains("3.6s"), "{reason}");
    // What is dropped with it may panic.
    assert_eq!(refusal(come(&server, &[("how", "drops")]).await).0, RefusalCode::Busy);
    assert!(come(&server, &[]).await.is_ok(), "the server lives");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_panics_harms_that_peer_alone() {
    let at_once = |peer: Peer| {
        assert!(peer.metadata().get("how").is_none(), "on purpose, before there is a future");
        async { Ok(Principal::new("somebody")) }
    };
    for server in [server(Limits::default(), ask), server(Limits::default(), at_once)] {
        let server = Arc::new(server);
        let (code, reason) = refusal(come(&server, &[("how", "panics")]).await);
        assert_eq!(code, RefusalCode::Busy);
        assert!(reason.contains("panicked") && !reason.contains("on purpose"), "its text stays here: {reason}");
        assert_eq!(come(&server, &[]).await.expect("somebody").echo(1).await, Ok(1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_principal_without_a_name_is_a_mistake_and_not_anonymous() {
    let server = Arc::new(server(Limits::default(), ask));
    let (code, reason) = refusal(come(&server, &[("how", "nameless")]).await);
    assert_eq!(code, RefusalCode::Unauthorized);
    assert!(reason.contains("empty name"), "{reason}");
    assert_eq!(refusal(come(&server, &[("how", "refuses")]).await).1, "nobody knows you");
    assert!(!Principal::new("").is_anonymous());
    assert_eq!(
        (format!("{:?}", Principal::anonymous()), format!("{:?}", Principal::new(""))),
        ("(anonymous)".into(), "\"\"".into())
    );
}

/// The application cannot answer for a while, when sessions come back that have lost their links.
#[tokio::test(start_paused = true)]
async fn a_session_outlives_an_answer_that_fails_when_it_comes_back() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let server = server(Limits::default(), move |_| {
        let number = counted.fetch_add(1, SeqCst);
        async move {
            match number {
                1 => panic!("on purpose"),
                2 => pending().await,
                _ => Ok(Principal::new("somebody")),
            }
        }
    });
    let cable = Cable::to(server);
    let lab: LabClient = vox::connect(cable.connector()).await.expect("somebody");
    cable.cut();
    settle().await;
    assert_eq!(lab.echo(1).await, Ok(1));
    assert_eq!(asked.load(SeqCst), 4, "connected, panicked, too late, resumed");
    assert_eq!(cable.server().sessions(), 1, "it is the same session");
}

// proves: resume.authenticate
/// A refusal for good costs the session, and a call under way reads why. A later session shows new credentials.
#[tokio::test(start_paused = true)]
async fn a_session_that_is_refused_when_it_comes_back_is_lost_for_the_reason_of_its_server() {
    for code in [RefusalCode::Unauthorized, RefusalCode::Other] {
        let good = Arc::new(AtomicBool::new(true));
        let is_good = Arc::clone(&good);
        let server = server(Limits::default(), move |_| {
            let good = is_good.load(SeqCst);
            async move { good.then(|| Principal::new("ada")).ok_or(Refusal::new(code, "the token has expired")) }
        });
        let cable = Cable::to(server);
        let lab: LabClient = vox::connect(cable.connector()).await.expect("ada");
        let call = tokio::spawn(lab.gate(1));
        settle().await;
        good.store(false, SeqCst);
        cable.cut();
        let error = call.await.expect("no panic").expect_err("its session is lost");
        assert_eq!(error.ran(), Ran::Unknown);
        let told = error.to_string();
        assert!(told.contains("the peer refused to resume it: the token has expired"), "{told}");
        let refused = lab.echo(1).await.expect_err("the next session is refused too").to_string();
        assert!(refused.contains("the token has expired"), "{refused}");
        good.store(true, SeqCst);
        assert_eq!(lab.echo(2).await, Ok(2));
    }
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_does_not_wait_for_an_answer() {
    let server = Arc::new(server(Limits::default(), ask));
    let coming = {
        let server = Arc::clone(&server);
        tokio::spawn(async move { come(&server, &[("millis", "8000")]).await })
    };
    settle().await;
    server.shutdown(Duration::ZERO).await;
    assert_eq!(refusal(coming.await.expect("no panic")).0, RefusalCode::ShuttingDown);
}
