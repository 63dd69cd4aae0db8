//! A call with an argument of another type that the compiler knows how to convert.

#[vox::service]
pub trait Files {
    async fn open(&self, name: String) -> u64;
    async fn size(&self, name: String) -> u64;
}

async fn calls(files: FilesClient) {
    let _ = files.open(7).await;
}

fn main() {}
