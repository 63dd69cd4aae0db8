//! Databases that are not what was written: a bit that a disk has turned, a file that was replaced, a store beside the store.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::SqliteStore;
use super::testing::{Directory, grant, idem, operation, outcome, run};
use crate::operation::{Admission, NewOperation};
use crate::store::{OperationStore, StoreError};

const PAGE: usize = 4096;

/// A database of several pages, written out, and what ran there.
async fn written(directory: &Directory) -> (Vec<u8>, Vec<NewOperation>) {
    let store = directory.open().await;
    let operations: Vec<_> = (0..200).map(|_| operation()).collect();
    for operation in &operations {
        run(&store, operation).await;
    }
    store.close().await;
    (fs::read(directory.path("a.db")).expect("read"), operations)
}

/// The pages of an index that has this key in a cell, and not those of the table.
fn index_pages(bytes: &[u8], operations: &[NewOperation]) -> Vec<usize> {
    let ids: Vec<_> = operations.iter().map(|operation| operation.key.id.to_u128().to_be_bytes()).collect();
    let is_index = |page: &[u8]| matches!(page[0], 0x02 | 0x0a);
    let has_a_key = |page: &[u8]| page.windows(16).any(|window| ids.iter().any(|id| id == window));
    let pages = bytes.chunks(PAGE).enumerate();
    pages.filter(|(_, page)| is_index(page) && has_a_key(page)).map(|(number, _)| number).collect()
}

/// What is told about an operation that ran, when this is the database.
async fn told(path: &Path, bytes: &[u8], operation: &NewOperation, check: Duration) -> Result<Admission, StoreError> {
    fs::write(path, bytes).expect("written");
    let store = SqliteStore::open(path).check_for(check).await?;
    let told = store.admit(operation).await;
    store.close().await;
    told
}

#[tokio::test]
async fn a_bit_of_an_index_that_turned_is_found_when_the_store_is_opened() {
    let directory = Directory::in_memory();
    let (bytes, operations) = written(&directory).await;
    let path = directory.path("a.db");
    let id = operations[77].key.id.to_u128().to_be_bytes();
    let pages = index_pages(&bytes, &operations);
    let mut found = 0;
    for place in pages.iter().flat_map(|page| page * PAGE..(page + 1) * PAGE) {
        if bytes[place..].starts_with(&id) {
            let mut damaged = bytes.clone();
            damaged[place + 15] ^= 1;
            let error = match told(&path, &damaged, &operations[77], Duration::MAX).await {
                // What is left of it where a page was split is no entry.
                Ok(told) => {
                    assert_eq!(told, Admission::Replay(outcome(b"sealed")));
                    continue;
                }
                Err(error) => error.to_string(),
            };
            let begins =
                format!("the store is unavailable: the database {} cannot be opened: it is damaged (", path.display());
            assert!(error.starts_with(&begins) && error.contains("REINDEX"), "{error}");
            found += 1;
        }
    }
    assert_eq!(found, 2, "both indices of keys have it");
    // Undamaged it is fine.
    assert_eq!(told(&path, &bytes, &operations[77], Duration::MAX).await, Ok(Admission::Replay(outcome(b"sealed"))));
}

#[tokio::test]
async fn no_bit_of_an_index_that_turned_lets_an_operation_run_again() {
    let directory = Directory::in_memory();
    let (bytes, operations) = written(&directory).await;
    let path = directory.path("a.db");
    let mut random = 1u64;
    let mut below = |end: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(random >> 33).unwrap_or_default() % end
    };
    let mut missed = 0;
    for page in index_pages(&bytes, &operations) {
        let ids = operations.iter().map(|operation| operation.key.id.to_u128().to_be_bytes());
        let of_page: Vec<_> = ids
            .enumerate()
            .filter_map(|(number, id)| {
                let place = bytes[page * PAGE..(page + 1) * PAGE].windows(16).position(|window| window == id)?;
                Some((number, place))
            })
            .collect();
        // The page's head and its list of cells, then the keys themselves.
        for turn in 0..24 {
            let (number, place) = of_page[below(of_page.len())];
            let bit = if turn % 2 == 0 { below(8 * (12 + 2 * of_page.len())) } else { 8 * place + below(128) };
            let mut damaged = bytes.clone();
            damaged[page * PAGE + bit / 8] ^= 1 << (bit % 8);
            // Nothing is checked at open, so that the look-up is what finds it.
            let told = told(&path, &damaged, &operations[number], Duration::ZERO).await;
            assert!(!matches!(told, Ok(Admission::Granted(_))), "page {page}, bit {bit}: it runs again");
            if let Err(error) = told {
                assert!(error.to_string().contains(&path.display().to_string()), "{error}");
                missed += 1;
            }
        }
    }
    assert!(missed > 10, "only {missed} of the damages were seen at all");
}

