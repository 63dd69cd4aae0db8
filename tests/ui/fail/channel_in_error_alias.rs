//! A channel in the error, behind an alias.

pub type Events = vox::Rx<u64>;

#[vox::service]
pub trait Files {
    async fn open(&self) -> Result<u64, Events>;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
