//! How long a call takes whose link is cut just before: the client notices, makes another link, and both ends go on.

use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use vox::transport::{Connector, Link};

use crate::contender::Fault;

#[vox::service]
trait Echo {
    async fn echo(&self, number: u64) -> u64;
}

struct Echoer;

impl Echo for Echoer {
    async fn echo(&self, number: u64) -> u64 {
        number
    }
}

/// How often the link is cut.
const CUTS: usize = 1000;

/// Measures, and prints the figures.
pub(crate) fn run() -> Result<(), Fault> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let server = vox::Server::builder().service(EchoDispatcher::new(Echoer)).bind("tcp://127.0.0.1:0").await?;
        let address = server.address().trim_start_matches("tcp://").to_owned();
        // A second handle on the client's socket, to cut it with.
        let wire: Arc<Mutex<Option<TcpStream>>> = Arc::default();
        let connector = Connector::new("tcp", {
            let wire = Arc::clone(&wire);
            move || {
                let (address, wire) = (address.clone(), Arc::clone(&wire));
                async move {
                    let stream = tokio::net::TcpStream::connect(address).await?.into_std()?;
                    *wire.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(stream.try_clone()?);
                    Link::tcp(tokio::net::TcpStream::from_std(stream)?)
                }
            }
        });
        let client: EchoClient = vox::connect(connector).await?;
        let (mut whole, mut cut) = (Vec::new(), Vec::new());
        for number in 0..CUTS as u64 {
            whole.push(call(&client, number).await?);
            let stream = wire.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
            stream.ok_or("the link was not made anew")?.shutdown(Shutdown::Both)?;
            cut.push(call(&client, number).await?);
        }
        print("a call over a link that holds", whole);
        print("from the cut to the reply of a call made then", cut);
        Ok(())
    })
}

async fn call(client: &EchoClient, number: u64) -> Result<Duration, Fault> {
    let before = Instant::now();
    if client.echo(number).await? != number {
        return Err("another number came back".into());
    }
    Ok(before.elapsed())
}

fn print(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100];
    println!("{what}: p50 {:?}, p99 {:?}", at(50), at(99));
}
