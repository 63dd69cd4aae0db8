//! An option of the trait on a method.

#[vox::service]
pub trait Files {
    #[vox(rename_all = "camelCase")]
    async fn open(&self, name: String) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
