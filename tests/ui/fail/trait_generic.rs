//! A generic trait.

#[vox::service]
pub trait Files<T> {
    async fn open(&self, value: T) -> u64;
}

fn main() {}
