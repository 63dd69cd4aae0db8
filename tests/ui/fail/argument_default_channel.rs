//! A default for a channel.

#[vox::service]
pub trait Files {
    async fn open(&self, name: String, #[vox(default)] lines: vox::Tx<String>) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
