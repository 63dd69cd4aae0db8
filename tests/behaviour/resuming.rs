//! Sessions that lose their link and get another: calls and channels go on as if nothing had been.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use vox::transport::{Connector, Link};
use vox::{Backoff, Client, Limits, NotSent, Server, Session, VoxError};

use crate::lab::{Bench, LabClient, LabDispatcher, Probe};
use crate::support::cable::{Cable, WHOLE};
use crate::support::raw::{self, Raw};
use crate::support::settle;

async fn cable() -> (Cable, Probe, LabClient) {
    cable_with(Limits::default()).await
}

async fn cable_with(limits: Limits) -> (Cable, Probe, LabClient) {
    let bench = Bench::default();
    let probe = bench.probe.clone();
    let server = Server::builder().service(LabDispatcher::new(bench)).limits(limits).start().expect("a server");
    let cable = Cable::to(server);
    let backoff = Backoff { most: Duration::from_secs(1), ..Backoff::default() };
    let lab = vox::connect(cable.connector()).reconnect(backoff).await.expect("a session");
    (cable, probe, lab)
}

#[tokio::test(start_paused = true)]
async fn a_call_under_way_is_answered_over_the_next_link() {
    let (cable, probe, lab) = cable().await;
    let call = tokio::spawn(lab.gate(7).into_future());
    settle().await;
    assert_eq!(probe.started.get(), 1);
    cable.cut();
    settle().await;
    probe.gate.add_permits(1);
    assert_eq!(call.await.expect("no panic"), Ok(7));
    assert_eq!((probe.started.get(), cable.links()), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn pitfall_19_the_tenth_resume_works_like_the_first() {
    let (cable, probe, lab) = cable().await;
    let second: LabClient = lab.caller().session().open().await.expect("a second connection");
    let (tx, rx) = vox::channel();
    let sum = tokio::spawn(second.sum(rx).into_future());
    for round in 0..10 {
        let call = tokio::spawn(lab.gate(round).into_future());
        settle().await;
        cable.cut();
        settle().await;
        tx.send(round).await.expect("the channel goes on");
        probe.gate.add_permits(1);
        assert_eq!(call.await.expect("no panic"), Ok(round));
        assert_eq!(second.echo(round).await, Ok(round), "every connection goes on");
    }
    tx.close();
    assert_eq!(sum.await.expect("no panic"), Ok(45));
    assert_eq!((probe.started.get(), cable.links()), (10, 11));
}

#[tokio::test(start_paused = true)]
async fn pitfall_21_calls_made_without_a_link_wait_for_one() {
    let (cable, _, lab) = cable().await;
    let server = cable.unplug();
    settle().await;
    let calls: Vec<_> = (0..200).map(|n| tokio::spawn(lab.echo(n).into_future())).collect();
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert!(calls.iter().all(|call| !call.is_finished()));
    cable.plug(server);
    for (n, call) in calls.into_iter().enumerate() {
        assert_eq!(call.await.expect("no panic"), Ok(n as u64));
    }
}

/// Wherever the link is cut, one byte further each time, in either direction, the handshakes included.
#[tokio::test(start_paused = true)]
async fn a_link_cut_at_any_byte_loses_and_doubles_nothing() {
    for at in 0..400 {
        for down in [false, true] {
            let (cable, probe, lab) = cable().await;
            let length = |at| if down { (usize::MAX, at) } else { (at, usize::MAX) };
            cable.lengths(vec![length(at % 40), length(at), length(at / 2), WHOLE]);
            cable.cut();
            let (tx, mut rx) = vox::channel();
            let counting = tokio::spawn(lab.count(20, tx).into_future());
            let (numbers, received) = vox::channel();
            let sum = tokio::spawn(lab.sum(received).into_future());
            for n in 0..20 {
                numbers.send(n).await.expect("the channel goes on");
                assert_eq!(rx.recv().await, Ok(Some(n)), "cut at {at}");
                assert_eq!(lab.echo(n).await, Ok(n), "cut at {at}");
            }
            numbers.close();
            assert_eq!(rx.recv().await, Ok(None));
            assert_eq!(counting.await.expect("no panic"), Ok(20));
            assert_eq!(sum.await.expect("no panic"), Ok(190));
            assert_eq!(probe.sent.get(), 20);
            assert!(cable.links() > 2, "cut at {at}: {} links", cable.links());
        }
    }
}

/// Nobody hears that the link is gone: the client misses the answer to its probe, the server has a link that is half open.
#[tokio::test(start_paused = true)]
async fn a_link_that_falls_silent_is_given_up_and_replaced() {
    let (cable, probe, lab) = cable().await;
    let call = tokio::spawn(lab.gate(7).timeout(Duration::from_secs(1000)).into_future());
    settle().await;
    cable.stall();
    let before = tokio::time::Instant::now();
    probe.gate.add_permits(1);
    assert_eq!(call.await.expect("no panic"), Ok(7));
    let limits = Limits::default();
    // The last word was heard a moment before.
    let waited = before.elapsed() + Duration::from_millis(5);
    assert_eq!(waited.as_secs(), (limits.keepalive + limits.keepalive_timeout).as_secs());
    assert_eq!((probe.started.get(), cable.links()), (1, 2));
}

/// Waits grow, are random, and are not waited while the session has a link.
#[tokio::test(start_paused = true)]
async fn links_are_asked_for_less_and_less_often() {
    let (cable, _, lab) = cable_with(Limits { resume_window: Duration::from_secs(1000), ..Limits::default() }).await;
    let server = cable.unplug();
    tokio::time::sleep(Duration::from_secs(100)).await;
    let attempts = cable.attempts();
    // Each waits up to a second, half of one on average.
    assert!((100..400).contains(&attempts), "{attempts} attempts in 100 seconds");
    cable.plug(server);
    assert_eq!(lab.echo(1).await, Ok(1));
    let attempts = cable.attempts();
    tokio::time::sleep(Duration::from_secs(1000)).await;
    assert_eq!(cable.attempts(), attempts);
}

/// The peer answers the handshake, and that is all: a link made again is no link that works.
#[tokio::test(start_paused = true)]
async fn a_peer_that_cuts_after_the_resume_is_asked_less_and_less_often() {
    let (cable, _, lab) = cable_with(Limits::default()).await;
    let before = cable.carried().0;
    cable.cut();
    settle().await;
    let handshake = cable.carried().0 - before;
    cable.lengths(vec![(handshake, usize::MAX); 5000]);
    let (before, began) = (cable.attempts(), tokio::time::Instant::now());
    cable.cut();
    tokio::time::sleep(Duration::from_secs(100)).await;
    let attempts = cable.attempts() - before;
    assert!((100..400).contains(&attempts), "{attempts} attempts in {:?}", began.elapsed());
    assert_eq!(cable.server().sessions(), 1, "each resumed it");
    cable.lengths(Vec::new());
    assert_eq!(lab.echo(1).await, Ok(1));
    for n in 0..10 {
        let before = tokio::time::Instant::now();
        cable.cut();
        assert_eq!(
            (lab.echo(n).await, before.elapsed()),
            (Ok(n), Duration::ZERO),
            "a link that worked is replaced at once"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_cuts_after_the_handshake_is_asked_less_and_less_often() {
    let server = Server::builder().service(LabDispatcher::new(Bench::default())).start().expect("a server");
    let cable = Cable::to(server);
    let backoff = Backoff { most: Duration::from_secs(1), ..Backoff::default() };
    let connecting = vox::connect(cable.connector()).no_resume().reconnect(backoff);
    let lab: LabClient = connecting.await.expect("a session");
    let handshake = cable.carried().1;
    cable.lengths(vec![(usize::MAX, handshake); 5000]);
    cable.cut();
    settle().await;
    let call = tokio::spawn(lab.echo(1).timeout(Duration::from_secs(1000)).into_future());
    tokio::time::sleep(Duration::from_secs(100)).await;
    let attempts = cable.attempts();
    assert!((100..400).contains(&attempts), "{attempts} attempts in 100 seconds");
    cable.lengths(Vec::new());
    assert_eq!(call.await.expect("no panic"), Ok(1));
    for n in 0..10 {
        let before = tokio::time::Instant::now();
        cable.cut();
        settle().await;
        assert_eq!(lab.echo(n).await, Ok(n), "a session that worked is replaced at once");
        assert!(before.elapsed() < Duration::from_millis(5), "{:?}", before.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_link_that_stood_for_long_is_replaced_at_once_though_nobody_needed_it() {
    let (cable, _, lab) = cable().await;
    for round in 0..20 {
        cable.cut();
        settle().await;
        assert_eq!(cable.links(), round + 2);
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    drop(lab);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_told_to_connect_once_does_so() {
    let server = Server::builder().service(LabDispatcher::new(Bench::default())).start().expect("a server");
    let cable = Cable::to(server);
    let lab: LabClient = vox::connect(cable.connector()).no_reconnect().await.expect("a session");
    let call = tokio::spawn(lab.hang().into_future());
    settle().await;
    cable.cut();
    assert_eq!(call.await.expect("no panic"), Err(VoxError::Indeterminate));
    assert!(matches!(lab.echo(1).await, Err(VoxError::NotSent(NotSent::Closed(_)))));
    assert_eq!(cable.links(), 1);
}

/// Without resume the session is lost with its link, and the next one takes its place.
#[tokio::test(start_paused = true)]
async fn a_client_without_resume_goes_on_in_the_next_session() {
    let server = Server::builder().service(LabDispatcher::new(Bench::default())).start().expect("a server");
    let cable = Cable::to(server);
    let lab: LabClient = vox::connect(cable.connector()).no_resume().await.expect("a session");
    let second: LabClient = lab.caller().session().open().await.expect("a connection");
    for round in 0..5 {
        let call = tokio::spawn(lab.hang().into_future());
        settle().await;
        cable.cut();
        assert_eq!(call.await.expect("no panic"), Err(VoxError::Indeterminate));
        assert_eq!((lab.echo(round).await, second.echo(round).await), (Ok(round), Ok(round)));
        settle().await;
        assert_eq!((cable.links() as u64, cable.server().sessions()), (round + 2, 1), "both share one");
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_its_user_closed_is_followed_by_none() {
    let (cable, _, lab) = cable().await;
    let session = lab.caller().session();
    session.close("enough");
    assert!(matches!(lab.echo(1).await, Err(VoxError::NotSent(NotSent::Closed(_)))));
    assert!(session.open::<LabClient>().await.is_err());
    assert_eq!(cable.links(), 1);
}

/// The handle is of the first session, and the peer is by now in another one that somebody else has made.
#[tokio::test(start_paused = true)]
async fn a_close_ends_the_session_that_followed_as_well() {
    let server = Server::builder().service(LabDispatcher::new(Bench::default())).start().expect("a server");
    let cable = Cable::to(server);
    let lab: LabClient = vox::connect(cable.connector()).no_resume().await.expect("a session");
    let (first, second) = (lab.caller().session(), lab.caller().session().open::<LabClient>().await.expect("open"));
    cable.cut();
    settle().await;
    assert_eq!((second.echo(1).await, cable.links()), (Ok(1), 2), "the next session");
    let call = tokio::spawn(second.hang().into_future());
    settle().await;
    first.close("enough");
    assert_eq!(call.await.expect("no panic"), Err(VoxError::Indeterminate));
    settle().await;
    assert_eq!(cable.server().sessions(), 0);
    for client in [&lab, &second] {
        assert!(matches!(client.echo(2).await, Err(VoxError::NotSent(NotSent::Closed(_)))));
    }
    assert!(first.open::<LabClient>().await.is_err());
    tokio::time::sleep(Duration::from_secs(1000)).await;
    assert_eq!((cable.links(), cable.attempts()), (2, 2), "nobody asks for a link any more");
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_the_next_session_is_told_when_it_is_closed() {
    let server = Server::builder().service(LabDispatcher::new(Bench::default())).start().expect("a server");
    let cable = Cable::to(server);
    let lab: LabClient = vox::connect(cable.connector()).no_resume().await.expect("a session");
    let session = lab.caller().session();
    let _server = cable.unplug();
    settle().await;
    let long = Duration::from_secs(3600);
    let calls: Vec<_> = (0..3).map(|n| tokio::spawn(lab.echo(n).timeout(long).into_future())).collect();
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert!(calls.iter().all(|call| !call.is_finished()));
    let (before, attempts) = (tokio::time::Instant::now(), cable.attempts());
    session.close("enough");
    for call in calls {
        assert!(matches!(call.await.expect("no panic"), Err(VoxError::NotSent(NotSent::Closed(_)))));
    }
    assert_eq!(before.elapsed(), Duration::ZERO);
    tokio::time::sleep(Duration::from_secs(1000)).await;
    assert_eq!(cable.attempts(), attempts);
}

/// The link is made, and its handshake answered, in the very step in which the user has had enough.
#[tokio::test(start_paused = true)]
async fn a_session_that_comes_up_while_it_is_closed_is_closed_too() {
    let far = Arc::new(Mutex::new(Vec::new()));
    let session: Arc<Mutex<Option<Session>>> = Arc::default();
    let (ends, closing) = (Arc::clone(&far), Arc::clone(&session));
    let connector = Connector::new("raw", move || {
        if let Some(session) = &*closing.lock().expect("no panic") {
            session.close("enough");
        }
        let ends = Arc::clone(&ends);
        async move {
            let (ours, theirs) = tokio::io::duplex(4096);
            let mut peer = Raw::new(theirs);
            peer.send(&raw::welcome(raw::LIMITS)).await;
            ends.lock().expect("no panic").push(peer);
            Ok(Link::new(ours, "raw"))
        }
    });
    let held = Session::connect(connector).await.expect("a session");
    *session.lock().expect("no panic") = Some(held.clone());
    drop(far.lock().expect("no panic").pop());
    settle().await;
    let opening = tokio::time::timeout(Duration::from_secs(10), held.open::<LabClient>());
    assert!(opening.await.expect("it is told").is_err());
    let mut peer = far.lock().expect("no panic").pop().expect("the second link");
    assert_eq!(peer.read_kind(raw::HELLO).await.kind, raw::HELLO);
    assert_eq!(peer.read().await.map(|frame| frame.kind), Some(raw::GOODBYE));
}

/// A client that goes away while it has no link leaves nothing running.
#[tokio::test(start_paused = true)]
async fn a_client_that_is_dropped_without_a_link_asks_for_no_more() {
    let (cable, _, lab) = cable().await;
    let server = cable.unplug();
    tokio::time::sleep(Duration::from_secs(5)).await;
    drop(lab);
    settle().await;
    let attempts = cable.attempts();
    tokio::time::sleep(Duration::from_secs(500)).await;
    assert_eq!((cable.attempts(), server.sessions()), (attempts, 0));
}

#[vox::service]
trait Whereabouts {
    async fn address(&self, cx: &vox::Context) -> String;
}

struct Doorman;

impl Whereabouts for Doorman {
    async fn address(&self, cx: &vox::Context) -> String {
        cx.peer().address().to_owned()
    }
}

#[tokio::test(start_paused = true)]
async fn pitfall_23_a_peer_is_where_the_link_leads_whatever_it_says() {
    let server = Server::builder().service(WhereaboutsDispatcher::new(Doorman)).start().expect("a server");
    let cable = Cable::to(server);
    let connecting = vox::connect(cable.connector()).metadata("address", "tcp://10.0.0.1:1").metadata("peer", "me");
    let client: WhereaboutsClient = connecting.await.expect("a session");
    assert_eq!(client.address().await.as_deref(), Ok("cable"));
    cable.cut();
    assert_eq!(client.address().await.as_deref(), Ok("cable"), "over the next link as well");
}
