//! What sessions and calls say of a peer that is away.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_session_says_how_it_stands() {
    let (cable, _, lab) = cable().await;
    let session = lab.caller().session();
    let mut watch = session.watch();
    assert_eq!((session.state(), watch.state()), (SessionState::Connected, &SessionState::Connected));
    let server = cable.unplug();
    let mut reconnecting = async || match watch.changed().await {
        Some(SessionState::Reconnecting { since, attempts, last_error }) => (since, attempts, last_error),
        state => panic!("{state:?}"),
    };
    let (since, ..) = reconnecting().await;
    assert!(!session.is_connected() && !lab.is_connected());
    let (same, attempts, why) = reconnecting().await;
    assert_eq!((same, why.as_deref()), (since, Some("no link to cable: connection refused")));
    assert!(reconnecting().await.1 > attempts);
    cable.plug(server);
    while watch.changed().await != Some(SessionState::Connected) {}
    assert!(session.is_connected());
    session.close("enough");
    assert_eq!(watch.changed().await, Some(SessionState::Ended(EndReason::ClosedHere)));
    assert_eq!(session.state(), SessionState::Ended(EndReason::ClosedHere));
    drop((session, lab));
    assert_eq!(watch.changed().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_session_over_one_link_says_how_it_stands() {
    let (ours, theirs) = tokio::io::duplex(1024);
    let accepting = tokio::spawn(Raw::accept(theirs, raw::LIMITS));
    let lab: LabClient = vox::connect(Link::new(ours, "one")).await.expect("a session");
    let mut watch = lab.caller().watch();
    assert!(lab.is_connected());
    drop(accepting.await.expect("no panic"));
    let Some(SessionState::Ended(reason)) = watch.changed().await else { panic!("{:?}", watch.state()) };
    assert_eq!((lab.closed().await, watch.changed().await), (reason, None));
}

/// The peer closes a connection, and not its session: that is what its holder is told, and the next call opens another.
#[tokio::test(start_paused = true)]
async fn a_connection_that_the_peer_closes_says_so_and_is_opened_again() {
    let far = Arc::new(Mutex::new(Vec::new()));
    let ends = Arc::clone(&far);
    let connector = Connector::new("raw", move || {
        let ends = Arc::clone(&ends);
        async move {
            let (ours, theirs) = tokio::io::duplex(4096);
            let mut peer = Raw::new(theirs);
            peer.send(&raw::welcome(raw::LIMITS)).await;
            ends.lock().expect("no panic").push(peer);
            Ok(Link::new(ours, "raw"))
        }
    });
    let lab: LabClient = vox::connect(connector).await.expect("a session");
    let mut peer = far.lock().expect("no panic").pop().expect("a link");
    peer.read_kind(raw::HELLO).await;
    peer.send(&raw::frame(raw::SHUT).var(1)).await;
    assert_eq!(lab.closed().await.to_string(), "closed by the peer: this connection alone, not its session");
    assert!(lab.is_connected(), "the session has its link");
    let call = tokio::spawn(lab.echo(7));
    assert_eq!(peer.read_kind(raw::OPEN).await.kind, raw::OPEN);
    peer.send(&raw::frame(raw::ACCEPT).var(3).u8(0)).await;
    peer.read_kind(raw::CALL).await;
    call.abort();
}

/// Where no other can be opened, the call says who closed it.
#[tokio::test(start_paused = true)]
async fn a_call_on_a_connection_that_the_peer_closed_says_so() {
    let (ours, theirs) = tokio::io::duplex(1024);
    let accepting = tokio::spawn(Raw::accept(theirs, raw::LIMITS));
    let lab: LabClient = vox::connect(Link::new(ours, "one")).await.expect("a session");
    let mut peer = accepting.await.expect("no panic");
    let second = lab.caller().session();
    peer.send(&raw::frame(raw::SHUT).var(1)).await;
    settle().await;
    let error = lab.echo(1).await.expect_err("it is closed");
    assert!(error.to_string().contains("closed by the peer"), "{error}");
    drop(second);
}

/// A call under way says what has ended, the connection alone or the session with it, and by which end.
#[tokio::test(start_paused = true)]
async fn a_call_under_way_says_whether_its_connection_ended_or_its_session_and_how() {
    let shut = || raw::frame(raw::SHUT).var(1);
    let goodbye = || raw::frame(raw::GOODBYE).text("for today");
    for (frame, by_us, said) in [
        (Some(shut()), false, "the connection has ended: closed by the peer: this connection alone, not its session"),
        (Some(goodbye()), false, "the session has ended: closed by the peer: for today"),
        (None, false, "the session has ended: the link was lost: the peer closed the link"),
        (None, true, "the session has ended: closed by this end"),
    ] {
        let (ours, theirs) = tokio::io::duplex(1024);
        let accepting = tokio::spawn(Raw::accept(theirs, raw::LIMITS));
        let lab: LabClient = vox::connect(Link::new(ours, "one")).await.expect("a session");
        let mut peer = accepting.await.expect("no panic");
        let (call, session) = (tokio::spawn(lab.echo(1)), lab.caller().session());
        peer.read_kind(raw::CALL).await;
        match frame {
            Some(frame) => peer.send(&frame).await,
            None if by_us => drop(session.close("done")),
            None => drop(peer),
        }
        let error = call.await.expect("no panic").expect_err("nobody answers");
        assert_eq!(error, VoxError::Indeterminate);
        assert_eq!(error.to_string(), format!("Lab.echo at one: whether the call ran is unknown: {said}"));
    }
}

/// A call back, from the server, while its client is away.
#[tokio::test(start_paused = true)]
async fn a_call_back_without_a_link_was_not_sent() {
    let error = Arc::new(Mutex::new(None));
    let told = Arc::clone(&error);
    struct Back(Arc<Mutex<Option<VoxError>>>, Arc<tokio::sync::Notify>);
    #[vox::service]
    trait Backing {
        async fn start(&self, cx: &vox::Context);
    }
    impl Backing for Back {
        async fn start(&self, cx: &vox::Context) {
            let back: LabClient = cx.session().open().await.expect("it serves");
            let (told, go) = (Arc::clone(&self.0), Arc::clone(&self.1));
            tokio::spawn(async move {
                go.notified().await;
                let error = back.echo(1).timeout(Duration::from_secs(3)).await.expect_err("it is away");
                *told.lock().expect("no panic") = Some(error);
            });
        }
    }
    let go = Arc::new(tokio::sync::Notify::new());
    let server = Server::builder().service(BackingDispatcher::new(Back(told, Arc::clone(&go))));
    let cable = Cable::to(server.start().expect("a server"));
    let connecting = vox::connect(cable.connector()).serving(LabDispatcher::new(Bench::default()));
    let client: BackingClient = connecting.await.expect("a session");
    client.start().await.expect("it starts");
    let _server = cable.unplug();
    settle().await;
    go.notify_one();
    tokio::time::sleep(Duration::from_secs(4)).await;
    let error = error.lock().expect("no panic").take().expect("it ended");
    assert!(no_link(Err::<(), _>(error)).contains("which has to make the next"));
}

#[tokio::test(start_paused = true)]
async fn a_connector_whose_error_says_more_is_quoted() {
    let connector = Connector::new("far", async || Err(Error::other("the satellite is behind the moon")));
    let lab: LabClient = vox::connect(connector).lazy().expect("a client");
    let why = no_link(lab.echo(1).timeout(Duration::from_millis(1500)).await);
    assert!(why.starts_with("no link to far: the satellite is behind the moon, "), "{why}");
}
