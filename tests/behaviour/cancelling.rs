//! Calls that are dropped, or run out of time.

use std::time::Duration;

use vox::{Limits, NotSent, Ran, VoxError};

use crate::lab::{Bench, LabClient, LabDispatcher, chain, lab, lab_with, serve};
use crate::support::settle;

const SOON: Duration = Duration::from_millis(50);

#[tokio::test(start_paused = true)]
async fn dropping_a_call_stops_its_handler_at_the_next_await() {
    let (lab, probe) = lab().await;
    let call = tokio::spawn(lab.hang().into_future());
    settle().await;
    assert_eq!((probe.started.get(), probe.stopped.get()), (1, 0));
    call.abort();
    settle().await;
    assert_eq!(probe.stopped.get(), 1);
}

/// A dropped call's slot is free again, once its handler has ended.
#[tokio::test(start_paused = true)]
async fn pitfall_15_dropping_calls_leaks_no_slot() {
    let (lab, probe) = lab_with(Limits { max_calls: 2, ..Limits::default() }).await;
    for _ in 0..50 {
        let call = tokio::spawn(lab.hang().into_future());
        settle().await;
        call.abort();
    }
    assert_eq!(lab.echo(1).await, Ok(1));
    assert_eq!((probe.started.get(), probe.stopped.get()), (50, 50));
}

// proves: guide.deadline.stops
#[tokio::test(start_paused = true)]
async fn a_deadline_ends_the_call_and_stops_its_handler() {
    let (lab, probe) = lab().await;
    let error = lab.hang().timeout(SOON).await.expect_err("too late");
    assert_eq!(error, VoxError::DeadlineExceeded);
    assert_eq!(error.ran(), Ran::Unknown);
    settle().await;
    assert_eq!((probe.started.get(), probe.stopped.get()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_reaches_two_services_deep() {
    let (lab, near, far) = chain().await;
    assert_eq!(lab.relay_hang().timeout(SOON).await, Err(VoxError::DeadlineExceeded));
    settle().await;
    assert_eq!((near.started.get(), near.stopped.get()), (1, 1));
    assert_eq!((far.started.get(), far.stopped.get()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_call_inside_a_handler_gets_the_time_that_its_handler_has_left() {
    let (lab, _, _) = chain().await;
    let left = lab.relay_millis_left().timeout(SOON).await.expect("in time").expect("a deadline");
    assert!(left <= 50, "{left}");
    let left = lab.relay_millis_left().await.expect("in time").expect("a deadline");
    assert!(left > 50, "the default: {left}");
}

#[tokio::test(start_paused = true)]
async fn a_cancel_reaches_two_services_deep() {
    let (lab, near, far) = chain().await;
    let call = tokio::spawn(lab.relay_hang().into_future());
    settle().await;
    assert_eq!((near.started.get(), far.started.get()), (1, 1));
    call.abort();
    settle().await;
    assert_eq!((near.stopped.get(), far.stopped.get()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_for_its_turn_can_be_cancelled() {
    let (lab, probe) = lab_with(Limits { max_calls: 1, ..Limits::default() }).await;
    let first = tokio::spawn(lab.gate(1).into_future());
    settle().await;
    let second = tokio::spawn(lab.gate(2).into_future());
    let third = tokio::spawn(lab.gate(3).into_future());
    settle().await;
    second.abort();
    probe.gate.add_permits(2);
    assert_eq!(first.await.expect("no panic"), Ok(1));
    assert_eq!(third.await.expect("no panic"), Ok(3));
    assert_eq!(*probe.order.lock().expect("no panic"), [1, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_passes_in_the_queue_says_that_the_call_was_not_sent() {
    let (lab, probe) = lab_with(Limits { max_calls: 1, ..Limits::default() }).await;
    let first = tokio::spawn(lab.gate(1).into_future());
    settle().await;
    let error = lab.echo(1).timeout(SOON).await.expect_err("no turn");
    let what = "a free slot, of which the peer has 1 for a connection (its `Limits::max_calls`)";
    assert_eq!(error, VoxError::NotSent(NotSent::Waited(what.to_owned().into())));
    assert_eq!(error.ran(), Ran::No);
    probe.gate.add_permits(1);
    assert_eq!(first.await.expect("no panic"), Ok(1));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_never_polled_is_never_made() {
    let (lab, probe) = lab().await;
    drop(lab.hang());
    drop(lab.hang().into_future());
    settle().await;
    assert_eq!(probe.started.get(), 0);
}

/// What an aborted handler drops takes the session's lock: a call on the same session, and its connection.
#[tokio::test(start_paused = true)]
async fn pitfall_26_a_handler_whose_drop_uses_its_own_session_can_be_aborted() {
    let (ours, theirs) = vox::transport::memory_pair();
    let (there, here) = (Bench::default(), Bench::default());
    let (far, near) = (there.probe.clone(), here.probe.clone());
    serve(theirs, there, Limits::default());
    let lab: LabClient = vox::connect(ours).serving(LabDispatcher::new(here)).await.expect("a session");
    for n in 1..=20 {
        let call = tokio::spawn(lab.call_back_hang().into_future());
        settle().await;
        assert_eq!((far.started.get(), near.started.get()), (n, n));
        call.abort();
        settle().await;
        assert_eq!((far.stopped.get(), near.stopped.get()), (n, n));
    }
    let late = lab.call_back_hang().timeout(SOON).await;
    assert_eq!(late, Err(VoxError::DeadlineExceeded));
    assert_eq!(lab.echo(1).await, Ok(1));
}

/// The timer that was set for a call that ended in time fires for nothing; the next one must still be set.
#[tokio::test(start_paused = true)]
async fn a_deadline_holds_after_an_earlier_timer_fired_for_nothing() {
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let peer = tokio::spawn(async move {
        let mut peer = crate::support::raw::Raw::accept(theirs, crate::support::raw::LIMITS).await;
        // Answers one call, with 1, and is silent from then on.
        let call = peer.read_kind(crate::support::raw::CALL).await;
        let mut fields = call.reader();
        let (connection, request) = (fields.var(), fields.var());
        let reply = crate::support::raw::frame(crate::support::raw::REPLY).var(connection).var(request);
        peer.send(&reply.u8(0).var(1)).await;
        while peer.read().await.is_some() {}
    });
    let raw: LabClient = vox::connect(vox::transport::Link::new(ours, "raw")).await.expect("welcome");
    assert_eq!(raw.echo(1).timeout(SOON).await, Ok(1));
    tokio::time::sleep(Duration::from_secs(60)).await;
    let before = tokio::time::Instant::now();
    assert_eq!(raw.echo(2).timeout(SOON).await, Err(VoxError::DeadlineExceeded));
    assert!(before.elapsed() < Duration::from_secs(1), "{:?}", before.elapsed());
    drop(raw);
    peer.await.expect("no panic");
}
