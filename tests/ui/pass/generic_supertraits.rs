//! Supertraits with arguments, associated types and lifetimes.

use std::fmt::{Debug, Display};

pub trait Stores<T>: Send {
    type Key;
}

#[vox::service]
pub trait Files: Debug + Display + Stores<u64, Key = String> + AsRef<str> + Send + Sync + 'static {
    async fn open(&self, name: String) -> u64;
}

#[derive(Debug)]
struct Disk;

impl Display for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("disk")
    }
}

impl Stores<u64> for Disk {
    type Key = String;
}

impl AsRef<str> for Disk {
    fn as_ref(&self) -> &str {
        "disk"
    }
}

impl Files for Disk {
    async fn open(&self, name: String) -> u64 {
        name.len() as u64
    }
}

fn shown<F: Files>(files: &F) -> String {
    format!("{files} {files:?} {}", files.as_ref())
}

fn main() {
    let _ = FilesDispatcher::new(Disk);
    assert_eq!(shown(&Disk), "disk Disk disk");
}
