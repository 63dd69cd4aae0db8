//! A call is a future like any other: it is spawned, joined, selected and polled by hand, and told nothing after its first poll.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use tokio::task::JoinSet;
use vox::{Limits, NotSent, Ran, Server, VoxError};

use crate::lab::{Bench, LabClient, LabDispatcher, lab, lab_with};
use crate::support::settle;

/// Polls `future` once.
async fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(Pin::new(&mut *future).poll(cx))).await
}

/// What a spawned task must be.
fn is_task<F: Future + Send + Unpin + 'static>(call: F) -> F {
    call
}

#[tokio::test(start_paused = true)]
async fn calls_are_spawned_and_joined_as_they_are() {
    let (lab, _) = lab().await;
    let call: vox::Call<u64> = lab.echo(1);
    let spawned = tokio::spawn(is_task(call));
    let (two, three) = tokio::join!(lab.echo(2), lab.name("three"));
    assert_eq!((spawned.await.expect("no panic"), two, three.as_deref()), (Ok(1), Ok(2), Ok("three")));
    let mut set = JoinSet::new();
    for n in 0..10 {
        set.spawn(lab.echo(n).timeout(Duration::from_secs(1)));
    }
    let mut answers: Vec<_> = set.join_all().await.into_iter().map(|answer| answer.expect("an echo")).collect();
    answers.sort_unstable();
    assert_eq!(answers, (0..10).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn connections_are_spawned_joined_and_selected_as_they_are() {
    let builder = Server::builder().service(LabDispatcher::new(Bench::default()));
    let to = || vox::connect::<LabClient>("mem://futures-connect").wait();
    let spawned = tokio::spawn(is_task(to()));
    let mut waiting = to();
    tokio::select! {
        _ = &mut waiting => panic!("nobody listens yet"),
        () = tokio::time::sleep(Duration::from_secs(1)) => {}
    }
    let server = builder.bind("mem://futures-connect").await.expect("the name is free");
    let (waited, once) = tokio::join!(waiting, vox::connect::<LabClient>(server.address()));
    for lab in [spawned.await.expect("no panic"), waited, once] {
        assert_eq!(lab.expect("a session").echo(1).await, Ok(1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_in_a_select_goes_on_where_it_was() {
    let (lab, probe) = lab().await;
    let mut gate = lab.gate(7);
    for _ in 0..3 {
        tokio::select! {
            _ = &mut gate => panic!("the gate is shut"),
            () = tokio::time::sleep(Duration::from_millis(10)) => {}
        }
    }
    assert_eq!((probe.started.get(), probe.stopped.get()), (1, 0), "it was made once");
    probe.gate.add_permits(1);
    assert_eq!(gate.await, Ok(7));
}

// proves: guide.drop
#[tokio::test(start_paused = true)]
async fn the_first_poll_sends_a_call_and_dropping_it_cancels_it() {
    let (lab, probe) = lab().await;
    let mut call = lab.hang();
    settle().await;
    assert_eq!(probe.started.get(), 0, "it is only made");
    assert!(poll_once(&mut call).await.is_pending());
    settle().await;
    assert_eq!((probe.started.get(), probe.stopped.get()), (1, 0));
    drop(call);
    settle().await;
    assert_eq!(probe.stopped.get(), 1);
}

// proves: guide.told-late
#[tokio::test(start_paused = true)]
async fn a_call_that_is_told_something_after_it_was_sent_is_cancelled() {
    let (lab, probe) = lab_with(Limits { max_calls: 1, ..Limits::default() }).await;
    let mut call = lab.hang();
    assert!(poll_once(&mut call).await.is_pending());
    settle().await;
    let late = call.metadata("tenant", "acme").timeout(Duration::from_secs(1));
    settle().await;
    assert_eq!((probe.started.get(), probe.stopped.get()), (1, 1), "the handler is stopped at once");
    let error = late.await.expect_err("told too late");
    assert_eq!((error.ran(), error), (Ran::Unknown, VoxError::Cancelled));
    assert_eq!(lab.echo(1).await, Ok(1), "its slot is free");
}

// proves: guide.told-late
#[tokio::test(start_paused = true)]
async fn a_call_that_is_told_something_while_it_waits_for_its_turn_is_not_sent() {
    let (lab, probe) = lab_with(Limits { max_calls: 1, ..Limits::default() }).await;
    let mut first = lab.gate(1);
    let mut second = lab.echo(2);
    assert!(poll_once(&mut first).await.is_pending());
    assert!(poll_once(&mut second).await.is_pending());
    let error = second.timeout(Duration::from_secs(1)).await.expect_err("told too late");
    let VoxError::NotSent(NotSent::InvalidArgument(why)) = &error else { panic!("{error:?}") };
    assert!(why.contains("`.timeout(…)`") && why.contains("`Lab::echo`"), "{why}");
    assert_eq!(error.ran(), Ran::No);
    let third = lab.echo(3);
    probe.gate.add_permits(1);
    let (first, third) = tokio::join!(first, third);
    assert_eq!((first, third), (Ok(1), Ok(3)), "it has left the queue");
}

#[tokio::test(start_paused = true)]
async fn what_a_call_is_told_after_its_end_harms_nobody() {
    let (lab, _) = lab().await;
    let mut call = pin!(lab.echo(1));
    assert_eq!(call.as_mut().await, Ok(1));
    drop(lab.echo(2).timeout(Duration::ZERO));
    let mut over = lab.echo(3);
    while poll_once(&mut over).await.is_pending() {
        settle().await;
    }
    drop(over.timeout(Duration::from_secs(1)).operation(vox::OperationId::new()));
    assert_eq!(lab.echo(4).await, Ok(4));
}
