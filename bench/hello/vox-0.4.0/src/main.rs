//! Hello by the registry's crate of the same name.

#[vox::service]
trait Hello {
    async fn hello(&self, name: String) -> String;
}

#[derive(Clone)]
struct World;

impl Hello for World {
    async fn hello(&self, name: String) -> String {
        format!("Hello, {name}!")
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("tcp://{}", listener.local_addr()?);
    tokio::spawn(vox::serve_listener(listener, HelloDispatcher::new(World)));
    let client: HelloClient = vox::connect(address).establish().await?;
    println!("{}", client.hello("world".to_owned()).await.map_err(|error| format!("{error:?}"))?);
    Ok(())
}
