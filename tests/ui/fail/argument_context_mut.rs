//! The context by `&mut`.

#[vox::service]
pub trait Files {
    async fn open(&self, cx: &mut vox::Context) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
