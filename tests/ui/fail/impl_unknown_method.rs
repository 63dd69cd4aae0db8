//! An `impl` with a method that the trait does not have.

#[vox::service]
pub trait Files {
    async fn open(&self, name: String) -> u64;
}

struct Disk;

impl Files for Disk {
    async fn open(&self, name: String) -> u64 {
        name.len() as u64
    }
    async fn size(&self, name: String) -> u64 {
        name.len() as u64
    }
}

fn main() {}
