//! A value for an option that takes none.

#[vox::service]
pub trait Files {
    #[vox(idem = true)]
    async fn open(&self, name: String) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
