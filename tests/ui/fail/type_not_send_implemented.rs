//! An argument that cannot move between threads.

#[vox::service]
pub trait Files {
    async fn open(&self, name: std::rc::Rc<String>) -> u64;
    async fn size(&self, name: String) -> u64;
}

struct Disk;

impl Files for Disk {
    async fn open(&self, name: std::rc::Rc<String>) -> u64 {
        std::future::ready(()).await;
        name.len() as u64
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
