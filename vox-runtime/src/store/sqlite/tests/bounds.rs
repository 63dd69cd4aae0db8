//! What is bounded: records, bytes, floors and time.

use super::super::SqliteStore;
use super::super::testing::{Clock, Directory, at, full, grant, outcome, principal, run, run_and_acknowledge, totals};
use crate::operation::{Admission, Holder};
use crate::store::{OperationStore, StoreLimits};

pub(super) const START: u64 = 1_000_000_000;

#[tokio::test]
async fn a_store_with_a_limit_that_cannot_be_is_not_opened() {
    let directory = Directory::new();
    let limits = StoreLimits { max_bytes: 0, ..StoreLimits::on_disk() };
    let error = SqliteStore::open(directory.path("bank.db")).limits(limits).await.expect_err("no room for anything");
    assert_eq!(error.to_string(), "`StoreLimits::max_bytes` is 0; it may be 1 to 1,099,511,627,776");
}

pub(super) async fn open_at(directory: &Directory, clock: &Clock, limits: StoreLimits) -> SqliteStore {
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
