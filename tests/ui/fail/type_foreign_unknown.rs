//! A type of the standard library for which there is no other.


#[vox::service]
pub trait Files {
    async fn open(&self, name: String, run: std::process::Command);
    async fn size(&self, name: String) -> u64;
}

fn main() {}
