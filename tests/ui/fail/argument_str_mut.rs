//! `&mut str`.

#[vox::service]
pub trait Files {
    async fn open(&self, name: &mut str) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
