//! A method that is `const`.

#[vox::service]
pub trait Files {
    const async fn open(&self, name: String) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
