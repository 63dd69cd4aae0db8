//! vox, as a user has it: the macro, the public API, every default.

use vox::{Rx, Server, Tx};

use super::free_address;
use crate::contender::{Client, Contender, Fault, Link, Pending, Work, expect};
use crate::scenario::Scenario;

/// The contender.
pub(crate) struct Vox {
    /// Calls a `persist` method: its outcome goes into a store in memory before the reply leaves.
    pub(crate) keeps: bool,
}

#[vox::service]
trait Bench {
    async fn echo(&self, number: u64) -> u64;
    #[vox(persist)]
    async fn kept(&self, number: u64) -> u64;
    async fn blob(&self, bytes: Vec<u8>) -> Vec<u8>;
    async fn stream(&self, items: u64, numbers: Tx<u64>);
}

struct Bencher;

impl Bench for Bencher {
    async fn echo(&self, number: u64) -> u64 {
        number
    }

    async fn kept(&self, number: u64) -> u64 {
        number
    }

    async fn blob(&self, bytes: Vec<u8>) -> Vec<u8> {
        bytes
    }

    async fn stream(&self, items: u64, numbers: Tx<u64>) {
        for item in 0..items {
            if numbers.send(item).await.is_err() {
                return;
            }
        }
    }
}

impl Contender for Vox {
    fn name(&self) -> &'static str {
        if self.keeps { "vox-persist" } else { "vox" }
    }

    fn takes_part(&self, scenario: &Scenario) -> bool {
        !self.keeps || scenario.name.ends_with("-persist")
    }

    fn serve(&self, link: Link) -> Pending<'static, String> {
        Box::pin(async move {
            let server = Server::builder().service(BenchDispatcher::new(Bencher)).bind(free_address(link)?).await?;
            let address = server.address();
            tokio::spawn(async move {
                let _serving = server;
                std::future::pending::<()>().await;
            });
            Ok(address)
        })
    }

    fn connect(&self, address: String, _: Work) -> Pending<'static, Box<dyn Client>> {
        let keeps = self.keeps;
        Box::pin(async move {
            let client: BenchClient = vox::connect(address).await?;
            Ok(Box::new(VoxClient { client, keeps }) as Box<dyn Client>)
        })
    }

    fn in_memory(&self, _: Work) -> Pending<'static, Box<dyn Client>> {
        let keeps = self.keeps;
        Box::pin(async move {
            let (ours, theirs) = vox::transport::memory_pair();
            tokio::spawn(vox::serve(theirs, BenchDispatcher::new(Bencher)));
            let client: BenchClient = vox::connect(ours).await?;
            Ok(Box::new(VoxClient { client, keeps }) as Box<dyn Client>)
        })
    }
}

struct VoxClient {
    client: BenchClient,
    keeps: bool,
}

impl Client for VoxClient {
    fn run(&mut self, work: Work) -> Pending<'_, ()> {
        Box::pin(async move {
            let client = &self.client;
            match work {
                Work::Echo { calls, in_flight } if self.keeps => return keep(client, calls, in_flight).await,
                Work::Echo { calls, in_flight: 1 } => {
                    for number in 0..calls {
                        expect(client.echo(number).await?, number)?;
                    }
                }
                Work::Echo { calls, in_flight } => {
                    let callers = (0..in_flight).map(|caller| {
                        let client = client.clone();
                        tokio::spawn(async move {
                            for number in (caller..calls).step_by(in_flight as usize) {
                                expect(client.echo(number).await?, number)?;
                            }
                            Ok::<(), Fault>(())
                        })
                    });
                    for caller in callers.collect::<Vec<_>>() {
                        caller.await??;
                    }
                }
                Work::Blob { calls, bytes } => {
                    for _ in 0..calls {
                        expect(client.blob(vec![7; bytes]).await?.len(), bytes)?;
                    }
                }
                Work::Stream { items } => {
                    let (numbers, mut received): (_, Rx<u64>) = vox::channel();
                    let call = tokio::spawn(client.stream(items, numbers).into_future());
                    for item in 0..items {
                        expect(received.recv().await?, Some(item))?;
                    }
                    expect(received.recv().await?, None)?;
                    call.await??;
                }
            }
            Ok(())
        })
    }
}

/// The same echoes of a method whose outcomes are kept.
async fn keep(client: &BenchClient, calls: u64, in_flight: u64) -> Result<(), Fault> {
    if in_flight == 1 {
        for number in 0..calls {
            expect(client.kept(number).await?, number)?;
        }
        return Ok(());
    }
    let callers = (0..in_flight).map(|caller| {
        let client = client.clone();
        tokio::spawn(async move {
            for number in (caller..calls).step_by(in_flight as usize) {
                expect(client.kept(number).await?, number)?;
            }
            Ok::<(), Fault>(())
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await??;
    }
    Ok(())
}
