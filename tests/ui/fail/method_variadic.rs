//! A variadic method.

#[vox::service]
pub trait Files {
    async unsafe extern "C" fn open(&self, name: String, rest: ...) -> u64;
    async fn size(&self, name: String) -> u64;
}

fn main() {}
