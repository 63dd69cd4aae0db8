//! The program that mistakes are made in, with remoc.

use std::sync::Arc;

use remoc::rtc::{CallError, ServerShared as _};

#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub struct Mode {
    pub write: bool,
}

#[remoc::rtc::remote]
pub trait Files {
    #[no_cancel]
    async fn open(&self, name: String, mode: Mode) -> Result<u32, CallError>;
    async fn size(&self, name: String) -> Result<u64, CallError>;
}

pub struct Disk;

impl Files for Disk {
    async fn open(&self, name: String, mode: Mode) -> Result<u32, CallError> {
        unimplemented!("{name} {mode:?}")
    }
    async fn size(&self, name: String) -> Result<u64, CallError> {
        Ok(name.len() as u64)
    }
}

pub fn serve() -> FilesClient {
    let (_server, client) = FilesServerShared::<_, remoc::codec::Default>::new(Arc::new(Disk));
    client
}

pub async fn call(files: &FilesClient) -> Option<u64> {
    files.size("a".to_owned()).await.ok()
}
