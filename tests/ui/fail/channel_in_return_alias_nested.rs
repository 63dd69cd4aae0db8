//! A channel in the result, behind an alias and inside of another type.

pub type Events = vox::Rx<u64>;

#[vox::service]
pub trait Files {
    async fn open(&self) -> Option<Box<Events>>;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
