//! A raw pointer as an argument.

#[vox::service]
pub trait Files {
    async fn open(&self, name: *const u8) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
