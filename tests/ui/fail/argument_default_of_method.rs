//! A default above a method.

#[vox::service]
pub trait Files {
    #[vox(default)]
    async fn open(&self, name: String, limit: u32) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
