//! An argument of a type of the standard library that does not cross the wire.


#[vox::service]
pub trait Files {
    async fn open(&self, name: String, jobs: std::collections::VecDeque<u64>);
    async fn size(&self, name: String) -> u64;
}

fn main() {}
