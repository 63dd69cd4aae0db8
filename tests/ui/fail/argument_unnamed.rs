//! An argument without a name.

#[vox::service]
pub trait Files {
    async fn open(&self, _: String) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
