//! irpc over QUIC, as in its `examples/derive.rs`: requests by the macro, an actor that answers them, `irpc::rpc::listen`. It has no
//! other link between processes, and QUIC encrypts, which the others here do not.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};

use irpc::channel::{mpsc, oneshot};
use irpc::rpc::RemoteService;
use irpc::util::{make_client_endpoint, make_server_endpoint};
use irpc::{WithChannels, rpc_requests};
use noq::Endpoint;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use vox_bench::calls::{Calls, Driven, Hundred, Record};
use vox_bench::contender::{Carrier, Client, Contender, Fault, Link, Pending, Setting, Work, expect};
use vox_bench::far::{CHUNK, Meter};

/// The contender.
pub struct Irpc;

#[derive(Debug, Serialize, Deserialize)]
struct Echo(u64);
#[derive(Debug, Serialize, Deserialize)]
struct Blob(ByteBuf);
#[derive(Debug, Serialize, Deserialize)]
struct List(Vec<Record>);
#[derive(Debug, Serialize, Deserialize)]
struct Numbers(u64);
#[derive(Debug, Serialize, Deserialize)]
struct Structs(u64);
#[derive(Debug, Serialize, Deserialize)]
struct Hold;
#[derive(Debug, Serialize, Deserialize)]
struct Held;
#[derive(Debug, Serialize, Deserialize)]
struct Put(ByteBuf);
#[derive(Debug, Serialize, Deserialize)]
struct Get(u64);
#[derive(Debug, Serialize, Deserialize)]
struct Chunks(u64);

#[rpc_requests(message = Message)]
#[derive(Debug, Serialize, Deserialize)]
enum Protocol {
    #[rpc(tx=oneshot::Sender<u64>)]
    Echo(Echo),
    #[rpc(tx=oneshot::Sender<ByteBuf>)]
    Blob(Blob),
    #[rpc(tx=oneshot::Sender<Vec<Record>>)]
    List(List),
    #[rpc(tx=mpsc::Sender<u64>)]
    Numbers(Numbers),
    #[rpc(tx=mpsc::Sender<Hundred>)]
    Structs(Structs),
    #[rpc(tx=oneshot::Sender<()>)]
    Hold(Hold),
    #[rpc(tx=oneshot::Sender<u64>)]
    Held(Held),
    #[rpc(tx=oneshot::Sender<u64>)]
    Put(Put),
    #[rpc(tx=oneshot::Sender<ByteBuf>)]
    Get(Get),
    #[rpc(tx=mpsc::Sender<ByteBuf>)]
    Chunks(Chunks),
}

/// What may wait for the actor, or for a reader inside the process.
const ROOM: usize = 128;

/// Answers what comes in; what is not done at once, in a task of its own.
fn spawn() -> irpc::Client<Protocol> {
    let (sender, mut receiver) = tokio::sync::mpsc::channel(ROOM);
    tokio::spawn(async move {
        while let Some(message) = receiver.recv().await {
            answer(message).await;
        }
    });
    irpc::Client::local(sender)
}

async fn answer(message: Message) {
    match message {
        Message::Echo(WithChannels { tx, inner, .. }) => drop(tx.send(inner.0).await),
        Message::Blob(WithChannels { tx, inner, .. }) => drop(tx.send(inner.0).await),
        Message::List(WithChannels { tx, inner, .. }) => drop(tx.send(inner.0).await),
        Message::Numbers(WithChannels { tx, inner, .. }) => {
            tokio::spawn(async move {
                for number in 0..inner.0 {
                    if tx.send(number).await.is_err() {
                        return;
                    }
                }
            });
        }
        Message::Structs(WithChannels { tx, inner, .. }) => {
            tokio::spawn(async move {
                for id in 0..inner.0 {
                    if tx.send(Hundred::of(id)).await.is_err() {
                        return;
                    }
                }
            });
        }
        Message::Hold(WithChannels { tx, .. }) => {
            tokio::spawn(async move {
                crate::hold().await;
                drop(tx);
            });
        }
        Message::Held(WithChannels { tx, .. }) => drop(tx.send(crate::held()).await),
        Message::Put(WithChannels { tx, inner, .. }) => drop(tx.send(inner.0.len() as u64).await),
        Message::Get(WithChannels { tx, inner, .. }) => {
            // What takes long to send would hold up the actor.
            tokio::spawn(async move { drop(tx.send(ByteBuf::from(vec![7; inner.0 as usize])).await) });
        }
        Message::Chunks(WithChannels { tx, inner, .. }) => {
            tokio::spawn(async move {
                for _ in 0..inner.0 {
                    if tx.send(ByteBuf::from(vec![7; CHUNK])).await.is_err() {
                        return;
                    }
                }
            });
        }
    }
}

