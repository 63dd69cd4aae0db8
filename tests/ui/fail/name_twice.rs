//! Two methods with one name on the wire.

#[vox::service]
pub trait Files {
    #[vox(name = "size")]
    async fn open(&self, name: String) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
