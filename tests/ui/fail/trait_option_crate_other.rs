//! A path to what is not vox.

#[vox::service(crate = std::io)]
pub trait Files {
    async fn open(&self, name: String) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
