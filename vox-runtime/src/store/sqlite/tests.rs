//! What is this store's alone; the rules that it shares with others are in the conformance suite.

use std::cell::RefCell;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::testing::{
    Clock, Directory, at, full, grant, handle, idem, of, operation, outcome, principal, run, run_and_acknowledge,
    totals,
};
use super::{SqliteStore, Transaction, TransactionError};
use crate::operation::{Admission, Digest, Holder, NewOperation, OperationId};
use crate::store::{OperationStore, StoreError, StoreLimits, conformance};

#[tokio::test(flavor = "multi_thread")]
async fn conforms() {
    let directory = Directory::new();
    let number = RefCell::new(0);
    let make = async || {
        let name = number.replace_with(|number| *number + 1).to_string();
        SqliteStore::open(directory.path(name)).await.expect("it opens")
    };
    conformance::check(make).await.expect("every rule");
}

#[tokio::test]
async fn is_durable() {
    let directory = Directory::new();
    let open = async || directory.open().await;
    let close = async |store: SqliteStore| store.close().await;
    conformance::check_durable(open, close).await.expect("every rule");
}

#[tokio::test]
async fn the_settings_are_what_durability_needs() {
    let directory = Directory::new();
    let store = directory.open().await;
    let settings = store.transaction(|tx| {
        let journal: String = tx.query_row("PRAGMA journal_mode", (), |row| row.get(0))?;
        let synchronous: i64 = tx.query_row("PRAGMA synchronous", (), |row| row.get(0))?;
        Ok::<_, rusqlite::Error>((journal, synchronous))
    });
    assert_eq!(settings.await, Ok(("wal".to_owned(), 2)));
    assert!(rusqlite::version_number() >= 3_051_003);
}

#[tokio::test]
async fn what_cannot_be_opened_says_why() {
    let directory = Directory::new();
    for path in [directory.path("missing/a.db"), directory.path("")] {
        let error = SqliteStore::open(path).await.expect_err("it cannot be opened").to_string();
        assert!(
            error.starts_with("the store is unavailable: the database /") && error.contains(" cannot be opened: "),
            "{error}"
        );
    }
    std::fs::write(directory.path("text"), "no database at all, but longer than a header of one".repeat(10))
        .expect("written");
    assert!(SqliteStore::open(directory.path("text")).await.is_err());

    let store = directory.open().await;
    store.transaction(|tx| tx.execute("UPDATE vox_store SET format = 99", ())).await.expect("written");
    store.close().await;
    let error = SqliteStore::open(directory.path("a.db")).await.expect_err("another format").to_string();
    assert!(error.ends_with("its tables are of format 99, which this version does not know"), "{error}");
}

/// Whatever else was different about them: the number is looked at before they are.
#[tokio::test]
async fn tables_of_another_version_are_refused_and_stay_as_they_are() {
    let directory = Directory::new();
    let old = rusqlite::Connection::open(directory.path("a.db")).expect("it opens");
    old.execute_batch(
        "CREATE TABLE vox_store (one INTEGER PRIMARY KEY, format INTEGER NOT NULL);
        INSERT INTO vox_store VALUES (1, 1);
        CREATE TABLE vox_operations (number INTEGER PRIMARY KEY)",
    )
    .expect("made");
    let error = SqliteStore::open(directory.path("a.db")).await.expect_err("an old format").to_string();
    assert!(error.ends_with("its tables are of format 1, which this version does not know"), "{error}");
    let tables = old.query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get::<_, i64>(0));
    assert_eq!(tables, Ok(2));
}

