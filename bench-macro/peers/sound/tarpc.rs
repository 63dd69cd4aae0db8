//! The program that mistakes are made in, with tarpc.

use tarpc::context::{self, Context};

#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub struct Mode {
    pub write: bool,
}

#[tarpc::service(derive = [serde::Serialize, serde::Deserialize])]
pub trait Files {
    async fn open(name: String, mode: Mode) -> u32;
    async fn size(name: String) -> u64;
}

#[derive(Clone)]
pub struct Disk;

impl Files for Disk {
    async fn open(self, _: Context, name: String, mode: Mode) -> u32 {
        unimplemented!("{name} {mode:?}")
    }
    async fn size(self, _: Context, name: String) -> u64 {
        name.len() as u64
    }
}

pub fn serve() -> impl tarpc::server::Serve {
    Disk.serve()
}

pub async fn call(files: &FilesClient) -> Option<u64> {
    files.size(context::current(), "a".to_owned()).await.ok()
}
