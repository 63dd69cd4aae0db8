//! Hello by remoc.

use std::sync::Arc;

use remoc::prelude::*;
use remoc::rtc::CallError;
use tokio::net::{TcpListener, TcpStream};

#[rtc::remote]
pub trait Hello {
    async fn hello(&self, name: String) -> Result<String, CallError>;
}

struct World;

impl Hello for World {
    async fn hello(&self, name: String) -> Result<String, CallError> {
        Ok(format!("Hello, {name}!"))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        let Ok((stream, _)) = listener.accept().await else { return };
        let (reading, writing) = stream.into_split();
        let (server, client) = HelloServerShared::<_, remoc::codec::Default>::new(Arc::new(World));
        if remoc::Connect::io(remoc::Cfg::default(), reading, writing).provide(client).await.is_ok() {
            let _ = server.serve().await;
        }
    });
    let (reading, writing) = TcpStream::connect(address).await?.into_split();
    let client: HelloClient = remoc::Connect::io(remoc::Cfg::default(), reading, writing).consume().await?;
    println!("{}", client.hello("world".to_owned()).await?);
    Ok(())
}
