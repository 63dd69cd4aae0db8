//! A method that never returns.

#[vox::service]
pub trait Files {
    async fn open(&self, name: String) -> !;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
