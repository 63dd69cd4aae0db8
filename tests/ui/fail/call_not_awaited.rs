//! A call that nobody awaits.

#![deny(unused_must_use)]

#[vox::service]
pub trait Files {
    async fn open(&self, name: String) -> u64;
    async fn size(&self, name: String) -> u64;
}

async fn calls(files: FilesClient) {
    files.open(String::new());
}

fn main() {}
