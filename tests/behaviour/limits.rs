//! Limits: kept by waiting or by refusing, before anything is sent.

use std::time::Duration;

use vox::transport::Link;
use vox::{
    ConnectError, Limits, Metadata, NotSent, OpenError, Ran, RecvError, SendError, ServeError, Server, Session,
    VoxError,
};

use crate::lab::{LabClient, lab, lab_with, serve};
use crate::support::raw::{self, Raw};
use crate::support::settle;

/// Callers wait for their turn, and take it in the order in which they came.
// proves: limit.calls
#[tokio::test(start_paused = true)]
async fn pitfall_16_callers_never_exceed_the_announced_calls_and_wait_in_order() {
    let (lab, probe) = lab_with(Limits { max_calls: 3, ..Limits::default() }).await;
    let mut calls = Vec::new();
    for n in 0..10 {
        calls.push(tokio::spawn(lab.gate(n).into_future()));
        settle().await;
    }
    assert_eq!(probe.started.get(), 3);
    for done in 1..=10 {
        probe.gate.add_permits(1);
        settle().await;
        assert_eq!(probe.started.get(), (3 + done).min(10));
    }
    for (n, call) in calls.into_iter().enumerate() {
        assert_eq!(call.await.expect("no panic"), Ok(n as u64));
    }
    assert_eq!(*probe.order.lock().expect("no panic"), (0..10).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn two_slots_that_are_free_at_once_are_taken_at_once() {
    let (lab, probe) = lab_with(Limits { max_calls: 2, ..Limits::default() }).await;
    let calls: Vec<_> = (0..6).map(|n| tokio::spawn(lab.gate(n).into_future())).collect();
    settle().await;
    for started in [4, 6] {
        probe.gate.add_permits(2);
        settle().await;
        assert_eq!(probe.started.get(), started);
    }
    probe.gate.add_permits(2);
    for call in calls {
        assert!(call.await.expect("no panic").is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn a_waiting_call_that_is_dropped_when_its_turn_came_leaves_the_turn_to_the_next() {
    let (lab, probe) = lab_with(Limits { max_calls: 1, ..Limits::default() }).await;
    let first = tokio::spawn(lab.gate(1).into_future());
    settle().await;
    let mut second = Box::pin(lab.gate(2).into_future());
    assert!(std::future::poll_fn(|cx| std::task::Poll::Ready(second.as_mut().poll(cx))).await.is_pending());
    let third = tokio::spawn(lab.echo(3).into_future());
    settle().await;
    probe.gate.add_permits(1);
    assert_eq!(first.await.expect("no panic"), Ok(1));
    settle().await;
    assert!(!third.is_finished(), "it is the second's turn");
    drop(second);
    assert_eq!(third.await.expect("no panic"), Ok(3));
}

// proves: limit.channels
#[tokio::test(start_paused = true)]
async fn calls_with_channels_wait_for_room_and_those_without_go_before_them() {
    let (lab, probe) = lab_with(Limits { max_channels: 2, ..Limits::default() }).await;
    let (kept, first) = vox::channel();
    let (also, second) = vox::channel();
    let (third_tx, third) = vox::channel::<u64>();
    let one = tokio::spawn(lab.holding(first).into_future());
    let two = tokio::spawn(lab.holding(second).into_future());
    settle().await;
    let three = tokio::spawn(lab.holding(third).into_future());
    settle().await;
    let (fourth_tx, fourth) = vox::channel::<u64>();
    let four = tokio::spawn(lab.holding(fourth).into_future());
    settle().await;
    assert_eq!(lab.echo(5).await, Ok(5));
    assert_eq!(probe.started.get(), 2);
    kept.close();
    settle().await;
    assert_eq!(probe.started.get(), 3);
    four.abort();
    drop((also, third_tx, fourth_tx));
    for call in [one, two, three] {
        call.abort();
    }
    settle().await;
    assert_eq!(probe.stopped.get(), 3);
}

#[tokio::test(start_paused = true)]
async fn more_channels_in_one_call_than_there_can_be_are_refused() {
    let (lab, _) = lab_with(Limits { max_channels: 0, ..Limits::default() }).await;
    let (tx, rx) = vox::channel();
    assert!(matches!(lab.sum(rx).await, Err(VoxError::NotSent(NotSent::TooLarge(_)))));
    assert!(matches!(tx.send(1).await, Err(SendError::NotBound(_))));
    assert_eq!(lab.echo(1).await, Ok(1));
}

// proves: limit.message
#[tokio::test(start_paused = true)]
async fn a_caller_with_a_smaller_limit_is_obeyed_too() {
    // The peer announces two calls at most, and sees that no third comes before a reply.
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let mut limits = raw::LIMITS;
    limits[2] = 2;
    let accept = tokio::spawn(Raw::accept(theirs, limits));
    let lab: LabClient = vox::connect(Link::new(ours, "raw")).await.expect("welcome");
    let mut peer = accept.await.expect("no panic");
    let calls: Vec<_> = (0..5).map(|n| tokio::spawn(lab.echo(n).into_future())).collect();
    for round in 0..5u64 {
        settle().await;
        let call = match round {
            0 => {
                peer.read_kind(raw::CALL).await;
                peer.read_kind(raw::CALL).await;
                1
            }
            round if round < 4 => {
                peer.read_kind(raw::CALL).await;
                2 * round + 1
            }
            round => 2 * round + 1,
        };
        peer.send(&raw::frame(raw::REPLY).var(1).var(call).u8(0).var(round)).await;
    }
    for (n, call) in calls.into_iter().enumerate() {
        assert_eq!(call.await.expect("no panic"), Ok(n as u64));
    }
}

// proves: limit.message
#[tokio::test(start_paused = true)]
async fn arguments_over_the_peers_limit_are_refused_before_they_are_sent() {
    let (lab, _) = lab_with(Limits { max_message_bytes: 1 << 10, ..Limits::default() }).await;
    let error = lab.size(&[0; 2000]).await.expect_err("too large");
    assert!(matches!(&error, VoxError::NotSent(NotSent::TooLarge(what)) if what.contains("`bytes` of `Lab::size`")));
    assert_eq!(error.ran(), Ran::No);
    for len in 900..1100 {
        match lab.size(&vec![0; len]).await {
            Ok(size) => assert_eq!(size, len as u64),
            Err(VoxError::NotSent(NotSent::TooLarge(_))) => assert!(len > 940, "{len}"),
            other => panic!("at the edge: {other:?} for {len}"),
        }
        // With metadata, which counts too.
        match lab.size(&vec![0; len - 100]).metadata("k", "v".repeat(90)).await {
            Ok(size) => assert_eq!(size, len as u64 - 100),
            Err(VoxError::NotSent(NotSent::TooLarge(_))) => assert!(len > 940, "{len}"),
            other => panic!("at the edge: {other:?} for {len}"),
        }
    }
    assert_eq!(lab.echo(1).await, Ok(1));
}

// proves: call.response.limit
#[tokio::test(start_paused = true)]
async fn a_response_over_the_callers_limit_is_an_invalid_response() {
    let (ours, theirs) = vox::transport::memory_pair();
    serve(theirs, crate::lab::Bench::default(), Limits::default());
    let limits = Limits { max_message_bytes: 1 << 10, ..Limits::default() };
    let lab: LabClient = vox::connect(ours).limits(limits).await.expect("a session");
    let error = lab.big(5000).await.expect_err("too large");
    assert!(matches!(error, VoxError::InvalidResponse(_)), "{error:?}");
    assert_eq!(error.ran(), Ran::Yes);
    for len in 900..1100 {
        match lab.big(len).await {
            Ok(bytes) => assert_eq!(bytes.len() as u64, len),
            Err(VoxError::InvalidResponse(_)) => assert!(len > 940, "{len}"),
            other => panic!("at the edge: {other:?} for {len}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_item_over_the_peers_limit_is_refused_and_the_channel_goes_on() {
    let (ours, theirs) = crate::support::undescribed::undescribed_pair();
    serve(theirs, crate::lab::Bench::default(), Limits { max_message_bytes: 1 << 10, ..Limits::default() });
    let lab: TextsClient = vox::connect(ours).await.expect("a session");
    let (tx, rx) = vox::channel();
    let call = tokio::spawn(lab.sum(rx).into_future());
    assert!(matches!(tx.send(vec![7; 5000]).await, Err(SendError::InvalidItem(_))));
    assert!(matches!(tx.try_send(vec![7; 5000]), Err(vox::TrySendError::Closed(SendError::InvalidItem(_)))));
    assert_eq!(tx.send(vec![]).await, Ok(()));
    tx.close();
    // A vector of no bytes is the byte 0: the same as the number.
    assert_eq!(call.await.expect("no panic"), Ok(0));
}

#[vox::service(name = "Lab")]
trait Texts {
    async fn sum(&self, numbers: vox::Rx<Vec<u8>>) -> u64;
}

#[tokio::test(start_paused = true)]
async fn metadata_over_a_limit_is_refused_before_it_is_sent() {
    let (lab, _) = lab().await;
    assert!(matches!(lab.echo(1).metadata("k", "v".repeat(9000)).await, Err(VoxError::NotSent(NotSent::TooLarge(_)))));
    assert!(matches!(lab.echo(1).metadata("", "v").await, Err(VoxError::NotSent(NotSent::TooLarge(_)))));
    let mut metadata = Metadata::new();
    for n in 0..65 {
        metadata.insert(n.to_string(), "");
    }
    let session = vox::Client::caller(&lab).session();
    let opened = session.open_with::<LabClient>(metadata).await;
    assert!(matches!(opened, Err(OpenError::Metadata { .. })), "{opened:?}");
    assert_eq!(lab.echo(1).await, Ok(1));
}

// proves: limit.connections
#[tokio::test(start_paused = true)]
async fn connections_past_the_peers_limit_are_refused_before_they_are_asked_for() {
    let (ours, theirs) = vox::transport::memory_pair();
    serve(theirs, crate::lab::Bench::default(), Limits { max_connections: 2, ..Limits::default() });
    let session = Session::connect(ours).await.expect("a session");
    let one: LabClient = session.open().await.expect("room");
    let two: LabClient = session.open().await.expect("room");
    let Err(OpenError::Refused { refusal, .. }) = session.open::<LabClient>().await else { panic!("no room") };
    assert_eq!(refusal.code, vox::RefusalCode::Busy);
    assert!(
        refusal.reason.contains("2 connections") && refusal.reason.contains("`Limits::max_connections`"),
        "{refusal}"
    );
    drop(two);
    let three: LabClient = session.open().await.expect("room again");
    assert_eq!((one.echo(1).await, three.echo(3).await), (Ok(1), Ok(3)));
}

/// Calls and items wait while the peer does not read, in bounded memory; and go on before the outbox is empty.
#[tokio::test(start_paused = true)]
async fn senders_wait_for_a_full_outbox_and_go_on_while_it_is_still_in_use() {
    let (ours, theirs) = tokio::io::duplex(1 << 10);
    let mut limits = raw::LIMITS;
    (limits[4], limits[5]) = (1 << 30, 1 << 30);
    let accept = tokio::spawn(Raw::accept(theirs, limits));
    let lab: LabClient = vox::connect(Link::new(ours, "raw")).await.expect("welcome");
    let mut peer = accept.await.expect("no panic");
    let (tx, rx) = vox::channel::<u64>();
    let _call = tokio::spawn(lab.sum(rx).into_future());
    let sent = crate::support::Count::default();
    let counted = sent.clone();
    let _sender = tokio::spawn(async move {
        while tx.send(u64::MAX).await.is_ok() {
            counted.add();
        }
    });
    settle().await;
    let full = sent.get();
    let bytes = full * 11;
    assert!((390 << 10..450 << 10).contains(&bytes), "about the outbox's high-water mark: {bytes}");
    let waiting = tokio::spawn(lab.echo(1).into_future());
    settle().await;
    // Read more than half of it, with something new in the outbox all the time.
    let mut read = 0;
    while read < 250 << 10 {
        peer.send(&raw::frame(raw::PING).var(7)).await;
        let frame = peer.read().await.expect("more");
        read += frame.body.len() + 5;
    }
    settle().await;
    assert!(sent.get() > full, "the sender goes on");
    assert!(!waiting.is_finished());
}

#[tokio::test(start_paused = true)]
async fn persist_calls_past_the_limit_of_those_that_run_on_are_answered_busy() {
    let (lab, probe) = lab_with(Limits { max_detached: 2, ..Limits::default() }).await;
    for _ in 0..2 {
        let call = tokio::spawn(lab.persist(1_000).into_future());
        settle().await;
        call.abort();
        settle().await;
    }
    let error = lab.persist(1_000).await.expect_err("two run on already");
    assert_eq!((error.ran(), &error), (Ran::No, &VoxError::Busy));
    let VoxError::Busy { short, .. } = error else { panic!("busy") };
    assert_eq!((short.limit(), short.needed(), short.most()), (Some("max_detached"), Some(3), Some(2)));
    assert!(!short.is_shutdown());
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(probe.finished.get(), 2);
    assert_eq!(lab.persist(1).await, Ok(1));
}

/// A peer that does not count what its messages decode to is refused by the one that decodes them.
// proves: limit.decoded
#[tokio::test(start_paused = true)]
async fn what_decodes_to_too_much_is_refused_by_its_receiver() {
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let accept = tokio::spawn(Raw::accept(theirs, raw::LIMITS));
    let limits = Limits { max_decoded_bytes: 100, ..Limits::default() };
    let lab: LabClient = vox::connect(Link::new(ours, "raw")).limits(limits).await.expect("welcome");
    let mut peer = accept.await.expect("no panic");
    let (tx, mut rx) = vox::channel();
    let call = tokio::spawn(lab.bytes(3, 101, tx).into_future());
    peer.read_kind(raw::CALL).await;
    let item = |len: u64| raw::frame(raw::ITEMS).var(1).var(1).var(len + 1).var(len).bytes(&vec![7; len as usize]);
    peer.send(&item(100)).await;
    assert_eq!(rx.recv().await.expect("within the limit").map(|item| item.len()), Some(100));
    peer.send(&item(101)).await;
    let error = rx.recv().await.expect_err("over the limit");
    assert!(matches!(error, RecvError::BadItem { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("101 bytes") && text.contains("100 bytes") && text.contains("max_decoded_bytes"), "{text}");
    peer.send(&raw::frame(raw::REPLY).var(1).var(1).u8(0)).await;
    assert_eq!(call.await.expect("no panic"), Ok(()));
    let call = tokio::spawn(lab.big(1000).into_future());
    peer.read_kind(raw::CALL).await;
    peer.send(&raw::frame(raw::REPLY).var(1).var(3).u8(0).var(101).bytes(&[7; 101])).await;
    let error = call.await.expect("no panic").expect_err("over the limit");
    assert_eq!((error.kind(), error.ran()), ("invalid-response", Ran::Yes));
    assert!(error.to_string().contains("max_decoded_bytes"), "{error}");
}

/// `connect`, `bind` and `start` refuse a limit that is out of range, and do nothing else.
#[tokio::test(start_paused = true)]
async fn limits_that_cannot_be_kept_are_refused_wherever_they_are_given() {
    let odd = || Limits { max_calls: 0, ..Limits::default() };
    let builder = || Server::builder().limits(odd());
    let text = "`Limits::max_calls` is 0; it may be 1 to 1,048,576";
    let (_near, far) = vox::transport::memory_pair();
    let served = [
        builder().bind("mem://odd-limits").await.map(drop),
        builder().bind("tcp://127.0.0.1:0").await.map(drop),
        builder().start().map(drop),
        builder().serve_link(far).await,
    ];
    for result in served {
        let error = result.expect_err("no server with such limits");
        assert!(matches!(&error, ServeError::Limit(error) if error.limit() == "max_calls"), "{error:?}");
        assert_eq!(error.to_string(), text);
    }
    let (near, _far) = vox::transport::memory_pair();
    let connected = [
        // Nobody listens there: it is not even tried.
        vox::connect::<Session>("mem://odd-limits").limits(odd()).await.map(drop),
        vox::connect::<Session>("mem://odd-limits").limits(odd()).lazy().map(drop),
        vox::connect::<Session>(near).limits(odd()).await.map(drop),
        vox::connect::<Session>(builder()).await.map(drop),
    ];
    for result in connected {
        let error = result.expect_err("no session with such limits");
        assert!(matches!(&error, ConnectError::Limit(error) if error.limit() == "max_calls"), "{error:?}");
        assert_eq!(error.to_string(), text);
    }
}

/// The smallest that limits may be: a session under them works.
#[tokio::test(start_paused = true)]
async fn a_session_under_the_smallest_limits_works() {
    let least = Limits {
        max_message_bytes: 256,
        max_decoded_bytes: 256,
        max_handshake_bytes: 256,
        max_pending_handshakes: 1,
        max_sessions: 1,
        max_connections: 1,
        max_calls: 1,
        max_channels: 1,
        channel_items: 1,
        channel_bytes: 1,
        max_partial_messages: 1,
        max_partial_bytes: 0,
        outbox_bytes: 1,
        outbox_long_bytes: 1,
        replay_bytes: 2 << 20,
        session_memory: 64 << 10,
        max_detached_sessions: 0,
        max_detached: 1,
        max_server_detached: 1,
        resume_window: Duration::ZERO,
        link_wait: Duration::ZERO,
        ..Limits::default()
    };
    let (ours, theirs) = vox::transport::memory_pair();
    serve(theirs, crate::lab::Bench::default(), least.clone());
    let lab: LabClient = vox::connect(ours).limits(least).await.expect("a session");
    assert_eq!(tokio::join!(lab.echo(1), lab.echo(2), lab.echo(3)), (Ok(1), Ok(2), Ok(3)));
    let (numbers, rx) = vox::channel();
    let call = lab.sum(rx);
    let sending = async {
        for n in 1..=10 {
            numbers.send(n).await.expect("read");
        }
        numbers.close();
    };
    assert_eq!(tokio::join!(call, sending).0, Ok(55));
}

/// Limits of centuries, and the largest counts: nothing overflows, and nothing is allocated for them.
#[tokio::test(start_paused = true)]
async fn a_session_under_the_largest_limits_works() {
    let most = Limits {
        max_message_bytes: 64 << 20,
        max_decoded_bytes: 1 << 40,
        max_handshake_bytes: 1 << 20,
        max_pending_handshakes: 1 << 24,
        max_sessions: 1 << 24,
        max_connections: 1 << 10,
        max_calls: 1 << 20,
        max_channels: 1 << 20,
        channel_items: 1 << 31,
        channel_bytes: 1 << 31,
        max_partial_messages: 1 << 20,
        max_partial_bytes: 1 << 40,
        outbox_bytes: 1 << 40,
        outbox_long_bytes: 1 << 40,
        write_stall: Duration::MAX,
        keepalive: Duration::MAX,
        idle_keepalive: Duration::MAX,
        keepalive_timeout: Duration::MAX,
        call_timeout: Duration::MAX,
        resume_window: Duration::MAX,
        link_wait: Duration::MAX,
        replay_bytes: 1 << 40,
        session_memory: 1 << 40,
        max_detached_sessions: 1 << 24,
        max_detached: 1 << 24,
        max_server_detached: 1 << 24,
        ..Limits::default()
    };
    let (ours, theirs) = vox::transport::memory_pair();
    serve(theirs, crate::lab::Bench::default(), most.clone());
    let lab: LabClient = vox::connect(ours).limits(most).await.expect("a session");
    assert_eq!(tokio::join!(lab.echo(1), lab.echo(2), lab.echo(3)), (Ok(1), Ok(2), Ok(3)));
    let (numbers, rx) = vox::channel();
    let call = lab.sum(rx);
    let sending = async {
        for n in 1..=1000 {
            numbers.send(n).await.expect("read");
        }
        numbers.close();
    };
    assert_eq!(tokio::join!(call, sending).0, Ok(500_500));
}
