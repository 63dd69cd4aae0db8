//! A timeout of no time.

#[vox::service]
pub trait Files {
    #[vox(timeout = "0s")]
    async fn open(&self, name: String) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
