//! An attribute of an argument that says nothing.

#[vox::service]
pub trait Files {
    async fn open(&self, name: String, #[vox()] limit: u32) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
