//! Parentheses where a value was due.

#[vox::service]
pub trait Files {
    #[vox(timeout("2s"))]
    async fn open(&self, name: String) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