#[tokio::test]
async fn a_closed_store_refuses_and_leaves_no_lock() {
    let directory = Directory::new();
    let store = directory.open().await;
    let operation = operation();
    grant(&store, &operation).await;
    store.close().await;
    store.close().await;
    assert_eq!(
        store.admit(&operation).await,
        Err(StoreError::Unavailable(format!("{} is closed", store.path.display())))
    );
    assert!(store.acknowledge(&operation.key).await.is_err());
    assert!(store.transaction(|_| Ok::<_, ()>(())).await.is_err());
    let left: Vec<_> = std::fs::read_dir(directory.path("")).expect("a directory").collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[tokio::test]
async fn the_schema_is_kept_once() {
    let directory = Directory::new();
    let store = directory.open().await;
    let (first, second) = (operation(), operation());
    run(&store, &first).await;
    run(&store, &second).await;
    let kept = store.transaction(|tx| {
        tx.query_row("SELECT count(*), hash, bytes FROM vox_schemas", (), |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, [u8; 32]>(1)?, row.get::<_, Vec<u8>>(2)?))
        })
    });
    assert_eq!(kept.await, Ok((1, first.schema.hash().0, first.schema.bytes().to_vec())));
}

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
    let left = [super::testing::operation(), super::testing::operation()];
    for operation in &left {
        grant(&one, operation).await;
    }
    one.close().await;
    assert_eq!(two.admit(&left[0]).await, Ok(Admission::Indeterminate));
    let fence = grant(&two, &idem(&left[1])).await;
    assert_eq!(two.seal(&left[1].key, fence, outcome(b"of two")).await, Ok(outcome(b"of two")));
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

    let (release, holder) = hold(&other).await;
    for _ in 0..2 {
        let refused = store.admit(&operation).await;
        assert_eq!(refused, Err(StoreError::Unavailable("database is locked".to_owned())));
    }
    let refused = store.transaction(|_| Ok::<_, ()>(())).await;
    assert_eq!(refused, Err(TransactionError::Store(StoreError::Unavailable("database is locked".to_owned()))));
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

// What a user's transaction does.

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

// What is bounded.

const START: u64 = 1_000_000_000;

#[tokio::test]
async fn a_store_with_a_limit_that_cannot_be_is_not_opened() {
    let directory = Directory::new();
    let limits = StoreLimits { max_bytes: 0, ..StoreLimits::on_disk() };
    let error = SqliteStore::open(directory.path("bank.db")).limits(limits).await.expect_err("no room for anything");
    assert_eq!(error.to_string(), "`StoreLimits::max_bytes` is 0; it may be 1 to 1,099,511,627,776");
}

async fn open_at(directory: &Directory, clock: &Clock, limits: StoreLimits) -> SqliteStore {
    clock.of(SqliteStore::open(directory.path("a.db"))).shared().limits(limits).await.expect("it opens")
}

#[tokio::test]
async fn records_and_bytes_are_bounded_for_all_and_for_each() {
    let directory = Directory::new();
    let clock = Clock::new(START);
    let limits = StoreLimits { max_records: 3, max_principal_records: 2, ..StoreLimits::default() };
    let store = open_at(&directory, &clock, limits).await;
    let first = at(START, "a");
    run(&store, &first).await;
    run(&store, &at(START, "a")).await;
    assert_eq!(store.admit(&at(START, "a")).await, full("max_principal_records", principal("a"), 2, 2));
    grant(&store, &at(START, "b")).await;
    assert_eq!(store.admit(&at(START, "c")).await, full("max_records", Holder::All, 3, 3));
    store.acknowledge(&first.key).await.expect("acknowledged");
    grant(&store, &at(START, "c")).await;
    assert_eq!(totals(&store).await, (3, 3 * 256 + 6, 1));
    store.close().await;

    let limits = StoreLimits { max_bytes: 5 * 256, max_principal_bytes: 5 * 256, ..StoreLimits::default() };
    let store = open_at(&directory, &clock, limits).await;
    grant(&store, &at(START, "d")).await;
    assert_eq!(store.admit(&at(START, "d")).await, full("max_bytes", Holder::All, 4 * 256 + 6, 5 * 256));
}

#[tokio::test]
async fn a_tombstone_that_had_to_go_does_not_let_its_operation_run() {
    let directory = Directory::new();
    let clock = Clock::new(START);
    let limits = StoreLimits { max_tombstones: 5, ..StoreLimits::default() };
    let mut store = open_at(&directory, &clock, limits.clone()).await;
    let acknowledged: Vec<_> = (0..20).map(|second| at(START - 100 + second, "a")).collect();
    for operation in &acknowledged {
        run_and_acknowledge(&store, operation).await;
    }
    for _ in 0..2 {
        for operation in &acknowledged {
            assert_eq!(store.admit(operation).await, Ok(Admission::Expired));
        }
        assert_eq!(totals(&store).await, (0, 0, 5));
        // Nothing is known of an older one that was never seen; another principal's are not touched.
        assert_eq!(store.admit(&at(START - 90, "a")).await, Ok(Admission::Expired));
        let other = at(START - 90, "b");
        let fence = grant(&store, &other).await;
        store.release(&other.key, fence).await.expect("released");
        store.close().await;
        store = open_at(&directory, &clock, limits.clone()).await;
    }
}

