//! Options without commas.

#[vox::service]
pub trait Files {
    #[vox(42)]
    async fn open(&self, name: String) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
