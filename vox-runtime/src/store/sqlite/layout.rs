//! The database: its settings, its tables.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior};

use super::owner::{self, Owner};
use crate::store::StoreError;

/// The oldest SQLite whose write-ahead log can be relied upon: older ones could lose what another connection wrote.
const OLDEST: i32 = 3_051_003;

/// How the tables look. Another number is another version's.
const FORMAT: i64 = 2;

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
CREATE TABLE IF NOT EXISTS vox_principals (
    name TEXT PRIMARY KEY,
    records INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    -- The newest id of this principal's that was forgotten for want of room.
    floor BLOB
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS vox_floors ON vox_principals (floor) WHERE floor IS NOT NULL;
CREATE TABLE IF NOT EXISTS vox_operations (
    -- The fence of its admission: what ends it is found at once, and rows are added at the end.
    fence INTEGER PRIMARY KEY,
    -- 16 bytes, most significant first: so in the order of time.
    id BLOB NOT NULL,
    principal TEXT NOT NULL,
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
CREATE INDEX IF NOT EXISTS vox_tombstones ON vox_operations (id) WHERE state = 3;
CREATE TABLE IF NOT EXISTS vox_schemas (
    hash BLOB PRIMARY KEY,
    bytes BLOB NOT NULL
) STRICT, WITHOUT ROWID;
";

/// Opens the database, and makes this process one of its owners.
pub(super) fn open(path: &Path, busy: Duration, vfs: Option<&str>) -> Result<(Connection, Owner, PathBuf), StoreError> {
    if rusqlite::version_number() < OLDEST {
        return Err(refuse(path, "SQLite is older than 3.51.3, whose write-ahead log can lose what was written"));
    }
    let mut connection = connect(path, busy, vfs).map_err(|error| refuse(path, error.to_string()))?;
    // SQLite follows links to the database, so its owners meet beside the file itself, by whatever name each opened it.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let owner = prepare(&mut connection, &path)?;
    Ok((connection, owner, path))
}

fn connect(path: &Path, busy: Duration, vfs: Option<&str>) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = match vfs {
        Some(vfs) => Connection::open_with_flags_and_vfs(path, flags, vfs)?,
        None => Connection::open_with_flags(path, flags)?,
    };
    connection.busy_timeout(busy)?;
    Ok(connection)
}

fn prepare(connection: &mut Connection, path: &Path) -> Result<Owner, StoreError> {
    let failed = |error: rusqlite::Error| refuse(path, error.to_string());
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

    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    transaction.execute_batch(TOTALS).map_err(failed)?;
    let format = transaction.query_row("SELECT format FROM vox_store", (), |row| row.get(0)).optional();
    match format.map_err(failed)? {
        Some(FORMAT) => {}
        Some(format) => {
            return Err(refuse(path, format!("its tables are of format {format}, which this version does not know")));
        }
        None => {
            let first = "INSERT INTO vox_store VALUES (1, ?1, 0, zeroblob(16), 0, 0, 0, 0)";
            transaction.execute(first, (FORMAT,)).map_err(failed)?;
        }
    }
    transaction.execute_batch(TABLES).map_err(failed)?;
    let unlockable = |error: std::io::Error| refuse(path, format!("no file beside it can be locked: {error}"));
    owner::bury_the_dead(path).map_err(unlockable)?;
    let owner = Owner::new(path).map_err(unlockable)?;
    transaction.commit().map_err(failed)?;
    Ok(owner)
}

fn refuse(path: &Path, why: impl Into<String>) -> StoreError {
    StoreError::Unavailable(format!("the database {} cannot be opened: {}", path.display(), why.into()))
}
