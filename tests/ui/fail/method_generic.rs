//! A generic method.

#[vox::service]
pub trait Files {
    async fn open<T>(&self, value: T) -> u64;
    async fn size(&self, name: String) -> u64;
}

struct Disk;

impl Files for Disk {
    async fn open<T>(&self, _value: T) -> u64 {
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
