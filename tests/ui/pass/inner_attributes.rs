//! Attributes that stand inside of the trait.

#![deny(warnings)]

#[vox::service]
pub trait Files {
    #![doc = "Keeps files."]
    #![allow(non_snake_case)]
    async fn OPEN(&self) -> u64;
}

struct Disk;

impl Files for Disk {
    async fn OPEN(&self) -> u64 {
        1
    }
}

fn main() {
    let _ = FilesDispatcher::new(Disk);
    assert_eq!(FilesClient::SERVICE.docs, "Keeps files.");
}
