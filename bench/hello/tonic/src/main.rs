//! Hello by tonic.

use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

mod proto {
    tonic::include_proto!("hello");
}

struct World;

#[tonic::async_trait]
impl proto::hello_server::Hello for World {
    async fn hello(&self, request: Request<proto::Request>) -> Result<Response<proto::Reply>, Status> {
        Ok(Response::new(proto::Reply { text: format!("Hello, {}!", request.into_inner().name) }))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("http://{}", listener.local_addr()?);
    let router = Server::builder().add_service(proto::hello_server::HelloServer::new(World));
    tokio::spawn(router.serve_with_incoming(TcpIncoming::from(listener)));
    let mut client = proto::hello_client::HelloClient::connect(address).await?;
    println!("{}", client.hello(proto::Request { name: "world".to_owned() }).await?.into_inner().text);
    Ok(())
}
