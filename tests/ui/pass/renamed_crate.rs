//! vox under another name, as `package = "vox"` gives it.

#![deny(warnings)]

extern crate vox as rpc;

#[rpc::service(crate = crate::rpc)]
pub trait Files {
    #[vox(idem)]
    async fn open(&self, cx: &rpc::Context, name: &str, rows: rpc::Rx<u64>) -> Result<u64, String>;
    async fn name(&self) -> &str;
}

struct Disk;

impl Files for Disk {
    async fn open(&self, _: &rpc::Context, name: &str, _: rpc::Rx<u64>) -> Result<u64, String> {
        Ok(name.len() as u64)
    }
    async fn name(&self) -> &str {
        "disk"
    }
}

fn main() {
    let _ = FilesDispatcher::new(Disk);
}
