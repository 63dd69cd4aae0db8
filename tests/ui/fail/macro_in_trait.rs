//! A macro between the methods.

#[allow(unused_macros)]
macro_rules! methods {
    () => {};
}

#[vox::service]
pub trait Files {
    methods!();
    async fn size(&self, name: String) -> u64;
}

fn main() {}
