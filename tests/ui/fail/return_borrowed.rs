//! A borrowed result.

#[vox::service]
pub trait Files {
    async fn open(&self, name: String) -> &str;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
