//! The database: its settings, its tables.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, TransactionBehavior};

use super::files::{Files, names};
use super::owner::{self, Company, Owner};
use super::totals::recount;
use crate::catch_panic::catch_panic;
use crate::store::StoreError;

/// The oldest SQLite whose write-ahead log can be relied upon: older ones could lose what another connection wrote.
const OLDEST: i32 = 3_051_003;

/// How the tables look. Another number is another version's.
const FORMAT: i64 = 4;

const TOTALS: &str = "
CREATE TABLE IF NOT EXISTS vox_store (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    format INTEGER NOT NULL,
    -- The last fence that was given.
    fence INTEGER NOT NULL,
    -- The newest id that was forgotten because it was too old for anybody.
    floor BLOB NOT NULL,
    records INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    tombstones INTEGER NOT NULL,
    floors INTEGER NOT NULL
) STRICT";

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS vox_holders (
    -- 0: a principal, of whom '' is the anonymous one. 1: one peer of that one's.
    kind INTEGER NOT NULL,
    name TEXT NOT NULL,
    records INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    -- The newest id of this principal's that was forgotten for want of room.
    floor BLOB,
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS vox_floors ON vox_holders (floor) WHERE floor IS NOT NULL;
CREATE TABLE IF NOT EXISTS vox_operations (
    -- The fence of its admission: what ends it is found at once, and rows are added at the end.
    fence INTEGER PRIMARY KEY,
    -- 16 bytes, most significant first: so in the order of time.
    id BLOB NOT NULL,
    principal TEXT NOT NULL,
    -- Whose share of the anonymous principal's room it takes, if that is known.
    peer TEXT,
    service TEXT NOT NULL,
    method INTEGER NOT NULL,
    -- Empty in what was acknowledged.
    digest BLOB NOT NULL,
    -- 1 if the method could run again when this was admitted.
    idem INTEGER NOT NULL,
    -- 0: granted, 1: sealed, 2: given up, 3: acknowledged.
    state INTEGER NOT NULL,
    -- Empty in what was sealed or acknowledged.
    owner BLOB NOT NULL,
    -- Empty in what was acknowledged.
    schema BLOB NOT NULL,
    outcome BLOB,
    -- 16 bytes of BLAKE3 over what the outcome is of and the outcome.
    seal BLOB,
    -- Milliseconds since 1970. Of what was granted anew both are when: an earlier admission has ended then.
    admitted INTEGER NOT NULL,
    ended INTEGER
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS vox_keys ON vox_operations (id, principal);
-- The same once more, on pages of its own: where one of the two is damaged, the other one still has the key.
CREATE UNIQUE INDEX IF NOT EXISTS vox_keys_again ON vox_operations (id, principal);
CREATE INDEX IF NOT EXISTS vox_tombstones ON vox_operations (id) WHERE state = 3;
CREATE TABLE IF NOT EXISTS vox_schemas (
    hash BLOB PRIMARY KEY,
    bytes BLOB NOT NULL
) STRICT, WITHOUT ROWID;
";

/// How a store is to be opened.
pub(super) struct Opening<'a> {
    pub(super) path: &'a Path,
    pub(super) busy: Duration,
    pub(super) vfs: Option<&'a str>,
    pub(super) company: Company,
    /// How long the tables are checked.
    pub(super) check: Duration,
}

/// A database that is open, of which this process is an owner.
pub(super) struct Open {
    pub(super) connection: Connection,
    pub(super) owner: Owner,
    pub(super) path: PathBuf,
    pub(super) files: Files,
}

/// How long a store that is being closed may still be in the way, if `busy_timeout` is not shorter.
const CLOSING: Duration = Duration::from_secs(1);

/// Opens the database, and makes this process one of its owners.
pub(super) fn open(opening: &Opening<'_>) -> Result<Open, StoreError> {
    let path = opening.path;
    if rusqlite::version_number() < OLDEST {
        return Err(refuse(path, "SQLite is older than 3.51.3, whose write-ahead log can lose what was written"));
    }
    // Before a file is made: where the database was removed under an open store, there is to be no new one beside it.
    wait_for_others(opening, &real_path(path))?;
    let mut connection = connect(opening).map_err(|error| refuse_by(path, &error))?;
    // SQLite follows links to the database, so its owners meet beside the file itself, by whatever name each opened it.
    let path = real_path(path);
    if names(&path) > 1 {
        return Err(refuse(
            &path,
            "the file has another name (a hard link), and SQLite finds its log by the name: remove one",
        ));
    }
    let owner = prepare(&mut connection, &path, opening)?;
    let unwatchable = |error: io::Error| refuse(&path, error.to_string());
    let files = Files::of(&path, opening.company).map_err(unwatchable)?;
    Ok(Open { connection, owner, files, path })
}

/// The path of the file itself.
fn real_path(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| match (path.parent().map(Path::canonicalize), path.file_name()) {
        (Some(Ok(parent)), Some(name)) => parent.join(name),
        _ => path.to_owned(),
    })
}

/// A store that was dropped is closed in a moment. One that stays is in the way.
fn wait_for_others(opening: &Opening<'_>, path: &Path) -> Result<(), StoreError> {
    const LOOK: Duration = Duration::from_millis(10);
    let mut left = opening.busy.min(CLOSING);
    // A directory that cannot be read: what comes next says so.
    while let Ok(Some(file)) = owner::in_the_way(path, opening.company) {
        if left.is_zero() {
            return Err(occupied(path, &file));
        }
        std::thread::sleep(LOOK.min(left));
        left = left.saturating_sub(LOOK);
    }
    Ok(())
}

