//! An alias of `Result` whose error is not `Facet`.

#[vox::service]
pub trait Files {
    async fn open(&self) -> std::io::Result<u64>;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
