//! A slice without an owner.

#[vox::service]
pub trait Files {
    async fn open(&self, name: [u8]) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
