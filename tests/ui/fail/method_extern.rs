//! A method with an ABI.

#[vox::service]
pub trait Files {
    async extern "C" fn open(&self, name: String) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
