//! `impl Trait` as a result.

#[vox::service]
pub trait Files {
    async fn open(&self, name: String) -> impl Iterator<Item = u64>;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
