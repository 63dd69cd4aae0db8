//! An argument that borrows, and does not say so.

#[vox::service]
pub trait Files {
    async fn open(&self, name: std::borrow::Cow<str>) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