impl Contender for Irpc {
    fn name(&self) -> &'static str {
        "irpc"
    }

    fn takes_part(&self, setting: Setting) -> bool {
        // A message may have 16 MiB.
        !setting.kept && setting.link != Link::Unix && !matches!(setting.work, Work::Blob { bytes: 16_000_000.., .. })
    }

    fn carrier(&self) -> Carrier {
        Carrier::Udp
    }

    fn calls_per_connection(&self) -> usize {
        // A call is a stream, of which its defaults allow 100 at once; that others have ended is told in batches.
        80
    }

    fn serve(&self, _: Setting) -> Pending<'static, String> {
        Box::pin(async move {
            let (endpoint, certificate) = make_server_endpoint(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
            let address = format!("{}/{}", endpoint.local_addr()?, hex(&certificate));
            let local = spawn().as_local().ok_or("the actor is somewhere else")?;
            tokio::spawn(irpc::rpc::listen(endpoint, Protocol::remote_handler(local)));
            Ok(address)
        })
    }

    fn connect(&self, address: String, _: Setting) -> Pending<'static, Box<dyn Client>> {
        Box::pin(async move {
            let (address, certificate) = address.split_once('/').ok_or("no certificate")?;
            let client = irpc::Client::noq(endpoint(certificate)?, address.parse()?);
            Ok(Box::new(Driven(IrpcClient(client))) as Box<dyn Client>)
        })
    }

    /// Values go through a channel, as they are.
    fn in_memory(&self, _: Setting) -> Pending<'static, Box<dyn Client>> {
        Box::pin(async move { Ok(Box::new(Driven(IrpcClient(spawn()))) as Box<dyn Client>) })
    }
}

/// The endpoint that all connections of a runtime to one server go out from.
fn endpoint(certificate: &str) -> Result<Endpoint, Fault> {
    static ENDPOINTS: Mutex<Option<HashMap<String, Endpoint>>> = Mutex::new(None);
    let key = format!("{:?} {certificate}", tokio::runtime::Handle::current().id());
    let mut endpoints = ENDPOINTS.lock().unwrap_or_else(PoisonError::into_inner);
    let endpoints = endpoints.get_or_insert_default();
    if let Some(endpoint) = endpoints.get(&key) {
        return Ok(endpoint.clone());
    }
    let bytes = certificate
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair)?, 16).map_err(Fault::from));
    let certificate = bytes.collect::<Result<Vec<u8>, Fault>>()?;
    let endpoint = make_client_endpoint(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), &[&certificate])?;
    endpoints.insert(key, endpoint.clone());
    Ok(endpoint)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[derive(Clone)]
struct IrpcClient(irpc::Client<Protocol>);

impl Calls for IrpcClient {
    type Record = Record;

    fn record(id: u64) -> Record {
        Record::of(id)
    }

    fn sum(record: &Record) -> u64 {
        record.sum()
    }

    async fn echo(&mut self, number: u64) -> Result<u64, Fault> {
        Ok(self.0.rpc(Echo(number)).await?)
    }

    async fn blob(&mut self, bytes: Vec<u8>) -> Result<usize, Fault> {
        Ok(self.0.rpc(Blob(ByteBuf::from(bytes))).await?.len())
    }

    async fn records(&mut self, records: Vec<Record>) -> Result<Vec<Record>, Fault> {
        Ok(self.0.rpc(List(records)).await?)
    }

    async fn numbers(&mut self, items: u64) -> Result<(), Fault> {
        let mut stream = self.0.server_streaming(Numbers(items), ROOM).await?;
        for item in 0..items {
            expect(stream.recv().await?, Some(item))?;
        }
        expect(stream.recv().await?, None)
    }

    async fn structs(&mut self, items: u64) -> Result<(), Fault> {
        let mut stream = self.0.server_streaming(Structs(items), ROOM).await?;
        for item in 0..items {
            expect(stream.recv().await?.map(|of| of.id), Some(item))?;
        }
        expect(stream.recv().await?, None)
    }

    async fn hold(&mut self) -> Result<(), Fault> {
        Ok(self.0.rpc(Hold).await?)
    }

    async fn held(&mut self) -> Result<u64, Fault> {
        Ok(self.0.rpc(Held).await?)
    }

    async fn put(&mut self, bytes: Vec<u8>) -> Result<u64, Fault> {
        Ok(self.0.rpc(Put(ByteBuf::from(bytes))).await?)
    }

    async fn get(&mut self, bytes: u64) -> Result<usize, Fault> {
        Ok(self.0.rpc(Get(bytes)).await?.len())
    }

    async fn numbers_into(&mut self, items: u64, meter: &mut Meter) -> Result<(), Fault> {
        let mut stream = self.0.server_streaming(Numbers(items), ROOM).await?;
        loop {
            expect(stream.recv().await?, Some(meter.count()))?;
            if !meter.took() {
                return Ok(());
            }
        }
    }

    async fn chunks_into(&mut self, items: u64, meter: &mut Meter) -> Result<(), Fault> {
        let mut stream = self.0.server_streaming(Chunks(items), ROOM).await?;
        loop {
            expect(stream.recv().await?.map(|chunk| chunk.len()), Some(CHUNK))?;
            if !meter.took() {
                return Ok(());
            }
        }
    }
}
