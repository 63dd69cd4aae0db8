//! A dispatcher of something that does not implement the trait.

#[vox::service]
pub trait Files {
    async fn open(&self, name: String) -> u64;
    async fn size(&self, name: String) -> u64;
}

struct Disk;

fn serves() {
    let _ = FilesDispatcher::new(Disk);
}

fn main() {}