/// Where the one index has lost the key, the other has it. The look-up says so, and not that a row could not be put in.
#[tokio::test]
async fn a_key_that_one_index_lacks_is_found_by_the_other() {
    let directory = Directory::in_memory();
    let (bytes, operations) = written(&directory).await;
    let id = operations[77].key.id.to_u128().to_be_bytes();
    let mut found = 0;
    for place in index_pages(&bytes, &operations).iter().flat_map(|page| page * PAGE..(page + 1) * PAGE) {
        if bytes[place..].starts_with(&id) {
            let mut damaged = bytes.clone();
            damaged[place + 15] ^= 1;
            match told(&directory.path("a.db"), &damaged, &operations[77], Duration::ZERO).await {
                Ok(told) => assert_eq!(told, Admission::Replay(outcome(b"sealed"))),
                Err(error) => found += usize::from(error.to_string().contains("`vox_keys_again` has it")),
            }
        }
    }
    assert_eq!(found, 1, "the index that is asked first has the key once");
}

#[tokio::test]
async fn a_row_whose_key_turned_is_not_anothers_and_cannot_be_acknowledged_away() {
    let directory = Directory::new();
    let store = directory.open().await;
    let (spoilt, other) = (operation(), operation());
    run(&store, &spoilt).await;
    run(&store, &other).await;
    store.close().await;
    // The row alone: the indices still lead to it.
    let bytes = fs::read(directory.path("a.db")).expect("read");
    let id = spoilt.key.id.to_u128().to_be_bytes();
    let mut damaged = bytes.clone();
    let table = bytes.chunks(PAGE).position(|page| page[0] == 0x0d && page.windows(16).any(|window| window == id));
    let page = table.expect("the row's page") * PAGE;
    let place = page + bytes[page..page + PAGE].windows(16).position(|window| window == id).expect("there");
    damaged[place + 3] ^= 0x10;
    fs::write(directory.path("a.db"), damaged).expect("written");
    let store = SqliteStore::open(directory.path("a.db")).check_for(Duration::ZERO).await.expect("it opens");
    for attempt in [&spoilt, &idem(&spoilt)] {
        let error = store.admit(attempt).await.expect_err("nobody can say").to_string();
        assert!(error.contains("a.db cannot say whether the operation ran: it is damaged ("), "{error}");
    }
    assert_eq!(store.admit(&other).await, Ok(Admission::Replay(outcome(b"sealed"))), "others are answered");
}

#[cfg(unix)]
#[tokio::test]
async fn a_database_that_is_not_there_any_more_admits_nothing() {
    type Change = fn(&Directory);
    let changes: [(&str, Change); 10] = [
        ("a.db was removed or renamed while", |directory| fs::remove_file(directory.path("a.db")).expect("removed")),
        ("a.db was removed or renamed while", |directory| {
            fs::rename(directory.path("a.db"), directory.path("b.db")).expect("renamed");
        }),
        // The next that opens it by this name looks for the log beside the other.
        ("a.db was replaced by another file while", |directory| {
            fs::rename(directory.path("a.db"), directory.path("b.db")).expect("renamed");
            std::os::unix::fs::symlink(directory.path("b.db"), directory.path("a.db")).expect("a link");
        }),
        ("a.db was replaced by another file while", |directory| {
            fs::copy(directory.path("a.db"), directory.path("copy")).expect("copied");
            fs::rename(directory.path("copy"), directory.path("a.db")).expect("replaced");
        }),
        ("a.db was cut from ", |directory| {
            let file = fs::File::options().write(true).open(directory.path("a.db")).expect("it opens");
            file.set_len(PAGE as u64).expect("cut");
        }),
        ("a.db was cut from ", |directory| {
            let file = fs::File::options().write(true).open(directory.path("a.db")).expect("it opens");
            file.set_len(0).expect("cut");
        }),
        // As an older copy that is restored under a running store, with no fewer bytes.
        ("something other than SQLite wrote to ", |directory| {
            let path = directory.path("a.db");
            let (older, before) = (fs::read(&path).expect("read"), fs::metadata(&path).expect("there").modified());
            // The system's times are a few milliseconds long.
            while fs::metadata(&path).expect("there").modified().ok() == before.as_ref().ok().copied() {
                let mut file = fs::File::options().write(true).open(&path).expect("it opens");
                std::io::Write::write_all(&mut file, &older).expect("written over");
            }
        }),
        ("a.db-wal was removed or renamed while", |directory| {
            fs::remove_file(directory.path("a.db-wal")).expect("removed");
        }),
        ("a.db-wal was cut from ", |directory| {
            let file = fs::File::options().write(true).open(directory.path("a.db-wal")).expect("it opens");
            file.set_len(0).expect("cut");
        }),
        ("a.db-wal was cut from ", |directory| {
            let file = fs::File::options().write(true).open(directory.path("a.db-wal")).expect("it opens");
            let len = file.metadata().expect("there").len();
            file.set_len(len - 1).expect("cut");
        }),
    ];
    for (says, change) in changes {
        let directory = Directory::new();
        let store = directory.open().await;
        let (ran, running) = (operation(), operation());
        run(&store, &ran).await;
        let fence = grant(&store, &running).await;
        // It is all in the database's own file, as after a checkpoint.
        let written =
            store.transaction(|tx| tx.execute_batch("CREATE TABLE large AS SELECT zeroblob(100000) AS bytes"));
        written.await.expect("written");
        rusqlite::Connection::open(directory.path("a.db"))
            .and_then(|other| other.query_row("PRAGMA wal_checkpoint", (), |_| Ok(())))
            .expect("checkpointed");
        grant(&store, &operation()).await;

        change(&directory);
        let Err(StoreError::Unavailable(first)) = store.admit(&ran).await else { panic!("{says}: admitted") };
        let path = directory.path("").display().to_string();
        assert!(first.contains(says) && first.contains(&path), "{first}");
        // And nothing after it, whatever is at the path then.
        for _ in 0..2 {
            assert_eq!(store.admit(&operation()).await, Err(StoreError::Poisoned(first.clone())));
        }
        assert!(store.seal(&running.key, fence, outcome(b"late")).await.is_err());
        assert_eq!(store.failure(), Some(first.as_str()));
    }
}