#[tokio::test]
async fn floors_are_bounded() {
    let directory = Directory::new();
    let clock = Clock::new(START);
    let limits = StoreLimits { max_tombstones: 0, max_floors: 8, ..StoreLimits::default() };
    let store = open_at(&directory, &clock, limits).await;
    let acknowledged: Vec<_> = (0..100).map(|number| at(START - 100 + number, &format!("p{number}"))).collect();
    for operation in &acknowledged {
        run_and_acknowledge(&store, operation).await;
    }
    for operation in &acknowledged {
        assert_eq!(store.admit(operation).await, Ok(Admission::Expired));
    }
    let floors = store.transaction(|tx| {
        tx.query_row("SELECT floors, (SELECT count(*) FROM vox_holders) FROM vox_store", (), |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
        })
    });
    let (floors, principals) = floors.await.expect("read");
    assert_eq!(floors, principals);
    assert!((1..=8).contains(&floors), "{floors}");
    grant(&store, &at(START, "p1")).await;
}

#[tokio::test]
async fn records_go_at_the_horizon_unless_they_run() {
    let directory = Directory::new();
    let clock = Clock::new(START);
    let limits = StoreLimits::default();
    let retention = limits.retention.as_secs();
    let store = open_at(&directory, &clock, limits.clone()).await;
    let other = open_at(&directory, &clock, limits).await;
    let (mine, theirs, of_the_dead) = (at(START, "a"), at(START, "b"), at(START, "c"));
    let fence = grant(&store, &mine).await;
    grant(&other, &theirs).await;
    let dead = open_at(&directory, &clock, StoreLimits::default()).await;
    grant(&dead, &of_the_dead).await;
    dead.close().await;
    for _ in 0..20 {
        run(&store, &at(START + 1, "a")).await;
        run_and_acknowledge(&store, &at(START + 1, "a")).await;
    }
    clock.set(START + retention + 10);
    for _ in 0..10 {
        run_and_acknowledge(&store, &at(START + retention, "d")).await;
    }
    assert_eq!(totals(&store).await, (2, 2 * 256, 10));
    let sealed = store.seal(&mine.key, fence, outcome(b"late")).await;
    assert_eq!(sealed, Ok(outcome(b"late")));
    for operation in [mine, theirs, of_the_dead] {
        assert_eq!(store.admit(&operation).await, Ok(Admission::Expired));
    }
}

#[tokio::test]
async fn a_clock_that_jumps_runs_nothing_twice() {
    let directory = Directory::new();
    let clock = Clock::new(START);
    let year = 365 * 24 * 3600;
    let mut store = open_at(&directory, &clock, StoreLimits::default()).await;
    let before: Vec<_> = (0..8).map(|_| at(START, "a")).collect();
    for operation in &before {
        run(&store, operation).await;
    }
    clock.set(START + year);
    run(&store, &at(START + year, "b")).await;
    run(&store, &at(START + year, "b")).await;
    for _ in 0..2 {
        clock.set(START + 1);
        for operation in &before {
            assert_eq!(store.admit(operation).await, Ok(Admission::Expired));
        }
        run(&store, &at(START + 1, "a")).await;
        assert_eq!(store.admit(&at(START + year, "b")).await, Ok(Admission::Expired));
        store.close().await;
        store = open_at(&directory, &clock, StoreLimits::default()).await;
    }
}

// What a disk can do to a record.

