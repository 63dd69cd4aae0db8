//! A method with a visibility of its own.

#[vox::service]
pub trait Files {
    pub async fn open(&self, name: String) -> u64;
    async fn size(&self, name: String) -> u64;
}

struct Disk;

impl Files for Disk {
    async fn open(&self, name: String) -> u64 {
        name.len() as u64
    }
    async fn size(&self, name: String) -> u64 {
        name.len() as u64
    }
}

async fn calls(files: FilesClient) {
    let _ = files.open(String::new()).await;
}

fn main() {}
