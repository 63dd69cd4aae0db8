//! A default of another type than the argument's.

#[vox::service]
pub trait Files {
    async fn open(&self, name: String, #[vox(default = "10")] limit: u32) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
