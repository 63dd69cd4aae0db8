//! Operations of methods whose outcome is not kept: they are known within their session.

use std::time::Duration;

use vox::{Client, VoxError};

use crate::lab::{id, lab};
use crate::support::settle;

#[tokio::test(start_paused = true)]
async fn attempts_in_one_session_share_one_run_and_its_outcome() {
    let (lab, client) = lab().await;
    let id = id();
    let one = tokio::spawn(client.plain(10).operation(id).into_future());
    let two = tokio::spawn(client.plain(10).operation(id).into_future());
    settle().await;
    assert_eq!(client.plain(11).operation(id).await, Err(VoxError::OperationConflict));
    assert_eq!(client.plain_explode().operation(id).await, Err(VoxError::OperationConflict));
    lab.bench.gate.add_permits(1);
    assert_eq!(one.await.expect("no panic"), Ok(11));
    assert_eq!(two.await.expect("no panic"), Ok(11));
    assert_eq!(client.plain(10).operation(id).await, Ok(11), "what is over is replayed");
    assert_eq!(client.plain(11).operation(id).await, Err(VoxError::OperationConflict));
    assert_eq!(lab.bench.started.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn another_session_knows_nothing_of_them() {
    let (lab, client) = lab().await;
    let id = id();
    lab.bench.gate.add_permits(2);
    assert_eq!(client.plain(10).operation(id).await, Ok(11));
    assert_eq!(lab.client().await.plain(10).operation(id).await, Ok(12));
}

#[tokio::test(start_paused = true)]
async fn one_that_leaves_leaves_alone_and_the_last_takes_the_handler_with_it() {
    let (lab, client) = lab().await;
    let id = id();
    let mut attempts: Vec<_> = (0..3).map(|_| tokio::spawn(client.plain(10).operation(id).into_future())).collect();
    settle().await;
    assert_eq!(lab.bench.started.get(), 1);
    attempts.remove(0).abort();
    settle().await;
    attempts.remove(0).abort();
    settle().await;
    assert_eq!(lab.bench.stopped.get(), 0, "one still waits");
    attempts.remove(0).abort();
    settle().await;
    assert_eq!((lab.bench.stopped.get(), lab.bench.finished.get()), (1, 0));
    assert_eq!(client.plain(10).operation(id).await, Err(VoxError::Indeterminate), "it is not run again");
    assert_eq!(lab.bench.started.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_stops_the_handler_that_nobody_else_waits_for() {
    let limits = vox::Limits { max_calls: 1, ..vox::Limits::default() };
    let lab = crate::lab::Lab::with(|builder| builder.limits(limits)).await;
    let client = lab.client().await;
    for _ in 0..5 {
        let late = client.plain(10).operation(id()).timeout(Duration::from_millis(50)).await;
        assert_eq!(late, Err(VoxError::DeadlineExceeded));
        settle().await;
    }
    assert_eq!((lab.bench.started.get(), lab.bench.stopped.get()), (5, 5));
    assert_eq!(client.again(1).await, Ok(7), "the slot is free");
}

#[tokio::test(start_paused = true)]
async fn a_session_that_ends_takes_their_handlers_with_it() {
    let (lab, client) = lab().await;
    let call = tokio::spawn(client.plain(10).operation(id()).into_future());
    settle().await;
    client.caller().session().close("gone");
    assert_eq!(call.await.expect("no panic"), Err(VoxError::Indeterminate));
    settle().await;
    assert_eq!((lab.bench.started.get(), lab.bench.stopped.get()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_remembered() {
    let (lab, client) = lab().await;
    let id = id();
    assert_eq!(client.plain_explode().operation(id).await, Err(VoxError::Panicked));
    assert_eq!(client.plain_explode().operation(id).await, Err(VoxError::Indeterminate));
    assert_eq!(lab.bench.started.get(), 1);
}

/// So many are remembered; what was forgotten is not run again.
#[tokio::test(start_paused = true)]
async fn what_is_remembered_is_bounded_and_forgetting_runs_nothing_again() {
    let (lab, client) = lab().await;
    const CALLS: u64 = 5000;
    lab.bench.gate.add_permits(CALLS as usize);
    let mut ids = Vec::new();
    for n in 1..=CALLS {
        ids.push(id());
        assert_eq!(client.plain(0).operation(ids[ids.len() - 1]).await, Ok(n));
    }
    assert_eq!(client.plain(0).operation(ids[ids.len() - 1]).await, Ok(CALLS));
    for id in [ids[0], ids[1000], ids[4000]] {
        assert_eq!(client.plain(0).operation(id).await, Err(VoxError::OperationExpired));
    }
    assert_eq!(lab.bench.started.get(), CALLS as usize);
}

/// Few, but long: room is made by forgetting, and never by refusing what is new.
#[tokio::test(start_paused = true)]
async fn outcomes_that_take_too_much_room_are_forgotten_and_nothing_new_is_refused() {
    let (lab, client) = lab().await;
    const LEN: u64 = 1_000_000;
    let ids: Vec<_> = (0..100).map(|_| id()).collect();
    for id in &ids {
        let text = client.plain_text(LEN).operation(*id).await.expect("there is room");
        assert_eq!(text.len() as u64, LEN);
    }
    let mut known = 0;
    for id in ids.iter().rev() {
        match client.plain_text(LEN).operation(*id).await {
            Ok(_) => known += 1,
            Err(error) => assert_eq!(error, VoxError::OperationExpired),
        }
    }
    assert_eq!(known, 34, "the newest are known: 32 MiB of them, and the one that went past it");
    assert_eq!(client.plain_text(LEN).operation(ids[99]).await.map(|text| text.len()), Ok(LEN as usize));
    assert_eq!(lab.bench.started.get(), 100, "and none ran twice");
}

#[tokio::test(start_paused = true)]
async fn what_may_run_again_does() {
    let (_lab, client) = lab().await;
    let id = id();
    assert_eq!(client.again(1).operation(id).await, Ok(2));
    assert_eq!(client.again(1).operation(id).await, Ok(3));
    assert_eq!(client.again(5).operation(id).await, Ok(8), "the id means nothing to it");
}
