//! A type left to be inferred.

#[vox::service]
pub trait Files {
    async fn open(&self, names: Vec<_>) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
