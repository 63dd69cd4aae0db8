//! A service, its server and its client, in one file.

#[vox::service]
trait Greeter {
    /// Greets by name.
    #[vox(idem)]
    async fn hello(&self, name: &str) -> String;
}

struct Polite;

impl Greeter for Polite {
    async fn hello(&self, name: &str) -> String {
        format!("Hello, {name}!")
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = vox::Server::builder().service(GreeterDispatcher::new(Polite)).bind("tcp://127.0.0.1:0").await?;
    let greeter: GreeterClient = vox::connect(server.address()).await?;
    println!("{}", greeter.hello("world").await?);
    Ok(())
}
