//! Hello by vox.

#[vox::service]
trait Hello {
    async fn hello(&self, name: String) -> String;
}

struct World;

impl Hello for World {
    async fn hello(&self, name: String) -> String {
        format!("Hello, {name}!")
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = vox::Server::builder().service(HelloDispatcher::new(World)).bind("tcp://127.0.0.1:0").await?;
    let client: HelloClient = vox::connect(server.address()).await?;
    println!("{}", client.hello("world".to_owned()).await?);
    Ok(())
}
