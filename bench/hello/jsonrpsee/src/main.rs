//! Hello by jsonrpsee.

use jsonrpsee::core::async_trait;
use jsonrpsee::proc_macros::rpc;
use jsonrpsee::server::Server;
use jsonrpsee::types::ErrorObjectOwned;
use jsonrpsee::ws_client::WsClientBuilder;

#[rpc(server, client)]
trait Hello {
    #[method(name = "hello")]
    async fn hello(&self, name: String) -> Result<String, ErrorObjectOwned>;
}

struct World;

#[async_trait]
impl HelloServer for World {
    async fn hello(&self, name: String) -> Result<String, ErrorObjectOwned> {
        Ok(format!("Hello, {name}!"))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::builder().build("127.0.0.1:0").await?;
    let address = format!("ws://{}", server.local_addr()?);
    tokio::spawn(server.start(World.into_rpc()).stopped());
    let client = WsClientBuilder::default().build(address).await?;
    println!("{}", client.hello("world".to_owned()).await?);
    Ok(())
}
