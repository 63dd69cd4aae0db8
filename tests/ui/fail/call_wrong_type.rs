//! A call with an argument of another type.

pub struct Mode(pub u8);

#[vox::service]
pub trait Files {
    async fn open(&self, name: String) -> u64;
    async fn size(&self, name: String) -> u64;
}

async fn calls(files: FilesClient) {
    let _ = files.open(Mode(7)).await;
}

fn main() {}
