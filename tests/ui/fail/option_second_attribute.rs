//! Two attributes on one method.

#[vox::service]
pub trait Files {
    #[vox(idem)]
    #[vox(persist)]
    async fn open(&self, name: String) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