/// It is shorter then, and whole.
#[tokio::test]
async fn a_database_that_another_process_tidies_up_goes_on() {
    let directory = Directory::new();
    let store = directory.open().await;
    let table = "CREATE TABLE large AS SELECT zeroblob(100000) AS bytes";
    store.transaction(move |tx| tx.execute_batch(table)).await.expect("written");
    let other = rusqlite::Connection::open(directory.path("a.db")).expect("it opens");
    let tidy = || other.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)").expect("tidied up");
    tidy();
    grant(&store, &operation()).await;
    let before = fs::metadata(directory.path("a.db")).expect("there").len();
    store.transaction(|tx| tx.execute_batch("DROP TABLE large")).await.expect("dropped");
    tidy();
    assert!(fs::metadata(directory.path("a.db")).expect("there").len() < before);
    grant(&store, &operation()).await;
    grant(&store, &operation()).await;
    // Nor does it matter when the log is taken over, by whom, and whether the store did something in between.
    for n in 0..20 {
        let table = format!("CREATE TABLE other{n} AS SELECT zeroblob(100000) AS bytes");
        other.execute_batch(&table).expect("written");
        if n % 3 == 0 {
            grant(&store, &operation()).await;
        }
        let mode = ["PASSIVE", "FULL", "RESTART", "TRUNCATE"][n % 4];
        other.execute_batch(&format!("PRAGMA wal_checkpoint({mode})")).expect("taken over");
        if n % 2 == 0 {
            grant(&store, &operation()).await;
        }
    }
}

#[tokio::test]
async fn a_second_store_is_refused_unless_both_share() {
    let directory = Directory::new();
    let path = directory.path("a.db");
    let store = directory.open().await;
    let wait = Duration::from_millis(20);
    for second in [SqliteStore::open(&path), SqliteStore::open(&path).shared()] {
        let error = second.busy_timeout(wait).await.expect_err("one is open").to_string();
        assert_eq!(
            error,
            format!(
                "the store is unavailable: the database {} cannot be opened: a store of this process has it open; \
                close that one first, or use that one, or open all stores on it with `SqliteStore::open(…).shared()`",
                path.display()
            )
        );
    }
    grant(&store, &operation()).await;
    drop(store);
    // Its thread closes it in a moment, and that is waited for.
    let shared = directory.shared().await;
    SqliteStore::open(&path).busy_timeout(wait).await.expect_err("one shares it, and this one does not");
    let second = directory.shared().await;
    shared.close().await;
    grant(&second, &operation()).await;
}

#[tokio::test]
async fn where_the_file_was_removed_under_a_store_no_second_one_makes_a_new_one() {
    let directory = Directory::new();
    let path = directory.path("a.db");
    let _store = directory.open().await;
    fs::remove_file(&path).expect("removed");
    let second = SqliteStore::open(&path).busy_timeout(Duration::ZERO).await;
    second.expect_err("its operations are those of the first");
    assert!(!path.exists());
}

#[cfg(unix)]
#[tokio::test]
async fn a_database_with_a_second_name_is_refused() {
    let directory = Directory::new();
    directory.open().await.close().await;
    fs::hard_link(directory.path("a.db"), directory.path("b.db")).expect("linked");
    let error = SqliteStore::open(directory.path("b.db")).await.expect_err("two names").to_string();
    assert!(error.contains("b.db cannot be opened: the file has another name"), "{error}");
}
