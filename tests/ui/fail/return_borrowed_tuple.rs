//! References in a tuple.

#[vox::service]
pub trait Files {
    async fn open(&self, name: String) -> (u64, &[u8]);
    async fn size(&self, name: String) -> u64;
}

fn main() {}
