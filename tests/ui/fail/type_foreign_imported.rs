//! An argument of an imported type that does not cross the wire.

use std::time::SystemTime;

#[vox::service]
pub trait Files {
    async fn open(&self, name: String, at: Option<SystemTime>);
    async fn size(&self, name: String) -> u64;
}

fn main() {}
