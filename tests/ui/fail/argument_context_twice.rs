//! The context twice.

#[vox::service]
pub trait Files {
    async fn open(&self, cx: &vox::Context, again: &vox::Context) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
