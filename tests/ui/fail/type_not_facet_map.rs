//! A map deep inside of which a type is not `Facet`.

#[derive(Debug, Clone)]
pub struct Mode(pub u8);

#[vox::service]
pub trait Files {
    async fn open(&self, modes: std::collections::HashMap<String, (u64, Option<[Mode; 2]>)>) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
