//! An `unsafe` trait.

#[vox::service]
pub unsafe trait Files {
    async fn open(&self, name: String) -> u64;
}

fn main() {}
