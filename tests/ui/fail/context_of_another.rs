//! A context that is not vox's.

pub struct Context;

#[vox::service]
pub trait Files {
    async fn open(&self, cx: &Context) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
