//! A reference inside of a result.

#[vox::service]
pub trait Files {
    async fn open(&self, name: String) -> Option<&str>;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
