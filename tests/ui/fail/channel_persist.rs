//! A channel in a `persist` method.

#[vox::service]
pub trait Files {
    #[vox(persist)]
    async fn open(&self, parts: vox::Rx<u64>) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