fn occupied(path: &Path, owner: &Path) -> StoreError {
    let process = owner::process(owner);
    refuse(
        path,
        format!(
            "a store of {process} has it open; close that one first, or use that one, or open all stores on it with `SqliteStore::open(…).shared()`"
        ),
    )
}

fn connect(opening: &Opening<'_>) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = match opening.vfs {
        Some(vfs) => Connection::open_with_flags_and_vfs(opening.path, flags, vfs)?,
        None => Connection::open_with_flags(opening.path, flags)?,
    };
    connection.busy_timeout(opening.busy)?;
    Ok(connection)
}

fn prepare(connection: &mut Connection, path: &Path, opening: &Opening<'_>) -> Result<Owner, StoreError> {
    let failed = |error: rusqlite::Error| refuse_by(path, &error);
    settings(connection, path)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    transaction.execute_batch(TOTALS).map_err(failed)?;
    let format = transaction.query_row("SELECT format FROM vox_store", (), |row| row.get(0)).optional();
    match format.map_err(failed)? {
        Some(FORMAT) => {}
        Some(format) => {
            return Err(refuse(path, format!("its tables are of format {format}, which this version does not know")));
        }
        // Only now: a table that is missed later is not made anew, without what was in it.
        None => {
            transaction.execute_batch(TABLES).map_err(failed)?;
            let first = "INSERT INTO vox_store VALUES (1, ?1, 0, zeroblob(16), 0, 0, 0, 0)";
            transaction.execute(first, (FORMAT,)).map_err(failed)?;
        }
    }
    let unlockable = |error: io::Error| refuse(path, format!("no file beside it can be locked: {error}"));
    if let Some(file) = owner::remove_stale_owner_files(path, opening.company).map_err(unlockable)? {
        return Err(occupied(path, &file));
    }
    let owner = Owner::new(path, opening.company).map_err(unlockable)?;
    transaction.commit().map_err(failed)?;
    check(connection, path, opening.check)?;
    Ok(owner)
}

fn settings(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let failed = |error: rusqlite::Error| refuse_by(path, &error);
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", (), |row| row.get(0)).map_err(failed)?;
    if mode != "wal" {
        return Err(refuse(path, format!("its journal is `{mode}` and cannot be `wal`")));
    }
    // The second pair is for systems where a sync leaves the disk's own cache alone.
    connection
        .execute_batch("PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON")
        .map_err(failed)?;
    let synchronous: i64 = connection.query_row("PRAGMA synchronous", (), |row| row.get(0)).map_err(failed)?;
    if synchronous != 2 {
        return Err(refuse(path, format!("`synchronous` is {synchronous} and cannot be `FULL`")));
    }
    // A log that has grown is cut to this when it starts again.
    let _: i64 = connection.query_row("PRAGMA journal_size_limit = 67108864", (), |row| row.get(0)).map_err(failed)?;
    Ok(())
}

/// Has SQLite compare the tables with their indices, and then the totals with the records, each for as long as it may take. What it did not come to is found when it is
/// looked up.
fn check(connection: &mut Connection, path: &Path, time: Duration) -> Result<(), StoreError> {
    if time.is_zero() {
        return Ok(());
    }
    match within(time, connection, find_damage) {
        Ok(Some(Some(what))) => return Err(refuse(path, damaged(&what))),
        Ok(_) => {}
        Err(error) => return Err(refuse(path, damaged(&error.to_string()))),
    }
    let has_drifted = within(time, connection, recount).map_err(|error| refuse_by(path, &error))?;
    if has_drifted == Some(true) {
        catch_panic(
            || tracing::warn!(database = %path.display(), "the totals of the store were not those of its records, and are now"),
        );
    }
    Ok(())
}

/// Has something done, for as long as it may take. `None`: it took longer, and nothing of it was done.
fn within<T>(
    time: Duration,
    connection: &mut Connection,
    work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<Option<T>> {
    let began = Instant::now();
    let is_over = move || began.elapsed() >= time;
    connection.progress_handler(STEPS, Some(is_over))?;
    let done = work(connection);
    connection.progress_handler(0, None::<fn() -> bool>)?;
    match done {
        Ok(done) => Ok(Some(done)),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => Ok(None),
        Err(error) => Err(error),
    }
}

/// After how many of its steps SQLite looks at the clock.
const STEPS: i32 = 1_000;

fn find_damage(connection: &mut Connection) -> rusqlite::Result<Option<String>> {
    for table in ["vox_store", "vox_operations", "vox_holders"] {
        let said: String = connection.query_row(&format!("PRAGMA integrity_check({table})"), (), |row| row.get(0))?;
        if said != "ok" {
            return Ok(Some(said));
        }
    }
    Ok(None)
}

/// What is to be done about a database that is not what was written.
pub(super) fn damaged(what: &str) -> String {
    format!("it is damaged ({what}); have SQLite make its indices anew (`REINDEX`), or restore it")
}

/// As SQLite says it, and what is to be done where the database is not what was written.
fn refuse_by(path: &Path, error: &rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt) => refuse(path, damaged(&error.to_string())),
        _ => refuse(path, error.to_string()),
    }
}

fn refuse(path: &Path, why: impl Into<String>) -> StoreError {
    StoreError::Unavailable(format!("the database {} cannot be opened: {}", path.display(), why.into()))
}
