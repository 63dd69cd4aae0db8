//! A type with a lifetime.

#[vox::service]
pub trait Files {
    async fn open(&self, name: std::borrow::Cow<'_, str>) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
