//! An associated constant.

#[vox::service]
pub trait Files {
    const LIMIT: u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
