//! An associated type.

#[vox::service]
pub trait Files {
    type Handle;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
