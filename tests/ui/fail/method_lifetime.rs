//! A method with a lifetime.

#[vox::service]
pub trait Files {
    async fn open<'a>(&self, name: &'a str) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
