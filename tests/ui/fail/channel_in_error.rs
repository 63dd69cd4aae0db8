//! A channel in the error.

#[vox::service]
pub trait Files {
    async fn open(&self, name: String) -> Result<u64, vox::Rx<String>>;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
