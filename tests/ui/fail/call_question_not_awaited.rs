//! A call whose result is asked for before it is awaited.

#[vox::service]
pub trait Files {
    async fn open(&self, name: String) -> u64;
}

async fn calls(files: FilesClient) -> Result<u64, Box<dyn std::error::Error>> {
    let size = files.open(String::new())?;
    Ok(size)
}

fn main() {}
