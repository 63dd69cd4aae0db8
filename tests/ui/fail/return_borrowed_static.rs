//! A result that names a lifetime.

#[vox::service]
pub trait Files {
    async fn open(&self, name: String) -> &'static str;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
