//! An `impl` with one argument less.

#[vox::service]
pub trait Files {
    async fn open(&self, name: String) -> u64;
    async fn size(&self, name: String) -> u64;
}

struct Disk;

impl Files for Disk {
    async fn open(&self) -> u64 {
        0
    }

    async fn size(&self, name: String) -> u64 {
        name.len() as u64
    }
}

async fn calls(files: FilesClient) {
    let _ = files.size(String::new()).await;
    let _ = FilesDispatcher::new(Disk);
}

fn main() {}
