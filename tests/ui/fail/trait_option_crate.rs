//! A quoted path.

#[vox::service(crate = "vox")]
pub trait Files {
    async fn open(&self, name: String) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
