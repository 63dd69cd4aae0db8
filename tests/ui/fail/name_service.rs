//! A method that is called like the client's constant.

#[vox::service]
pub trait Files {
    #[allow(non_snake_case)]
    async fn SERVICE(&self) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
