//! A channel whose items are not `Facet`.

#[derive(Debug, Clone)]
pub struct Mode(pub u8);

#[vox::service]
pub trait Files {
    async fn open(&self, modes: vox::Rx<Mode>) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
