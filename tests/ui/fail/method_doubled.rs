//! Two methods of one name in Rust, though not on the wire.

#[vox::service]
pub trait Files {
    async fn open(&self, name: String) -> u64;
    #[vox(name = "open_number")]
    async fn open(&self, number: u64) -> u64;
}

fn main() {}
