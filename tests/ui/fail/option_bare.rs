//! An attribute without a list.

#[vox::service]
pub trait Files {
    #[vox]
    async fn open(&self, name: String) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
