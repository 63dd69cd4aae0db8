//! An `impl` whose future cannot move between threads.

#[vox::service]
pub trait Files {
    async fn open(&self, name: String) -> u64;
    async fn size(&self, name: String) -> u64;
}

struct Disk;

impl Files for Disk {
    async fn open(&self, name: String) -> u64 {
        let shared = std::rc::Rc::new(name);
        std::future::ready(()).await;
        shared.len() as u64
    }

    async fn size(&self, name: String) -> u64 {
        name.len() as u64
    }
}

fn main() {}
