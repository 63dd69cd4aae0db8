//! A channel of channels.

#[vox::service]
pub trait Files {
    async fn open(&self, parts: vox::Rx<vox::Rx<u64>>) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
