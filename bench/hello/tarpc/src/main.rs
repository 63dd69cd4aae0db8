//! Hello by tarpc.

use futures::StreamExt;
use tarpc::server::{BaseChannel, Channel};
use tarpc::tokio_serde::formats::Bincode;
use tarpc::{client, context, serde_transport::tcp};

#[tarpc::service(derive = [serde::Serialize, serde::Deserialize])]
trait Hello {
    async fn hello(name: String) -> String;
}

#[derive(Clone)]
struct World;

impl Hello for World {
    async fn hello(self, _: context::Context, name: String) -> String {
        format!("Hello, {name}!")
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut listener = tcp::listen("127.0.0.1:0", Bincode::default).await?;
    let address = listener.local_addr();
    tokio::spawn(async move {
        while let Some(Ok(transport)) = listener.next().await {
            let requests = BaseChannel::with_defaults(transport).execute(World.serve());
            tokio::spawn(requests.for_each(|response| async move { drop(tokio::spawn(response)) }));
        }
    });
    let transport = tcp::connect(address, Bincode::default).await?;
    let client = HelloClient::new(client::Config::default(), transport).spawn();
    println!("{}", client.hello(context::current(), "world".to_owned()).await?);
    Ok(())
}
