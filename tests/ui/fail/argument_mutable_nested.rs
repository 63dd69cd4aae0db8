//! A mutable reference inside of an argument.

#[vox::service]
pub trait Files {
    async fn open(&self, name: String, mode: Option<&mut u64>) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
