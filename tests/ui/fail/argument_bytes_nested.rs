//! `&[u8]` inside another type.

#[vox::service]
pub trait Files {
    async fn open(&self, parts: Vec<&[u8]>) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
