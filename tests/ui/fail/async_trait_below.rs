//! `#[async_trait]` below `#[vox::service]`, and above the `impl`.

#[vox::service]
#[async_trait::async_trait]
pub trait Files {
    async fn open(&self, name: &str) -> u64;
}

struct Disk;

#[async_trait::async_trait]
impl Files for Disk {
    async fn open(&self, name: &str) -> u64 {
        name.len() as u64
    }
}

async fn calls() {
    let files = FilesClient::over_memory(Disk).await.unwrap();
    let _: u64 = files.open("a").await.unwrap();
}

fn main() {}
