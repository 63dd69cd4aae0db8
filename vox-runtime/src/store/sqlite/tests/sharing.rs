//! A database that several stores have open.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::super::testing::{Directory, grant, handle, idem, of, operation, outcome, run, totals};
use super::super::{SqliteStore, TransactionError};
use crate::operation::{Admission, Digest, NewOperation, OperationId};
use crate::store::{OperationStore, StoreError};

#[tokio::test(flavor = "multi_thread")]
async fn two_stores_share_a_database() {
    let directory = Directory::new();
    let (one, two) = (directory.shared().await, directory.shared().await);
    let operation = operation();
    let fence = grant(&one, &operation).await;
    assert_eq!(two.admit(&operation).await, Ok(Admission::Running));
    assert_eq!(two.admit(&idem(&operation)).await, Ok(Admission::Running));
    let other = NewOperation { digest: Digest::of(operation.method, b"others"), ..operation.clone() };
    assert_eq!(two.admit(&other).await, Ok(Admission::Conflict));
    one.seal(&operation.key, fence, outcome(b"of one")).await.expect("sealed");
    assert_eq!(two.admit(&operation).await, Ok(Admission::Replay(outcome(b"of one"))));
    // Its principal asks the other one, with the same id as another's.
    let theirs = of(operation.key.id, "other");
    assert_eq!(two.admit(&theirs).await.map(|admission| matches!(admission, Admission::Granted(_))), Ok(true));

    // Its owner ends: a record that it left is nobody's.
    let left = [super::super::testing::operation(), super::super::testing::operation()];
    for operation in &left {
        grant(&one, operation).await;
    }
    one.close().await;
    assert_eq!(two.admit(&left[0]).await, Ok(Admission::Indeterminate));
    let fence = grant(&two, &idem(&left[1])).await;
    assert_eq!(two.seal(&left[1].key, fence, outcome(b"of two")).await, Ok(outcome(b"of two")));
}

#[cfg(unix)]
#[tokio::test]
async fn two_stores_share_a_database_by_whatever_name() {
    let directory = Directory::new();
    let real = directory.shared().await;
    std::fs::create_dir(directory.path("release")).expect("made");
    let link = directory.path("release/bank.db");
    std::os::unix::fs::symlink(directory.path("a.db"), &link).expect("linked");
    let linked = SqliteStore::open(&link).shared().await.expect("it opens");
    let operation = operation();
    grant(&real, &operation).await;
    assert_eq!(linked.admit(&idem(&operation)).await, Ok(Admission::Running), "its owner lives");
}

/// A store remembers what it has sealed, and others change it meanwhile.
#[tokio::test]
async fn what_one_store_sealed_any_acknowledges_once() {
    let directory = Directory::new();
    let (one, two) = (directory.shared().await, directory.shared().await);
    let [by_other, by_none, again, undone] = [(); 4].map(|()| operation());
    for operation in [&by_other, &by_none, &again] {
        run(&one, operation).await;
    }
    two.acknowledge(&by_other.key).await.expect("acknowledged");
    assert_eq!(totals(&two).await, (2, 2 * 262, 1));
    one.acknowledge(&by_other.key).await.expect("acknowledged already");
    assert_eq!(totals(&one).await, (2, 2 * 262, 1));
    // Of another schema by now, so it is granted anew, and ends with a longer outcome.
    let anew = NewOperation { schema: crate::schema::Schema::from_bytes(*b"another"), ..idem(&again) };
    let fence = grant(&two, &anew).await;
    one.acknowledge(&again.key).await.expect("it runs");
    assert_eq!(totals(&one).await, (2, 262 + 256, 1));
    two.seal(&again.key, fence, outcome(b"a longer one")).await.expect("sealed");
    one.acknowledge(&again.key).await.expect("acknowledged");
    assert_eq!(totals(&one).await, (1, 262, 2));
    // A seal that was undone is not what is there.
    let fence = grant(&one, &undone).await;
    let of_undone = handle(&undone, fence);
    let failed = one.transaction(move |tx| {
        SqliteStore::seal_in(tx, &of_undone, &Ok::<u64, String>(30)).expect("sealed");
        Err::<(), _>("no")
    });
    failed.await.expect_err("undone");
    two.seal(&undone.key, fence, outcome(b"a longer one")).await.expect("sealed");
    one.acknowledge(&undone.key).await.expect("acknowledged");
    assert_eq!(totals(&one).await, (1, 262, 3));
    // One that remembers nothing of it.
    one.close().await;
    let three = directory.shared().await;
    three.acknowledge(&by_none.key).await.expect("acknowledged");
    assert_eq!(totals(&three).await, (0, 0, 4));
    for operation in [by_other, by_none, again, undone] {
        assert_eq!(two.admit(&operation).await, Ok(Admission::Expired));
    }
}

