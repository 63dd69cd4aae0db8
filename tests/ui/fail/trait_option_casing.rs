//! An unknown casing.

#[vox::service(rename_all = "camel")]
pub trait Files {
    async fn open(&self, name: String) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
