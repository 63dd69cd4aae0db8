//! What a user's transaction does.

use std::sync::Arc;
use std::time::Duration;

use super::super::testing::{Directory, grant, handle, idem, operation, outcome, totals};
use super::super::{SqliteStore, Transaction, TransactionError};
use crate::operation::Admission;
use crate::store::{OperationStore, StoreError};

async fn accounts(store: &SqliteStore) {
    let made = store.transaction(|tx| {
        tx.execute_batch("CREATE TABLE account (id INTEGER PRIMARY KEY, cents INTEGER NOT NULL)")?;
        tx.execute("INSERT INTO account VALUES (1, 100)", ())
    });
    made.await.expect("made");
}

async fn cents(store: &SqliteStore) -> i64 {
    let cents = store.transaction(|tx| tx.query_row("SELECT cents FROM account WHERE id = 1", (), |row| row.get(0)));
    cents.await.expect("read")
}

fn take(tx: &Transaction<'_>, cents: i64) -> rusqlite::Result<usize> {
    tx.execute("UPDATE account SET cents = cents - ?1 WHERE id = 1", (cents,))
}

#[tokio::test]
async fn effect_and_outcome_are_written_together() {
    let directory = Directory::new();
    let store = directory.open().await;
    accounts(&store).await;
    let operation = operation();
    let fence = grant(&store, &operation).await;
    let handle = handle(&operation, fence);
    let paid = store.transaction(move |tx| {
        take(tx, 30)?;
        let sealed = SqliteStore::seal_in(tx, &handle, &Ok::<u64, String>(30));
        Ok::<_, rusqlite::Error>(sealed)
    });
    assert_eq!(paid.await, Ok(Ok(())));
    assert_eq!(cents(&store).await, 70);
    // The runtime seals what the handler returned, and finds it sealed.
    let sealed = store.seal(&operation.key, fence, outcome(b"something else")).await;
    assert_eq!(sealed, Ok(outcome(&[0, 30])));
    assert_eq!(store.admit(&operation).await, Ok(Admission::Replay(outcome(&[0, 30]))));
    totals(&store).await;
}

#[tokio::test]
async fn a_transaction_that_fails_leaves_neither() {
    let directory = Directory::new();
    let store = directory.open().await;
    accounts(&store).await;
    let operation = operation();
    let fence = grant(&store, &operation).await;
    let before = totals(&store).await;

    let of_error = handle(&operation, fence);
    let failed = store.transaction(move |tx| {
        take(tx, 30).expect("taken");
        SqliteStore::seal_in(tx, &of_error, &Ok::<u64, String>(30)).expect("sealed");
        Err::<(), _>("no")
    });
    assert_eq!(failed.await, Err(TransactionError::Aborted("no")));

    let of_panic = handle(&operation, fence);
    let panicked = store.transaction(move |tx| -> Result<(), String> {
        take(tx, 30).expect("taken");
        SqliteStore::seal_in(tx, &of_panic, &Ok::<u64, String>(30)).expect("sealed");
        std::panic::resume_unwind(Box::new("a handler's own"))
    });
    assert_eq!(panicked.await, Err(TransactionError::Panicked));

    assert_eq!(cents(&store).await, 100);
    assert_eq!(totals(&store).await, before);
    // It was granted and is not sealed.
    assert_eq!(store.admit(&operation).await, Ok(Admission::Running));
    assert_eq!(store.give_up(&operation.key, fence).await, Ok(None));
}

