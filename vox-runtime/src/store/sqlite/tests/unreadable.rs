//! Records, rows and tables that cannot be read.

use super::super::testing::{Clock, Directory, at, idem, operation, outcome, run, totals};
use super::bounds::{START, open_at};
use crate::operation::Admission;
use crate::store::{OperationStore, StoreError, StoreLimits};

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
