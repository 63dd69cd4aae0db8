//! A channel deep in the result.

#[vox::service]
pub trait Files {
    async fn open(&self, name: String) -> Result<Option<vox::Tx<u64>>, String>;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
