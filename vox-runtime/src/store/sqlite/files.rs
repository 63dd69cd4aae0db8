//! The database's files, as they were when the store was opened: one that is another by now is noticed.
//!
//! SQLite keeps its files open and finds none of this: it writes on to a file that has no name any more, or whose name is another
//! file's. The files are looked at by name. None is opened: a process that closes a file of SQLite's loses its locks on it.

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

/// The database, its log and its log's index.
pub(super) struct Files {
    database: PathBuf,
    watched: Vec<(PathBuf, Identity)>,
    /// The longest that the database has been.
    len: u64,
}

/// Which file it is, where the system says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
}

impl Files {
    /// Those of a database that is open. A file system of SQLite's that keeps it elsewhere has none, and nothing is watched.
    pub(super) fn of(database: &Path) -> io::Result<Self> {
        let mut files = Self { database: database.to_owned(), watched: Vec::new(), len: 0 };
        for name in [database.to_owned(), beside(database, "-wal"), beside(database, "-shm")] {
            match fs::metadata(&name) {
                Ok(metadata) => files.watched.push((name, Identity::of(&metadata))),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(files)
    }

    /// Why the database is not the one that was opened any more, if it is not.
    pub(super) fn fault(&mut self, connection: &Connection) -> Option<String> {
        let mut len = None;
        for (name, identity) in &self.watched {
            let metadata = match fs::metadata(name) {
                Ok(metadata) => metadata,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Some(format!("{} was removed or renamed while the store was open", name.display()));
                }
                Err(error) => return Some(format!("{} cannot be looked at: {error}", name.display())),
            };
            if Identity::of(&metadata) != *identity {
                return Some(format!("{} was replaced by another file while the store was open", name.display()));
            }
            len.get_or_insert(metadata.len());
        }
        let len = len?;
        // It shrinks where somebody has it tidied up (`VACUUM`), and then SQLite knows its length.
        if len < self.len && (len == 0 || expected_len(connection).is_none_or(|expected| len < expected)) {
            let (name, before) = (self.database.display(), self.len);
            return Some(format!("{name} was cut from {before} to {len} bytes while the store was open"));
        }
        self.len = len;
        None
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