#[tokio::test]
async fn pitfall_12_a_record_that_cannot_be_read_is_never_run_again() {
    let directory = Directory::new();
    let store = directory.open().await;
    let faults = [
        "outcome = NULL",
        "outcome = x''",
        "outcome = x'00112233445566778899'",
        "seal = NULL",
        "seal = x'00'",
        "schema = x'0011'",
        "schema = zeroblob(32)",
        "state = 99",
        "state = -1",
        "digest = x'00'",
        "digest = zeroblob(1000)",
        "state = 0, owner = x''",
        // Another's outcome.
        "(outcome, seal) = (SELECT outcome, seal FROM vox_operations ORDER BY fence LIMIT 1)",
        "state = 0",
        "state = 2",
    ];
    run(&store, &operation()).await;
    for fault in faults {
        let operation = operation();
        let fence = run(&store, &operation).await;
        let id = operation.key.id.to_u128().to_be_bytes();
        let sql = format!("UPDATE vox_operations SET owner = zeroblob(16), {fault} WHERE id = ?1");
        let sql = if fault.contains("owner") { sql.replace("owner = zeroblob(16), ", "") } else { sql };
        let changed = store.transaction(move |tx| tx.execute(&sql, (id,))).await;
        assert_eq!(changed, Ok(1), "{fault}");
        for _ in 0..2 {
            assert_eq!(store.admit(&operation).await, Ok(Admission::Indeterminate), "{fault}");
        }
        // Its owner is not told that it is sealed either, unless it can be.
        if !fault.starts_with("state = 0") || fault.contains("owner") {
            assert!(store.seal(&operation.key, fence, outcome(b"again")).await.is_err(), "{fault}");
        }
        // And what may run again does, under a fence of its own.
        let again = idem(&operation);
        if !matches!(store.admit(&again).await, Ok(Admission::Replay(_))) {
            assert_eq!(store.admit(&again).await, Ok(Admission::Running), "{fault}");
            assert_eq!(store.release(&again.key, fence).await, Err(StoreError::Fenced), "{fault}");
        }
    }
}

#[tokio::test]
async fn a_row_whose_key_cannot_be_read_harms_no_other_and_goes() {
    let directory = Directory::new();
    let store = directory.open().await;
    for spoilt in ["id = x'00', principal = CAST(x'ff' AS TEXT)", "id = x'01', state = 3", "id = x'0101', owner = x''"]
    {
        run(&store, &operation()).await;
        let sql = format!("UPDATE vox_operations SET {spoilt} WHERE length(id) = 16");
        assert_eq!(store.transaction(move |tx| tx.execute(&sql, ())).await, Ok(1));
    }
    run(&store, &operation()).await;
    let left =
        store.transaction(|tx| tx.query_row("SELECT count(*) FROM vox_operations", (), |row| row.get::<_, i64>(0)));
    assert_eq!(left.await, Ok(1));
}

/// The column's kind keeps other values out, but not what a disk does. An old record is looked at by whatever comes next.
#[tokio::test]
async fn a_record_whose_state_cannot_be_read_goes_at_the_horizon_and_harms_no_other() {
    let directory = Directory::new();
    let clock = Clock::new(START);
    let store = open_at(&directory, &clock, StoreLimits::default()).await;
    let old = at(START, "a");
    run(&store, &old).await;
    store.close().await;
    let spoil = |sql: &str| rusqlite::Connection::open(directory.path("a.db")).expect("it opens").execute_batch(sql);
    spoil(
        "PRAGMA writable_schema = ON;
        UPDATE sqlite_schema SET sql = replace(sql, 'STRICT', '') WHERE name = 'vox_operations'",
    )
    .expect("as if it had never been strict");
    spoil("UPDATE vox_operations SET state = 'spoilt'").expect("spoilt");

    let store = open_at(&directory, &clock, StoreLimits::default()).await;
    assert_eq!(store.admit(&old).await, Ok(Admission::Indeterminate));
    let later = START + StoreLimits::default().retention.as_secs() + 10;
    clock.set(later);
    run(&store, &at(later, "a")).await;
    assert_eq!(totals(&store).await, (1, 256 + 6, 0));
    assert_eq!(store.admit(&old).await, Ok(Admission::Expired));
}

#[tokio::test]
async fn a_table_that_is_gone_fails_closed() {
    let directory = Directory::new();
    let store = directory.open().await;
    let operation = operation();
    run(&store, &operation).await;
    store.transaction(|tx| tx.execute_batch("ALTER TABLE vox_operations RENAME TO gone")).await.expect("renamed");
    for _ in 0..3 {
        let refused = store.admit(&operation).await;
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    }
    store.transaction(|tx| tx.execute_batch("ALTER TABLE gone RENAME TO vox_operations")).await.unwrap_or_default();
    store.close().await;
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
