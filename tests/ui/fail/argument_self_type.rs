//! `Self` as an argument.

#[vox::service]
pub trait Files {
    async fn open(&self, other: Box<Self>) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
