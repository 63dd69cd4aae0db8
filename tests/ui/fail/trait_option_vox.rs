//! `#[vox(…)]` on the trait.

#[vox::service]
#[vox(name = "Disk")]
pub trait Files {
    async fn open(&self, name: String) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
