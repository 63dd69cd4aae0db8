//! A slice of something else than bytes.

#[vox::service]
pub trait Files {
    async fn open(&self, names: &[String]) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
