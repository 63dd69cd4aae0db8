//! A receiver with a type.

#[vox::service]
pub trait Files {
    async fn open(self: std::sync::Arc<Self>, name: String) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
