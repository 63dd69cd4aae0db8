//! A dotted name of a method.

#[vox::service]
pub trait Files {
    #[vox(name = "file.open")]
    async fn open(&self, name: String) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
