//! A result of a type of the standard library that does not cross the wire.


#[vox::service]
pub trait Files {
    async fn open(&self, name: String) -> std::cmp::Ordering;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
