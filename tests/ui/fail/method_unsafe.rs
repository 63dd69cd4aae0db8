//! An `unsafe` method.

#[vox::service]
pub trait Files {
    async unsafe fn open(&self, name: String) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
