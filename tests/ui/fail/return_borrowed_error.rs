//! A borrowed error.

#[vox::service]
pub trait Files {
    async fn open(&self, name: String) -> Result<u64, &str>;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
