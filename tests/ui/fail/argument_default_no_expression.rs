//! A default that is no expression.

#[vox::service]
pub trait Files {
    async fn open(&self, name: String, #[vox(default = struct)] limit: u32) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
