//! The program that mistakes are made in, with jsonrpsee.

use jsonrpsee::core::RpcResult;
use jsonrpsee::proc_macros::rpc;
use jsonrpsee::ws_client::WsClient;

#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Mode {
    pub write: bool,
}

#[rpc(client, server)]
pub trait Files {
    #[method(name = "open")]
    async fn open(&self, name: String, mode: Mode) -> RpcResult<u32>;
    #[method(name = "size")]
    async fn size(&self, name: String) -> RpcResult<u64>;
}

pub struct Disk;

#[jsonrpsee::core::async_trait]
impl FilesServer for Disk {
    async fn open(&self, name: String, mode: Mode) -> RpcResult<u32> {
        unimplemented!("{name} {mode:?}")
    }
    async fn size(&self, name: String) -> RpcResult<u64> {
        Ok(name.len() as u64)
    }
}

pub fn serve() -> jsonrpsee::RpcModule<Disk> {
    Disk.into_rpc()
}

pub async fn call(files: &WsClient) -> Option<u64> {
    files.size("a".to_owned()).await.ok()
}
