//! Stores that are slow, fail, panic, or are another process's too.

use std::time::Duration;

use vox::store::Admission;
use vox::store::StoreError;
use vox::{Ran, VoxError};

use crate::lab::{id, lab_on};
use crate::scripted::Scripted;
use crate::support::settle;

fn broken() -> StoreError {
    StoreError::Unavailable("on purpose".to_owned())
}

// proves: operation.sealed
#[tokio::test(start_paused = true)]
async fn pitfall_10_nobody_is_answered_before_the_outcome_is_sealed() {
    let store = Scripted::slow();
    let (lab, client) = lab_on(&store).await;
    let id = id();
    let call = tokio::spawn(client.at_once(2).operation(id).into_future());
    settle().await;
    assert_eq!((store.log(), lab.bench.started.get()), (vec!["admit"], 0), "nothing runs before it is admitted");
    store.let_go_on(1);
    settle().await;
    assert_eq!((store.log(), lab.bench.started.get()), (vec!["admit", "seal"], 1));
    assert!(!call.is_finished(), "it ran, and is not sealed");
    let attached = tokio::spawn(client.at_once(2).operation(id).into_future());
    settle().await;
    assert!(!attached.is_finished());
    store.let_go_on(1);
    assert_eq!(call.await.expect("no panic"), Ok(1));
    assert_eq!(attached.await.expect("no panic"), Ok(1));
    assert_eq!(store.log(), ["admit", "seal"]);
}

// proves: operation.store
#[tokio::test(start_paused = true)]
async fn pitfall_10_when_sealing_fails_the_outcome_is_not_given_away() {
    let store = Scripted::new();
    let (lab, client) = lab_on(&store).await;
    let id = id();
    store.fail_a_seal();
    let error = client.at_once(2).operation(id).await.expect_err("it is not sealed");
    assert_eq!((&error, error.ran()), (&VoxError::StoreUnavailable(Ran::Unknown), Ran::Unknown));
    assert_eq!(client.at_once(2).operation(id).await, Err(VoxError::Indeterminate), "and never runs again");
    assert_eq!(lab.bench.started.get(), 1);
    assert_eq!(client.at_once(2).await, Ok(2), "others are not harmed");
}

// proves: operation.store
#[tokio::test(start_paused = true)]
async fn when_admitting_fails_nothing_runs() {
    let store = Scripted::new();
    let (lab, client) = lab_on(&store).await;
    let id = id();
    store.next_admission(Err(broken()));
    let error = client.at_once(2).operation(id).await.expect_err("it is not admitted");
    assert_eq!((&error, error.ran(), error.is_retryable()), (&VoxError::StoreUnavailable(Ran::No), Ran::No, true));
    assert_eq!(lab.bench.started.get(), 0);
    assert_eq!(client.at_once(2).operation(id).await, Ok(1));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_panics_is_one_that_fails() {
    let store = Scripted::new();
    let (lab, client) = lab_on(&store).await;
    store.panic();
    assert_eq!(client.at_once(2).await, Err(VoxError::StoreUnavailable(Ran::No)));
    assert_eq!((client.at_once(2).await, lab.bench.started.get()), (Ok(1), 1));
}

/// A record that says only that an operation was begun is not run again.
#[tokio::test(start_paused = true)]
async fn pitfall_12_an_operation_whose_outcome_is_gone_is_indeterminate() {
    let store = Scripted::new();
    let (lab, client) = lab_on(&store).await;
    store.next_admission(Ok(Admission::Indeterminate));
    assert_eq!(client.at_once(2).operation(id()).await, Err(VoxError::Indeterminate));
    assert_eq!(lab.bench.started.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_another_process_runs_is_waited_for() {
    let store = Scripted::new();
    let (lab, client) = lab_on(&store).await;
    for _ in 0..20 {
        store.next_admission(Ok(Admission::Running));
    }
    let call = tokio::spawn(client.at_once(2).operation(id()).into_future());
    settle().await;
    assert_eq!((store.log().len(), call.is_finished()), (1, false), "it does not ask all the time");
    assert_eq!(call.await.expect("no panic"), Ok(1));
    assert_eq!((store.log().len(), lab.bench.started.get()), (22, 1));
}

#[tokio::test(start_paused = true)]
async fn waiting_for_another_process_ends_with_the_last_attempt() {
    let store = Scripted::new();
    let (lab, client) = lab_on(&store).await;
    for _ in 0..1000 {
        store.next_admission(Ok(Admission::Running));
    }
    let id = id();
    let patient = tokio::spawn(client.at_once(2).operation(id).timeout(Duration::from_secs(8)).into_future());
    let hasty = client.at_once(2).operation(id).timeout(Duration::from_secs(2)).await;
    assert_eq!(hasty, Err(VoxError::DeadlineExceeded));
    assert_eq!(patient.await.expect("no panic"), Err(VoxError::DeadlineExceeded));
    settle().await;
    let asked = store.log().len();
    assert!(asked < 40, "it asks less and less often: {asked}");
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!((store.log().len(), lab.bench.started.get()), (asked, 0));
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_leaves_while_the_store_thinks_is_answered_at_once() {
    let store = Scripted::slow();
    let (lab, client) = lab_on(&store).await;
    let id = id();
    let late = client.at_once(2).operation(id).timeout(Duration::from_millis(50)).await;
    assert_eq!(late, Err(VoxError::DeadlineExceeded));
    store.let_go_on(100);
    settle().await;
    assert_eq!(lab.bench.started.get(), 1, "it was asked for, and runs");
    assert_eq!(client.at_once(2).operation(id).await, Ok(1));
}

#[tokio::test(start_paused = true)]
async fn an_outcome_that_is_too_long_to_keep_is_answered_as_such_every_time() {
    let store = Scripted::new();
    let (lab, client) = lab_on(&store).await;
    let id = id();
    for _ in 0..2 {
        let error = client.text(2 << 20).operation(id).await.expect_err("over the limit of what is kept");
        assert!(matches!(error, VoxError::InvalidResponse(_)), "{error:?}");
        assert_eq!(error.ran(), Ran::Yes);
    }
    assert_eq!(lab.bench.started.get(), 1);
}
