//! An argument whose type is not `Facet`.

#[derive(Debug, Clone)]
pub struct Mode(pub u8);

#[vox::service]
pub trait Files {
    async fn open(&self, mode: Mode) -> u64;
    async fn size(&self, name: String) -> u64;
}

struct Disk;

impl Files for Disk {
    async fn open(&self, mode: Mode) -> u64 {
        u64::from(mode.0)
    }

    async fn size(&self, name: String) -> u64 {
        name.len() as u64
    }
}

async fn calls(files: FilesClient) {
    let _ = files.open(Mode(1)).await;
    let _ = FilesDispatcher::new(Disk);
}

fn main() {}
