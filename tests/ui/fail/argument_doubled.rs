//! Two arguments of one name.

#[vox::service]
pub trait Files {
    async fn open(&self, name: String, name: u64) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