#[tokio::test]
async fn a_transaction_whose_seal_fails_is_not_kept() {
    let directory = Directory::new();
    let store = directory.open().await;
    accounts(&store).await;
    let pay = async |handle, result: Result<u64, String>| {
        let paid = store.transaction(move |tx| {
            take(tx, 30)?;
            // As one who does not look.
            let _ = SqliteStore::seal_in(tx, &handle, &result);
            Ok::<_, rusqlite::Error>(())
        });
        paid.await
    };
    // Twice: the effect would be there twice.
    let twice = operation();
    let fence = grant(&store, &twice).await;
    assert_eq!(pay(handle(&twice, fence), Ok(30)).await, Ok(()));
    assert_eq!(pay(handle(&twice, fence), Ok(30)).await, Err(TransactionError::Store(StoreError::Fenced)));
    assert_eq!(cents(&store).await, 70);
    // After it was given up, under another's fence, and after it was released.
    let given_up = operation();
    let fence = grant(&store, &given_up).await;
    assert_eq!(store.give_up(&given_up.key, fence).await, Ok(None));
    assert!(pay(handle(&given_up, fence), Ok(30)).await.is_err());
    let again = grant(&store, &idem(&given_up)).await;
    assert!(pay(handle(&given_up, fence), Ok(30)).await.is_err());
    assert_eq!(pay(handle(&given_up, again), Ok(30)).await, Ok(()));
    let released = operation();
    let fence = grant(&store, &released).await;
    assert_eq!(store.release(&released.key, fence).await, Ok(()));
    assert!(pay(handle(&released, fence), Ok(30)).await.is_err());
    // What the method does not return, and what is too long.
    let other = operation();
    let fence = grant(&store, &other).await;
    let long = pay(handle(&other, fence), Err("x".repeat((1 << 20) + 1))).await;
    assert!(matches!(long, Err(TransactionError::Store(StoreError::InvalidOutcome(_)))), "{long:?}");
    let of_other = handle(&other, fence);
    let wrong = store.transaction(move |tx| SqliteStore::seal_in(tx, &of_other, &Ok::<u32, String>(30)));
    let error = wrong.await.expect_err("another type").to_string();
    assert_eq!(error, "it cannot be sealed: `Bank::transfer` does not return a `Result<u32, String>`");
    assert_eq!(cents(&store).await, 40);
    totals(&store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_fails_does_not_harm_others_in_its_group() {
    let directory = Directory::new();
    let store = Arc::new(directory.open().await);
    accounts(&store).await;
    let calls: Vec<_> = (0..200)
        .map(|number| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let operation = operation();
                let fence = grant(&store, &operation).await;
                let handle = handle(&operation, fence);
                let paid = store.transaction(move |tx| {
                    take(tx, 1).expect("taken");
                    SqliteStore::seal_in(tx, &handle, &Ok::<u64, String>(1)).expect("sealed");
                    if number % 3 == 0 { Err(()) } else { Ok(()) }
                });
                let paid = paid.await.is_ok();
                let admission = store.admit(&operation).await;
                assert_eq!(admission, Ok(if paid { Admission::Replay(outcome(&[0, 1])) } else { Admission::Running }));
                i64::from(paid)
            })
        })
        .collect();
    let mut paid = 0;
    for call in calls {
        paid += call.await.expect("no panic");
    }
    assert_eq!(paid, 133);
    assert_eq!(cents(&store).await, 100 - 133);
    assert_eq!(totals(&store).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_key_that_is_broken_at_the_end_fails_alone() {
    let directory = Directory::new();
    let store = Arc::new(directory.open().await);
    accounts(&store).await;
    let entry = "CREATE TABLE entry (account INTEGER NOT NULL REFERENCES account DEFERRABLE INITIALLY DEFERRED)";
    store.transaction(|tx| tx.execute_batch(entry)).await.expect("made");
    let calls: Vec<_> = (0..100)
        .map(|number| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let operation = operation();
                let fence = grant(&store, &operation).await;
                let handle = handle(&operation, fence);
                let is_broken = number % 3 == 0;
                let paid = store.transaction(move |tx| {
                    tx.execute("INSERT INTO entry VALUES (?1)", (if is_broken { 2 } else { 1 },))?;
                    SqliteStore::seal_in(tx, &handle, &Ok::<u64, String>(1)).expect("sealed");
                    Ok::<_, rusqlite::Error>(())
                });
                assert_eq!(paid.await, if is_broken { Err(TransactionError::ForeignKey) } else { Ok(()) });
                let replay = Admission::Replay(outcome(&[0, 1]));
                assert_eq!(store.admit(&operation).await, Ok(if is_broken { Admission::Running } else { replay }));
            })
        })
        .collect();
    for call in calls {
        call.await.expect("no panic");
    }
    // One whose reference is there before it ends breaks nothing.
    let later = store.transaction(|tx| {
        tx.execute("INSERT INTO entry VALUES (3)", ())?;
        tx.execute("INSERT INTO account VALUES (3, 0)", ())
    });
    assert_eq!(later.await, Ok(1));
    let entries = store.transaction(|tx| tx.query_row("SELECT count(*) FROM entry", (), |row| row.get::<_, i64>(0)));
    assert_eq!((entries.await, store.failure()), (Ok(67), None));
}

#[tokio::test]
async fn a_closure_that_ends_the_transaction_stops_the_store() {
    for sql in ["COMMIT", "ROLLBACK", "COMMIT; BEGIN", "RELEASE vox_work"] {
        let directory = Directory::new();
        let store = directory.open().await;
        let ended = store.transaction(move |tx| tx.execute_batch(sql)).await;
        assert!(matches!(ended, Err(TransactionError::Store(StoreError::Unavailable(_)))), "{sql}: {ended:?}");
        let refused = store.admit(&operation()).await;
        assert!(matches!(refused, Err(StoreError::Poisoned(_))), "{sql}: {refused:?}");
        assert!(store.failure().is_some());
    }
}

/// The closure has left a transaction of its own behind, which would keep all others from writing.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_has_stopped_holds_nothing_that_others_wait_for() {
    let directory = Directory::new();
    let store = directory.shared().await;
    let other =
        SqliteStore::open(directory.path("a.db")).shared().busy_timeout(Duration::ZERO).await.expect("it opens");
    let stray = "COMMIT; BEGIN IMMEDIATE; CREATE TABLE stray (id INTEGER)";
    store.transaction(move |tx| tx.execute_batch(stray)).await.expect_err("it stops the store");
    assert!(store.failure().is_some());
    grant(&other, &operation()).await;
    let strays = other.transaction(|tx| tx.query_row("SELECT count(*) FROM stray", (), |row| row.get::<_, i64>(0)));
    strays.await.expect_err("it was not committed");
}

#[tokio::test]
async fn an_outcome_is_not_sealed_in_a_transaction_that_an_error_has_undone() {
    let directory = Directory::new();
    let store = directory.open().await;
    accounts(&store).await;
    let operation = operation();
    let fence = grant(&store, &operation).await;
    let handle = handle(&operation, fence);
    let undone = store.transaction(move |tx| {
        take(tx, 30).expect("taken");
        tx.execute("INSERT OR ROLLBACK INTO account VALUES (1, 5)", ()).expect_err("there is one");
        SqliteStore::seal_in(tx, &handle, &Ok::<u64, String>(30)).expect_err("nothing of the transaction is left");
        Ok::<_, String>(())
    });
    undone.await.expect_err("it was undone");
    store.close().await;
    let store = directory.open().await;
    assert_eq!(cents(&store).await, 100);
    assert_eq!(store.admit(&operation).await, Ok(Admission::Indeterminate), "without its effect there is no outcome");
}
