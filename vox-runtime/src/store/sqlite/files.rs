//! The database's files as they were when the store was opened. The store notices one that was replaced.
//!
//! SQLite keeps its files open and finds none of this: it writes on to a file that has no name any more, or whose name is another
//! file's, and to one whose content is another's. The files are looked at by name. None is opened: a process that closes a file of SQLite's loses
//! its locks on it.
//!
//! While there is a log, SQLite writes to the database itself only when it takes over what is in the log, and says how far it has come in that, and
//! whether another connection has committed. So where the file has another time than after the last transaction, and SQLite knows of nothing, something
//! else has written to it. Among stores that share a database this is not looked at: one that dies while it takes over the log looks the same.

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rusqlite::Connection;

use super::owner::Company;
use super::statements::Statements;

/// The database, its log and its log's index.
pub(super) struct Files {
    database: PathBuf,
    watched: Vec<(PathBuf, Identity)>,
    /// The longest that the database has been.
    len: u64,
    /// How long the log was after the last transaction.
    log_len: u64,
    company: Company,
    /// When the database was written to last, where the system says so at once.
    written: Option<SystemTime>,
    progress: Option<Progress>,
}

/// What SQLite knows of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Progress {
    /// How many pages the log has.
    log: i64,
    /// How many of them the database has taken over.
    taken_over: i64,
    /// Another number since the last commit of another connection.
    version: i64,
}

/// Which file it is, where the system says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
}

impl Files {
    /// Those of a database that is open. A file system of SQLite's that keeps it elsewhere has none, and nothing is watched.
    pub(super) fn of(database: &Path, company: Company) -> io::Result<Self> {
        let (named, watched) = (database.to_owned(), Vec::new());
        let mut files = Self { database: named, watched, len: 0, log_len: 0, company, written: None, progress: None };
        for name in [database.to_owned(), beside(database, "-wal"), beside(database, "-shm")] {
            match fs::symlink_metadata(&name) {
                Ok(metadata) => files.watched.push((name, Identity::of(&metadata))),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(files)
    }

    /// A transaction has ended: what the database looks like now is SQLite's doing.
    pub(super) fn settle(&mut self, statements: &mut Statements<'_>) {
        if self.company == Company::Shared {
            return;
        }
        self.written = self.watched.first().and_then(|(name, _)| written(&fs::metadata(name).ok()?));
        self.log_len = fs::metadata(beside(&self.database, "-wal")).map_or(0, |log| log.len());
        self.progress = Progress::of(statements);
    }

    /// Why the database is not the one that was opened any more, if it is not.
    pub(super) fn fault(&mut self, connection: &Connection, statements: &mut Statements<'_>) -> Option<String> {
        let (mut len, mut now, mut log) = (None, None, None);
        for (name, identity) in &self.watched {
            // Links in the name were followed when the store was opened. One that is there by now leads elsewhere, to a log of another name.
            let metadata = match fs::symlink_metadata(name) {
                Ok(metadata) => metadata,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Some(format!("{} was removed or renamed while the store was open", name.display()));
                }
                Err(error) => return Some(format!("{} cannot be looked at: {error}", name.display())),
            };
            if Identity::of(&metadata) != *identity {
                return Some(format!("{} was replaced by another file while the store was open", name.display()));
            }
            if len.is_none() {
                (len, now) = (Some(metadata.len()), written(&metadata));
            } else if log.is_none() {
                log = Some((name, metadata.len()));
            }
        }
        let len = len?;
        // It shrinks where somebody has it tidied up (`VACUUM`), and then SQLite knows its length.
        if len < self.len && (len == 0 || expected_len(connection).is_none_or(|expected| len < expected)) {
            let (name, before) = (self.database.display(), self.len);
            return Some(format!("{name} was cut from {before} to {len} bytes while the store was open"));
        }
        self.len = len;
        // Who takes over the log and empties it says that to SQLite first.
        if let Some((name, log)) = log
            && log < self.log_len
            && self.progress.is_some_and(|before| before.log > 0 && before.stands(statements))
        {
            let (name, before) = (name.display(), self.log_len);
            return Some(format!("{name} was cut from {before} to {log} bytes while the store was open"));
        }
        if now != self.written && self.company == Company::Alone {
            // Of an empty log it cannot be said what has become of what was in it.
            if self.progress.is_some_and(|before| before.log > 0 && before.stands(statements)) {
                let name = self.database.display();
                return Some(format!("something other than SQLite wrote to {name} while the store was open"));
            }
        }
        None
    }
}

/// When a file was written to. Other systems may say so later than it is.
fn written(metadata: &Metadata) -> Option<SystemTime> {
    if cfg!(unix) { metadata.modified().ok() } else { None }
}

/// How long another connection, which is no store's, may take to say that it has taken over the log.
const TAKING_OVER: Duration = Duration::from_secs(1);

impl Progress {
    /// Whether SQLite knows of nothing that was done since, and goes on knowing of nothing.
    fn stands(self, statements: &mut Statements<'_>) -> bool {
        const LOOK: Duration = Duration::from_millis(10);
        let mut left = TAKING_OVER;
        while Self::of(statements) == Some(self) {
            if left.is_zero() {
                return true;
            }
            std::thread::sleep(LOOK);
            left = left.saturating_sub(LOOK);
        }
        false
    }

    /// Asks SQLite, and has it do nothing. `None` where it does not say.
    fn of(statements: &mut Statements<'_>) -> Option<Self> {
        let (log, taken_over) = statements.log.query_row((), |row| Ok((row.get(1)?, row.get(2)?))).ok()?;
        let version = statements.version.query_row((), |row| row.get(0)).ok()?;
        Some(Self { log, taken_over, version })
    }
}

/// How long the database is to be, by what SQLite knows of it.
fn expected_len(connection: &Connection) -> Option<u64> {
    let ask = |pragma: &str| connection.query_row(pragma, (), |row| row.get::<_, u32>(0)).ok();
    Some(u64::from(ask("PRAGMA page_count")?) * u64::from(ask("PRAGMA page_size")?))
}

pub(super) fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = database.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    database.with_file_name(name)
}

impl Identity {
    #[cfg(unix)]
    fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self { device: metadata.dev(), inode: metadata.ino() }
    }

    /// Systems that do not let a file be removed that is open do not let it be replaced either.
    #[cfg(not(unix))]
    fn of(_: &Metadata) -> Self {
        Self { device: 0, inode: 0 }
    }
}

/// How many names a file has. Of a database with a second one SQLite would keep a second log.
#[cfg(unix)]
pub(super) fn names(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(path).map_or(1, |metadata| metadata.nlink())
}

#[cfg(not(unix))]
pub(super) fn names(_: &Path) -> u64 {
    1
}
