//! Who runs an operation, and whether it lives.

use std::ffi::OsString;
use std::fmt::Write;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::operation::OperationId;

/// Names one opening of a store by one process. Never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct OwnerId(pub(super) [u8; 16]);

/// An opening, which lives as long as this does, and no longer than the process: the operating system ends its lock.
///
/// Its file is made, and those of the dead are taken away, within a transaction that writes to the database: so no two
/// processes do so at once, and a file that is there without a lock has been left.
pub(super) struct Owner {
    pub(super) id: OwnerId,
    path: PathBuf,
    /// Holds the lock.
    _file: File,
}

impl Owner {
    pub(super) fn new(database: &Path) -> io::Result<Self> {
        let id = OwnerId(OperationId::new().to_u128().to_be_bytes());
        let path = id.path(database);
        let file = File::options().write(true).create_new(true).open(&path)?;
        file.try_lock().map_err(io::Error::from)?;
        Ok(Self { id, path, _file: file })
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        // What cannot be taken away now is when a store is opened next.
        drop(fs::remove_file(&self.path));
    }
}

impl OwnerId {
    /// Whether the process of this opening may still be there. Where that cannot be found out, it may.
    pub(super) fn lives(self, database: &Path) -> bool {
        is_locked(&self.path(database))
    }

    fn path(self, database: &Path) -> PathBuf {
        let mut name = prefix(database);
        let hex = self.0.iter().fold(String::new(), |mut hex, byte| {
            // Writing to a string does not fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        name.push(hex);
        database.with_file_name(name)
    }
}

/// Takes the files of the dead away.
pub(super) fn bury_the_dead(database: &Path) -> io::Result<()> {
    let directory = match database.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let prefix = prefix(database);
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let is_ours =
            path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(prefix.as_encoded_bytes()));
        if is_ours && !is_locked(&path) {
            // Another time, if not now.
            drop(fs::remove_file(path));
        }
    }
    Ok(())
}

fn prefix(database: &Path) -> OsString {
    let mut name = database.file_name().unwrap_or_default().to_owned();
    name.push(".owner-");
    name
}

fn is_locked(path: &Path) -> bool {
    match File::open(path) {
        Ok(file) => match file.try_lock_shared() {
            Ok(()) => false,
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => true,
        },
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::testing::Directory;

    #[test]
    fn an_owner_lives_as_long_as_it_is_held() {
        let directory = Directory::new();
        let database = directory.path("a.db");
        let owner = Owner::new(&database).expect("an owner");
        let id = owner.id;
        assert!(id.lives(&database));
        bury_the_dead(&database).expect("buried");
        assert!(id.lives(&database));
        drop(owner);
        assert!(!id.lives(&database));
        assert!(!id.path(&database).exists());
    }

    #[test]
    fn the_file_of_a_dead_owner_is_taken_away() {
        let directory = Directory::new();
        let database = directory.path("a.db");
        let id = OwnerId([7; 16]);
        // As a process leaves it that is killed.
        fs::write(id.path(&database), "").expect("written");
        fs::write(directory.path("b.db.owner-7"), "").expect("written");
        assert!(!id.lives(&database));
        bury_the_dead(&database).expect("buried");
        assert!(!id.path(&database).exists());
        assert!(directory.path("b.db.owner-7").exists(), "another database's");
    }
}
