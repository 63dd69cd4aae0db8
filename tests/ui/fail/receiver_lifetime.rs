//! A receiver with a lifetime.

#[vox::service]
pub trait Files {
    async fn open(&'static self, name: String) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