#[tokio::test]
async fn a_tombstone_keeps_no_more_than_it_needs() {
    let directory = Directory::new();
    let store = directory.open().await;
    let (remembered, found) = (operation(), operation());
    run(&store, &remembered).await;
    run(&store, &found).await;
    store.acknowledge(&remembered.key).await.expect("acknowledged");
    assert_eq!(totals(&store).await, (1, 262, 1));
    store.close().await;
    let store = directory.open().await;
    store.acknowledge(&found.key).await.expect("acknowledged");
    assert_eq!(totals(&store).await, (0, 0, 2));
    let kept = store.transaction(|tx| {
        tx.query_row(
            "SELECT group_concat(digest || owner || schema || ifnull(outcome || seal, '')) FROM vox_operations",
            (),
            |row| row.get::<_, String>(0),
        )
    });
    assert_eq!(kept.await, Ok(",".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_through_two_stores_are_granted_once() {
    let directory = Directory::new();
    let stores = [Arc::new(directory.shared().await), Arc::new(directory.shared().await)];
    for _ in 0..20 {
        let operation = Arc::new(operation());
        let attempts: Vec<_> = (0..32)
            .map(|number| {
                let (store, operation) = (Arc::clone(&stores[number % 2]), Arc::clone(&operation));
                tokio::spawn(async move { store.admit(&operation).await })
            })
            .collect();
        let mut granted = 0;
        for attempt in attempts {
            match attempt.await.expect("no panic") {
                Ok(Admission::Granted(_)) => granted += 1,
                other => assert_eq!(other, Ok(Admission::Running)),
            }
        }
        assert_eq!(granted, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_another_holds_for_long_fails_and_works_again() {
    let directory = Directory::new();
    let other = Arc::new(directory.shared().await);
    let store = SqliteStore::open(directory.path("a.db")).shared().busy_timeout(Duration::from_millis(20)).await;
    let store = store.expect("it opens");
    let [acknowledged, operation] = [(); 2].map(|()| operation());
    run(&store, &acknowledged).await;
    store.acknowledge(&acknowledged.key).await.expect("acknowledged");

    let locked = || {
        let database = directory.path("a.db");
        StoreError::Unavailable(format!("the database {}: database is locked", database.display()))
    };
    let (release, holder) = hold(&other).await;
    for _ in 0..2 {
        let refused = store.admit(&operation).await;
        assert_eq!(refused, Err(locked()));
    }
    let refused = store.transaction(|_| Ok::<_, ()>(())).await;
    assert_eq!(refused, Err(TransactionError::Store(locked())));
    release.send(()).expect("it is held");
    holder.await.expect("no panic").expect("nothing failed");
    // Nothing was done, and what was to be done with the next transaction still is.
    grant(&store, &operation).await;
    assert_eq!(other.admit(&acknowledged).await, Ok(Admission::Expired));
    assert_eq!(store.failure(), None);
}

/// Holds the database until it is told otherwise, as another process would.
async fn hold(store: &Arc<SqliteStore>) -> (std::sync::mpsc::Sender<()>, JoinHandle<Result<(), Aborted>>) {
    let (holding, held) = tokio::sync::oneshot::channel();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let store = Arc::clone(store);
    let holder = tokio::spawn(async move {
        let held = store.transaction(move |_| {
            holding.send(()).expect("somebody waits");
            released.recv()
        });
        held.await
    });
    held.await.expect("held");
    (release, holder)
}

type Aborted = TransactionError<std::sync::mpsc::RecvError>;

#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_could_not_be_recorded_is_recorded_later() {
    let directory = Directory::new();
    let other = Arc::new(directory.shared().await);
    let store = SqliteStore::open(directory.path("a.db")).shared().busy_timeout(Duration::ZERO).await;
    let store = store.expect("it opens");
    let operations = [(); 3].map(|()| operation());
    let mut fences = Vec::new();
    for operation in &operations {
        fences.push(grant(&store, operation).await);
    }
    let [given_up, released, sealed] = &operations;
    let (release, holder) = hold(&other).await;
    // However many acknowledgements wait before.
    for _ in 0..3000 {
        store.acknowledge(&operation().key).await.expect("it can wait");
    }
    store.give_up(&given_up.key, fences[0]).await.expect_err("the database is held");
    store.release(&released.key, fences[1]).await.expect_err("the database is held");
    store.give_up(&sealed.key, fences[2]).await.expect_err("the database is held");
    store.admit(&operation()).await.expect_err("the database is held");
    release.send(()).expect("it is held");
    holder.await.expect("no panic").expect("nothing failed");

    assert_eq!(store.admit(given_up).await, Ok(Admission::Indeterminate));
    grant(&store, &idem(given_up)).await;
    grant(&store, released).await;
    // Its end is recorded by now, and cannot be another one.
    assert_eq!(store.seal(&sealed.key, fences[2], outcome(b"late")).await, Err(StoreError::Fenced));
    totals(&store).await;
}

#[tokio::test]
async fn an_admission_that_nobody_heard_of_is_taken_back() {
    let directory = Directory::new();
    let store = directory.open().await;
    let operation = operation();
    let mut admitting = store.admit(&operation);
    assert!(poll_fn(|cx| Poll::Ready(admitting.as_mut().poll(cx).is_pending())).await);
    drop(admitting);
    // The first to follow may be of the same group; the next is not.
    let _ = store.admit(&of(OperationId::new(), "other")).await;
    grant(&store, &operation).await;
}
