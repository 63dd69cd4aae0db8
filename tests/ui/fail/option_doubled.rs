//! An option given twice.

#[vox::service]
pub trait Files {
    #[vox(idem, timeout = "1s", idem)]
    async fn open(&self, name: String) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
