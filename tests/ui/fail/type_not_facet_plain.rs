//! A plain result whose type is not `Facet`.

#[derive(Debug, Clone)]
pub struct Mode(pub u8);

#[vox::service]
pub trait Files {
    async fn open(&self) -> Mode;
    async fn size(&self, name: String) -> u64;
}

struct Disk;

impl Files for Disk {
    async fn open(&self) -> Mode {
        Mode(1)
    }

    async fn size(&self, name: String) -> u64 {
        name.len() as u64
    }
}

async fn calls(files: FilesClient) {
    let _ = files.open().await;
    let _ = FilesDispatcher::new(Disk);
}

fn main() {}
