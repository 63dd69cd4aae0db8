//! The crate of the same name in the registry, at 0.4.0, as in its documentation: `#[service]`, `connect`, `serve_listener`. Its listener
//! for TCP leaves delays on, so here it has one that does not.

use registry_vox as vox;
use vox_bench::calls::{Calls, Driven, Hundred, Record};
use vox_bench::contender::{Client, Contender, Fault, Link, Pending, Setting, expect};
use vox_bench::contenders::free_address;

/// The contender.
pub struct Registry;

#[registry_vox::service]
trait Bench {
    async fn echo(&self, number: u64) -> u64;
    async fn blob(&self, bytes: Vec<u8>) -> Vec<u8>;
    async fn records(&self, records: Vec<Record>) -> Vec<Record>;
    async fn numbers(&self, items: u64, numbers: registry_vox::Tx<u64>);
    async fn structs(&self, items: u64, structs: registry_vox::Tx<Hundred>);
    async fn hold(&self);
    async fn held(&self) -> u64;
}

#[derive(Clone)]
struct Bencher;

impl Bench for Bencher {
    async fn echo(&self, number: u64) -> u64 {
        number
    }

    async fn blob(&self, bytes: Vec<u8>) -> Vec<u8> {
        bytes
    }

    async fn records(&self, records: Vec<Record>) -> Vec<Record> {
        records
    }

    async fn numbers(&self, items: u64, numbers: vox::Tx<u64>) {
        for item in 0..items {
            if numbers.send(item).await.is_err() {
                return;
            }
        }
        let _ = numbers.close(Default::default()).await;
    }

    async fn structs(&self, items: u64, structs: vox::Tx<Hundred>) {
        for item in 0..items {
            if structs.send(Hundred::of(item)).await.is_err() {
                return;
            }
        }
        let _ = structs.close(Default::default()).await;
    }

    async fn hold(&self) {
        crate::hold().await
    }

    async fn held(&self) -> u64 {
        crate::held()
    }
}

/// A listener whose streams have no delays.
struct Quick(tokio::net::TcpListener);

impl vox::VoxListener for Quick {
    type Link = <tokio::net::TcpListener as vox::VoxListener>::Link;

    async fn accept(&mut self) -> std::io::Result<Self::Link> {
        let (stream, _) = self.0.accept().await?;
        stream.set_nodelay(true)?;
        Ok(vox::transport::tcp::StreamLink::tcp(stream))
    }
}

impl Contender for Registry {
    fn name(&self) -> &'static str {
        "vox 0.4.0"
    }

    fn takes_part(&self, setting: Setting) -> bool {
        !setting.kept
    }

    fn calls_per_connection(&self) -> usize {
        // Its sessions allow 64 at once.
        63
    }

    fn serve(&self, setting: Setting) -> Pending<'static, String> {
        Box::pin(async move {
            let service = BenchDispatcher::new(Bencher);
            if setting.link == Link::Unix {
                let address = free_address(setting.link)?.replace("unix://", "local://");
                let path = address.trim_start_matches("local://");
                let listener = vox::transport::local::LocalLinkAcceptor::bind(path)?;
                tokio::spawn(vox::serve_listener(listener, service));
                return Ok(address);
            }
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
            let address = format!("tcp://{}", listener.local_addr()?);
            tokio::spawn(vox::serve_listener(Quick(listener), service));
            Ok(address)
        })
    }

    fn connect(&self, address: String, _: Setting) -> Pending<'static, Box<dyn Client>> {
        Box::pin(async move {
            let client: BenchClient = vox::connect(address).establish().await?;
            Ok(Box::new(Driven(RegistryClient(client))) as Box<dyn Client>)
        })
    }

    fn in_memory(&self, _: Setting) -> Pending<'static, Box<dyn Client>> {
        Box::pin(async move {
            // As much as its own tests give it.
            let (ours, theirs) = vox::memory_link_pair(16);
            tokio::spawn(async move {
                let accepted = vox::acceptor_on(theirs).on_connection(BenchDispatcher::new(Bencher));
                if let Ok(connection) = accepted.establish::<vox::NoopClient>().await {
                    connection.caller.closed().await;
                }
            });
            let client: BenchClient = vox::initiator_on(ours, vox::TransportMode::Bare).establish().await?;
            Ok(Box::new(Driven(RegistryClient(client))) as Box<dyn Client>)
        })
    }
}

#[derive(Clone)]
struct RegistryClient(BenchClient);

/// Its errors do not all pass for errors.
fn fault(error: impl std::fmt::Debug) -> Fault {
    format!("{error:?}").into()
}

impl Calls for RegistryClient {
    type Record = Record;

    fn record(id: u64) -> Record {
        Record::of(id)
    }

    fn sum(record: &Record) -> u64 {
        record.sum()
    }

    async fn echo(&mut self, number: u64) -> Result<u64, Fault> {
        self.0.echo(number).await.map_err(fault)
    }

    async fn blob(&mut self, bytes: Vec<u8>) -> Result<usize, Fault> {
        Ok(self.0.blob(bytes).await.map_err(fault)?.len())
    }

    async fn records(&mut self, records: Vec<Record>) -> Result<Vec<Record>, Fault> {
        self.0.records(records).await.map_err(fault)
    }

    async fn numbers(&mut self, items: u64) -> Result<(), Fault> {
        let (numbers, mut received) = vox::channel::<u64>();
        let client = self.0.clone();
        let call = tokio::spawn(async move { client.numbers(items, numbers).await.map_err(fault) });
        for item in 0..items {
            expect(received.recv().await.map_err(fault)?.map(|of| *of.get()), Some(item))?;
        }
        call.await?
    }

    async fn structs(&mut self, items: u64) -> Result<(), Fault> {
        let (structs, mut received) = vox::channel::<Hundred>();
        let client = self.0.clone();
        let call = tokio::spawn(async move { client.structs(items, structs).await.map_err(fault) });
        for item in 0..items {
            expect(received.recv().await.map_err(fault)?.map(|of| *of.map(|of| of.id).get()), Some(item))?;
        }
        call.await?
    }

    async fn hold(&mut self) -> Result<(), Fault> {
        self.0.hold().await.map_err(fault)
    }

    async fn held(&mut self) -> Result<u64, Fault> {
        self.0.held().await.map_err(fault)
    }
}
