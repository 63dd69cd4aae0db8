//! An error of the standard library.


#[vox::service]
pub trait Files {
    async fn open(&self, name: String) -> Result<u64, std::io::Error>;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
