//! The owner of an operation: who runs it, and whether that process lives.

use std::ffi::OsString;
use std::fmt::Write;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::operation::OperationId;

/// Names one opening of a store by one process. Never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct OwnerId(pub(super) [u8; 16]);

/// Whether other stores may have the database open at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Company {
    /// No other store may.
    Alone,
    /// Those may that say so too.
    Shared,
}

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
    pub(super) fn new(database: &Path, company: Company) -> io::Result<Self> {
        let id = OwnerId(OperationId::new().to_u128().to_be_bytes());
        let path = id.path(database, company);
        let mut file = File::options().write(true).create_new(true).open(&path)?;
        // It may wait for somebody who only looks whether it is locked.
        file.lock()?;
        // For people, and for the error of a store that is refused.
        io::Write::write_all(&mut file, std::process::id().to_string().as_bytes())?;
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
        [Company::Shared, Company::Alone].iter().any(|company| is_locked(&self.path(database, *company)))
    }

    fn path(self, database: &Path, company: Company) -> PathBuf {
        let mut name = prefix(database);
        if company == Company::Alone {
            name.push(ALONE);
        }
        let hex = self.0.iter().fold(String::new(), |mut hex, byte| {
            // Writing to a string does not fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        name.push(hex);
        database.with_file_name(name)
    }
}

/// What the name of an owner's file has before its id, where it is alone.
const ALONE: &str = "alone-";

/// Takes the files of the dead away. Gives one of the living that does not let another store in that wants such company.
pub(super) fn remove_stale_owner_files(database: &Path, company: Company) -> io::Result<Option<PathBuf>> {
    each(database, company, |dead| {
        // Another time, if not now.
        drop(fs::remove_file(dead));
    })
}

/// As [`remove_stale_owner_files`], and changes nothing.
pub(super) fn in_the_way(database: &Path, company: Company) -> io::Result<Option<PathBuf>> {
    each(database, company, |_| ())
}

fn each(database: &Path, company: Company, on_dead: impl Fn(&Path)) -> io::Result<Option<PathBuf>> {
    let directory = match database.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let prefix = prefix(database);
    let mut in_the_way = None;
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.as_encoded_bytes()).unwrap_or_default();
        let Some(rest) = name.strip_prefix(prefix.as_encoded_bytes()) else { continue };
        match is_locked(&path) {
            false => on_dead(&path),
            true if company == Company::Alone || rest.starts_with(ALONE.as_bytes()) => in_the_way = Some(path),
            true => {}
        }
    }
    Ok(in_the_way)
}

/// Which process an owner's file is of, as far as it says.
pub(super) fn process(path: &Path) -> String {
    match fs::read_to_string(path) {
        Ok(id) if id == std::process::id().to_string() => "this process".to_owned(),
        Ok(id) if !id.is_empty() && id.len() <= 10 && id.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("process {id}")
        }
        Ok(_) | Err(_) => "another process".to_owned(),
    }
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
        for company in [Company::Alone, Company::Shared] {
            let owner = Owner::new(&database, company).expect("an owner");
            let id = owner.id;
            assert!(id.lives(&database));
            remove_stale_owner_files(&database, company).expect("buried");
            assert!(id.lives(&database));
            drop(owner);
            assert!(!id.lives(&database));
            assert!(!id.path(&database, company).exists());
        }
    }

    #[test]
    fn an_owner_who_is_alone_is_in_the_way_of_all_and_one_who_shares_of_those_who_do_not() {
        use Company::{Alone, Shared};
        let directory = Directory::new();
        let database = directory.path("a.db");
        for (first, second, is_refused) in
            [(Alone, Alone, true), (Alone, Shared, true), (Shared, Alone, true), (Shared, Shared, false)]
        {
            let owner = Owner::new(&database, first).expect("an owner");
            let found = remove_stale_owner_files(&database, second).expect("looked for");
            assert_eq!(found.is_some(), is_refused, "{first:?}, then {second:?}");
            assert_eq!(in_the_way(&database, second).expect("looked for"), found);
            assert!(found.is_none_or(|found| process(&found) == "this process"));
            drop(owner);
        }
    }

    #[test]
    fn the_file_of_a_dead_owner_is_taken_away() {
        let directory = Directory::new();
        let database = directory.path("a.db");
        let id = OwnerId([7; 16]);
        // As a process leaves it that is killed.
        fs::write(id.path(&database, Company::Alone), "").expect("written");
        fs::write(directory.path("b.db.owner-7"), "").expect("written");
        assert!(!id.lives(&database));
        assert_eq!(in_the_way(&database, Company::Alone).expect("looked for"), None);
        assert_eq!(remove_stale_owner_files(&database, Company::Alone).expect("buried"), None);
        assert!(!id.path(&database, Company::Alone).exists());
        assert!(directory.path("b.db.owner-7").exists(), "another database's");
    }
}
