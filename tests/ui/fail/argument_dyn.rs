//! A trait object as an argument.

#[vox::service]
pub trait Files {
    async fn open(&self, name: Box<dyn std::fmt::Display>) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
