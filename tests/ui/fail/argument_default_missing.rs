//! `#[vox(default)]` of a type that has none.

#[derive(facet::Facet)]
#[repr(u8)]
pub enum Mode {
    Read,
    Write,
}

#[vox::service]
pub trait Files {
    async fn open(&self, name: String, #[vox(default)] mode: Mode) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
