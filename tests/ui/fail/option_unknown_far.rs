//! An unknown option, far from any.

#[vox::service]
pub trait Files {
    #[vox(idem, reliable)]
    async fn open(&self, name: String) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
