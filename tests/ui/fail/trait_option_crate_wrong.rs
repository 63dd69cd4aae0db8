//! A path to a crate that there is not.

#[vox::service(crate = elsewhere::vox)]
pub trait Files {
    async fn open(&self, name: String) -> Result<u64, String>;
    async fn size(&self, name: String) -> u64;
}

struct Disk;

impl Files for Disk {
    async fn open(&self, _name: String) -> Result<u64, String> {
        Ok(1)
    }

    async fn size(&self, name: String) -> u64 {
        name.len() as u64
    }
}

async fn calls(files: FilesClient) {
    let _ = files.open("a".to_owned()).await;
    let _ = FilesDispatcher::new(Disk);
}

fn main() {}
