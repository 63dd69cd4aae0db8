//! An `impl` that returns another type.

#[vox::service]
pub trait Files {
    async fn open(&self, name: String) -> Result<u64, String>;
    async fn size(&self, name: String) -> u64;
}

struct Disk;

impl Files for Disk {
    async fn open(&self, name: String) -> Result<u32, String> {
        Ok(name.len() as u32)
    }
    async fn size(&self, name: String) -> u64 {
        name.len() as u64
    }
}

fn main() {}
