//! Connecting to a peer that is away, now or when it is needed.

use super::*;

#[tokio::test(start_paused = true)]
async fn connecting_can_wait_for_a_server_that_is_not_there_yet() {
    let (server, _) = server();
    let cable = Cable::to(server);
    let server = cable.unplug();
    let error = vox::connect::<LabClient>(cable.connector()).await.expect_err("it does not wait");
    assert_eq!(error.to_string(), "no link to cable: connection refused");
    let connecting = vox::connect::<LabClient>(cable.connector()).wait().timeout(Duration::from_secs(20));
    let before = Instant::now();
    let error = connecting.await.expect_err("nobody comes");
    assert_eq!(before.elapsed().as_secs(), 20);
    assert_eq!(error.to_string(), "no session with cable within 20s: no link to cable: connection refused");
    let waiting = tokio::spawn(vox::connect::<LabClient>(cable.connector()).wait().into_future());
    tokio::time::sleep(HOUR).await;
    cable.plug(server);
    let (back, lab) = (Instant::now(), waiting.await.expect("no panic").expect("a session"));
    assert!(back.elapsed() <= Duration::from_secs(1), "{:?}", back.elapsed());
    assert_eq!(lab.echo(1).await, Ok(1));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_ends_the_wait_for_a_server() {
    let cable = Cable::to(Server::builder().start().expect("a server of nothing"));
    let error = vox::connect::<LabClient>(cable.connector()).wait().await.expect_err("it has no lab");
    assert!(matches!(error, ConnectError::Refused { .. }), "{error:?}");
    assert_eq!(cable.attempts(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lazy_client_connects_when_it_is_used() {
    let (server, _) = server();
    let cable = Cable::to(server);
    let server = cable.unplug();
    let lab: LabClient = vox::connect(cable.connector()).lazy().expect("a client");
    tokio::time::sleep(HOUR).await;
    assert_eq!((cable.attempts(), lab.state()), (0, SessionState::Idle));
    let why = no_link(lab.echo(1).timeout(Duration::from_secs(2)).await);
    assert!(why.starts_with("no link to cable: connection refused, "), "{why}");
    cable.plug(server);
    assert_eq!(lab.echo(2).await, Ok(2));
    assert_eq!(cable.server().sessions(), 1);
    let second: LabClient = lab.caller().session().open().await.expect("a connection");
    drop(lab);
    assert_eq!(second.echo(3).await, Ok(3));
    drop(second);
    settle().await;
    assert_eq!(cable.server().sessions(), 0);
}

/// Links to a peer that the test plays: each one's other end.
fn played() -> (Connector, tokio::sync::mpsc::UnboundedReceiver<Raw>) {
    let (far, links) = tokio::sync::mpsc::unbounded_channel();
    let connector = Connector::new("played", move || {
        let far = far.clone();
        async move {
            let (ours, theirs) = tokio::io::duplex(4096);
            let _ = far.send(Raw::new(theirs));
            Ok(Link::new(ours, "played"))
        }
    });
    (connector, links)
}

fn asks_for_the_lab(hello: &raw::Read) -> bool {
    hello.body.windows(3).any(|text| text == b"Lab")
}

#[tokio::test(start_paused = true)]
async fn a_lazy_client_asks_for_its_service_in_the_handshake() {
    let (connector, mut links) = played();
    let lab: LabClient = vox::connect(connector).lazy().expect("a client");
    let calls = [tokio::spawn(lab.echo(1)), tokio::spawn(lab.echo(2))];
    let mut peer = links.recv().await.expect("a link");
    assert!(asks_for_the_lab(&peer.read_kind(raw::HELLO).await));
    peer.send(&raw::welcome(raw::LIMITS)).await;
    for _ in &calls {
        assert_eq!(peer.read_frame().await.expect("a frame").kind, raw::CALL, "it is open");
    }
    calls.iter().for_each(|call| call.abort());
}

/// The refusal may be for the service alone, and others would have the session.
#[tokio::test(start_paused = true)]
async fn a_session_that_is_refused_with_a_service_is_asked_for_without() {
    let (connector, mut links) = played();
    let lab: LabClient = vox::connect(connector).lazy().expect("a client");
    let call = tokio::spawn(lab.echo(1));
    let mut peer = links.recv().await.expect("a link");
    peer.read_kind(raw::HELLO).await;
    peer.send(&raw::frame(raw::REJECTED).bytes(raw::MAGIC).u8(1).text("no lab here")).await;
    let mut peer = links.recv().await.expect("another");
    assert!(!asks_for_the_lab(&peer.read_kind(raw::HELLO).await));
    peer.send(&raw::welcome(raw::LIMITS)).await;
    peer.read_kind(raw::OPEN).await;
    peer.send(&raw::frame(raw::REFUSE).var(1).u8(1).text("no lab here")).await;
    let error = call.await.expect("no panic").expect_err("it has no lab");
    assert!(matches!(&error, VoxError::NotSent(NotSent::Closed(why)) if why.contains("no lab here")), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_nobody_waits_for_any_longer_is_closed() {
    let (connector, mut links) = played();
    let lab: LabClient = vox::connect(connector).lazy().expect("a client");
    let call = tokio::spawn(lab.echo(1));
    let mut peer = links.recv().await.expect("a link");
    peer.read_kind(raw::HELLO).await;
    call.abort();
    settle().await;
    peer.send(&raw::welcome(raw::LIMITS)).await;
    peer.read_kind(raw::SHUT).await;
    drop(lab);
}

#[test]
fn what_cannot_be_lazy_says_so() {
    let error = vox::connect::<LabClient>("mem://lazy").lazy().expect_err("no runtime");
    assert_eq!(error.to_string(), "no session with mem://lazy: there is no tokio runtime here");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let _entered = runtime.enter();
    let (link, _) = vox::transport::memory_pair();
    let error = vox::connect::<LabClient>(link).lazy().expect_err("a link");
    assert_eq!(error.to_string(), "`lazy` gives no client of mem://pair: a `Link` is made already");
    assert!(matches!(vox::connect::<LabClient>("nonsense").lazy(), Err(ConnectError::Address(_))));
}
