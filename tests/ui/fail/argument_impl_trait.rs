//! `impl Trait` as an argument.

#[vox::service]
pub trait Files {
    async fn open(&self, name: impl Into<String>) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
