//! What is this store's alone; the rules that it shares with others are in the conformance suite. Here: how it is opened and closed.

mod bounds;
mod sharing;
mod transactions;
mod unreadable;

use std::cell::RefCell;

use super::SqliteStore;
use super::testing::{Directory, grant, operation, run};
use crate::store::{OperationStore, StoreError, conformance};

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

/// It goes where futures go.
#[tokio::test]
async fn a_store_is_opened_by_whatever_takes_a_future() {
    let directory = Directory::new();
    let spawned = tokio::spawn(SqliteStore::open(directory.path("spawned.db"))).await.expect("no panic");
    let mut opening = SqliteStore::open(directory.path("selected.db"));
    let (joined, selected) = tokio::join!(SqliteStore::open(directory.path("joined.db")), async {
        tokio::select! {
            opened = &mut opening => opened,
        }
    });
    for opened in [spawned, joined, selected] {
        opened.expect("it opens").close().await;
    }
}
