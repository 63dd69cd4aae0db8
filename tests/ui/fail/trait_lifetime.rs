//! A trait with a lifetime.

#[vox::service]
pub trait Files<'a> {
    async fn open(&self, name: String) -> u64;
}

fn main() {}
