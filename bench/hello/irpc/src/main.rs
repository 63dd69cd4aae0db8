//! Hello by irpc.

use std::net::{Ipv4Addr, SocketAddr};

use irpc::channel::oneshot;
use irpc::rpc::RemoteService;
use irpc::util::{make_client_endpoint, make_server_endpoint};
use irpc::{Client, WithChannels, rpc_requests};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
struct Hello(String);

#[rpc_requests(message = Message)]
#[derive(Debug, Serialize, Deserialize)]
enum Protocol {
    #[rpc(tx=oneshot::Sender<String>)]
    Hello(Hello),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (endpoint, certificate) = make_server_endpoint(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    let address = endpoint.local_addr()?;
    let (sender, mut receiver) = tokio::sync::mpsc::channel(16);
    tokio::spawn(async move {
        while let Some(Message::Hello(WithChannels { tx, inner, .. })) = receiver.recv().await {
            let _ = tx.send(format!("Hello, {}!", inner.0)).await;
        }
    });
    let local = Client::<Protocol>::local(sender).as_local().ok_or("not local")?;
    tokio::spawn(irpc::rpc::listen(endpoint, Protocol::remote_handler(local)));
    let endpoint = make_client_endpoint(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), &[&certificate])?;
    let client = Client::<Protocol>::noq(endpoint, address);
    println!("{}", client.rpc(Hello("world".to_owned())).await?);
    Ok(())
}
