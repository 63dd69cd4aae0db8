//! A method with a `where` clause.

#[vox::service]
pub trait Files {
    async fn open(&self, name: String) -> u64
    where
        String: Clone;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
