//! A timeout without a value.

#[vox::service]
pub trait Files {
    #[vox(timeout)]
    async fn open(&self, name: String) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
