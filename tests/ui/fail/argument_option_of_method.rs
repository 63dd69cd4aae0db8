//! An option of a method on an argument.

#[vox::service]
pub trait Files {
    async fn open(&self, name: String, #[vox(idem)] limit: u32) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
