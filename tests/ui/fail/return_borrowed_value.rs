//! A borrowed result of another type.

#[vox::service]
pub trait Files {
    async fn open(&self, name: String) -> Result<&u64, String>;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
