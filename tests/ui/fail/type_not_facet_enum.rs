//! An enum without the `repr` that `Facet` needs.

#[derive(facet::Facet)]
pub enum Mode {
    Read,
    Write,
}

#[vox::service]
pub trait Files {
    async fn open(&self, mode: Mode) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
