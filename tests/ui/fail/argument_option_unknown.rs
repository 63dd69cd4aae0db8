//! An unknown option on an argument, nearly right.

#[vox::service]
pub trait Files {
    async fn open(&self, name: String, #[vox(defualt)] limit: u32) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
