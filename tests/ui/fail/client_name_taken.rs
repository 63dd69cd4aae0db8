//! A type that is called like the client.

pub struct FilesClient {
    pub name: String,
}

#[vox::service]
pub trait Files {
    async fn open(&self, name: String) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
