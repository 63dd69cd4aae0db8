//! An error whose type is not `Facet`.

#[derive(Debug, Clone)]
pub struct Mode(pub u8);

#[vox::service]
pub trait Files {
    async fn open(&self, name: String) -> Result<u64, Mode>;
    async fn size(&self, name: String) -> u64;
}

struct Disk;

impl Files for Disk {
    async fn open(&self, name: String) -> Result<u64, Mode> {
        Ok(name.len() as u64)
    }

    async fn size(&self, name: String) -> u64 {
        name.len() as u64
    }
}

async fn calls(files: FilesClient) {
    let _ = files.open(String::new()).await;
    let _ = FilesDispatcher::new(Disk);
}

fn main() {}
