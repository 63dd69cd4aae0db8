//! An attribute on an argument.

#[vox::service]
pub trait Files {
    async fn open(&self, #[allow(unused)] name: String) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
