//! A timeout without a unit.

#[vox::service]
pub trait Files {
    #[vox(timeout = "2")]
    async fn open(&self, name: String) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
