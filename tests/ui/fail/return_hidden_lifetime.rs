//! A result that borrows, and does not say so.

#[vox::service]
pub trait Files {
    async fn open(&self) -> std::borrow::Cow<str>;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
