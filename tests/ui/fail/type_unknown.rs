//! A type that does not exist.

#[vox::service]
pub trait Files {
    async fn open(&self, mode: Mood) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
