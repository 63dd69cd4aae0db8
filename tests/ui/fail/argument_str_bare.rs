//! A `str` without an owner.

#[vox::service]
pub trait Files {
    async fn open(&self, name: str) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
