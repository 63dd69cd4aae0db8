//! A default for the context.

#[vox::service]
pub trait Files {
    async fn open(&self, #[vox(default)] cx: &vox::Context, name: String) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
