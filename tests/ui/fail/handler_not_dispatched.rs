//! A handler where its dispatcher is wanted.

#[vox::service]
pub trait Files {
    async fn open(&self, name: String) -> u64;
}

struct Disk;

impl Files for Disk {
    async fn open(&self, name: String) -> u64 {
        name.len() as u64
    }
}

fn serves() {
    let _ = vox::Server::builder().service(Disk);
}

fn main() {}
