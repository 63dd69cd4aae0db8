//! All mistakes are reported together.

#[vox::service]
pub trait Files {
    #[vox(idme)]
    fn open<T>(&mut self, _: T, names: &[String]) -> vox::Rx<u64>;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
