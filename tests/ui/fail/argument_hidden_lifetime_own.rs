//! An argument of a type that borrows, and does not say so.

#[derive(facet::Facet)]
pub struct Name<'a> {
    pub name: std::borrow::Cow<'a, str>,
}

#[vox::service]
pub trait Files {
    async fn open(&self, name: Name) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
