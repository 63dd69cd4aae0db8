//! A method that is generic over a number.

#[vox::service]
pub trait Files {
    async fn open<const N: usize>(&self, name: [u8; N]) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
