//! Hello by capnp-rpc.

use std::rc::Rc;

use capnp_rpc::{RpcSystem, rpc_twoparty_capnp::Side, twoparty};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::compat::{TokioAsyncReadCompatExt, TokioAsyncWriteCompatExt};

mod hello_capnp {
    include!(concat!(env!("OUT_DIR"), "/hello_capnp.rs"));
}

use hello_capnp::hello;

struct World;

impl hello::Server for World {
    async fn hello(
        self: Rc<Self>,
        params: hello::HelloParams,
        mut results: hello::HelloResults,
    ) -> Result<(), capnp::Error> {
        results.get().set_text(&format!("Hello, {}!", params.get()?.get_name()?.to_str()?)[..]);
        Ok(())
    }
}

fn network(stream: TcpStream, side: Side) -> Box<dyn capnp_rpc::VatNetwork<Side>> {
    let (reading, writing) = stream.into_split();
    let (reading, writing) = (reading.compat(), writing.compat_write());
    Box::new(twoparty::VatNetwork::new(
        futures::io::BufReader::new(reading),
        futures::io::BufWriter::new(writing),
        side,
        Default::default(),
    ))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let local = tokio::task::LocalSet::new();
    local
        .run_until(async {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let address = listener.local_addr()?;
            tokio::task::spawn_local(async move {
                let world: hello::Client = capnp_rpc::new_client(World);
                while let Ok((stream, _)) = listener.accept().await {
                    let system = RpcSystem::new(network(stream, Side::Server), Some(world.clone().client));
                    tokio::task::spawn_local(system);
                }
            });
            let stream = TcpStream::connect(address).await?;
            let mut system = RpcSystem::new(network(stream, Side::Client), None);
            let client: hello::Client = system.bootstrap(Side::Server);
            tokio::task::spawn_local(system);
            let mut request = client.hello_request();
            request.get().set_name("world");
            println!("{}", request.send().promise.await?.get()?.get_text()?.to_str()?);
            Ok(())
        })
        .await
}
