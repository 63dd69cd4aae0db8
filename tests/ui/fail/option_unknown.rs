//! An unknown option, nearly right.

#[vox::service]
pub trait Files {
    #[vox(idme)]
    async fn open(&self, name: String) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
