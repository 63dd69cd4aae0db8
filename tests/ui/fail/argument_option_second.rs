//! Two attributes on an argument.

#[vox::service]
pub trait Files {
    async fn open(&self, name: String, #[vox(default)] #[vox(default = 7)] limit: u32) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
