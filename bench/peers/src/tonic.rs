//! tonic with prost, as in the guides of its repository (`routeguide-tutorial.md`, `examples/src/uds`, `examples/src/mock`): a client per
//! caller by cloning, which is cheap, streams from iterators, and the defaults of HTTP/2.

use std::pin::Pin;

use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio_stream::wrappers::UnixListenerStream;
use tokio_stream::{Stream, StreamExt};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status};
use vox_bench::calls::{self, Calls, Driven};
use vox_bench::contender::{Client, Contender, Fault, Link, Pending, Setting, expect};
use vox_bench::far::{CHUNK, Meter};
use vox_bench::contenders::{MEMORY, free_address};

/// The contender.
pub struct Tonic;

mod proto {
    tonic::include_proto!("bench");
}

use proto::bench_client::BenchClient;
use proto::bench_server::{Bench, BenchServer};
use proto::{Hundred, Nothing, Number, Payload, Record, Records};

struct Bencher;

type Items<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl Bench for Bencher {
    type NumbersStream = Items<Number>;
    type StructsStream = Items<Hundred>;
    type ChunksStream = Items<Payload>;

    async fn echo(&self, request: Request<Number>) -> Result<Response<Number>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    async fn blob(&self, request: Request<Payload>) -> Result<Response<Payload>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    async fn list(&self, request: Request<Records>) -> Result<Response<Records>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    async fn numbers(&self, request: Request<Number>) -> Result<Response<Self::NumbersStream>, Status> {
        let items = (0..request.into_inner().number).map(|number| Ok(Number { number }));
        Ok(Response::new(Box::pin(tokio_stream::iter(items))))
    }

    async fn structs(&self, request: Request<Number>) -> Result<Response<Self::StructsStream>, Status> {
        let items = (0..request.into_inner().number).map(|id| {
            let calls::Hundred { id, at, kind, values } = calls::Hundred::of(id);
            Ok(Hundred { id, at, kind, values: values.to_vec() })
        });
        Ok(Response::new(Box::pin(tokio_stream::iter(items))))
    }

    async fn hold(&self, _: Request<Nothing>) -> Result<Response<Nothing>, Status> {
        crate::hold().await;
        Ok(Response::new(Nothing {}))
    }

    async fn held(&self, _: Request<Nothing>) -> Result<Response<Number>, Status> {
        Ok(Response::new(Number { number: crate::held() }))
    }

    async fn put(&self, request: Request<Payload>) -> Result<Response<Number>, Status> {
        Ok(Response::new(Number { number: request.into_inner().bytes.len() as u64 }))
    }

    async fn get(&self, request: Request<Number>) -> Result<Response<Payload>, Status> {
        Ok(Response::new(Payload { bytes: vec![7; request.into_inner().number as usize].into() }))
    }

    async fn chunks(&self, request: Request<Number>) -> Result<Response<Self::ChunksStream>, Status> {
        let items = (0..request.into_inner().number).map(|_| Ok(Payload { bytes: vec![7; CHUNK].into() }));
        Ok(Response::new(Box::pin(tokio_stream::iter(items))))
    }
}

impl Contender for Tonic {
    fn name(&self) -> &'static str {
        "tonic"
    }

    fn takes_part(&self, setting: Setting) -> bool {
        !setting.kept
    }

    fn calls_per_connection(&self) -> usize {
        // What its server allows at once on one connection is 200.
        199
    }

    fn serve(&self, setting: Setting) -> Pending<'static, String> {
        Box::pin(async move {
            let router = Server::builder().add_service(server(setting));
            let address = free_address(setting.link)?;
            if setting.link == Link::Unix {
                let path = address.strip_prefix("unix://").ok_or("no path")?;
                let incoming = UnixListenerStream::new(UnixListener::bind(path)?);
                tokio::spawn(router.serve_with_incoming(incoming));
                return Ok(address);
            }
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let address = format!("http://{}", listener.local_addr()?);
            let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
            tokio::spawn(router.serve_with_incoming(incoming));
            Ok(address)
        })
    }

    fn connect(&self, address: String, setting: Setting) -> Pending<'static, Box<dyn Client>> {
        Box::pin(async move {
            let channel = match address.strip_prefix("unix://").map(str::to_owned) {
                None => Endpoint::from_shared(address)?.connect().await?,
                Some(path) => {
                    let connect = tower::service_fn(move |_| {
                        let path = path.clone();
                        async move { Ok::<_, std::io::Error>(TokioIo::new(UnixStream::connect(path).await?)) }
                    });
                    Endpoint::from_static("http://localhost").connect_with_connector(connect).await?
                }
            };
            Ok(client(channel, setting))
        })
    }

    fn in_memory(&self, setting: Setting) -> Pending<'static, Box<dyn Client>> {
        Box::pin(async move {
            let (ours, theirs) = tokio::io::duplex(MEMORY);
            let incoming = tokio_stream::once(Ok::<_, std::io::Error>(theirs)).chain(tokio_stream::pending());
            tokio::spawn(Server::builder().add_service(server(setting)).serve_with_incoming(incoming));
            let mut ours = Some(ours);
            let connect = tower::service_fn(move |_| {
                let ours = ours.take();
                async move { ours.map(TokioIo::new).ok_or_else(|| std::io::Error::other("it is taken")) }
            });
            let channel = Endpoint::from_static("http://localhost").connect_with_connector(connect).await?;
            Ok(client(channel, setting))
        })
    }
}

fn server(setting: Setting) -> BenchServer<Bencher> {
    match setting.largest_message() > DEFAULT_LIMIT {
        true => BenchServer::new(Bencher).max_decoding_message_size(setting.largest_message()),
        false => BenchServer::new(Bencher),
    }
}

fn client(channel: Channel, setting: Setting) -> Box<dyn Client> {
    let client = match setting.largest_message() > DEFAULT_LIMIT {
        true => BenchClient::new(channel).max_decoding_message_size(setting.largest_message()),
        false => BenchClient::new(channel),
    };
    Box::new(Driven(TonicClient(client)))
}

/// What a message may be, unless it is said otherwise.
const DEFAULT_LIMIT: usize = 4 << 20;

#[derive(Clone)]
struct TonicClient(BenchClient<Channel>);

impl Calls for TonicClient {
    type Record = Record;

    fn record(id: u64) -> Record {
        let calls::Record { id, name, tags, score, flag } = calls::Record::of(id);
        Record { id, name, tags, score, flag }
    }

    fn sum(record: &Record) -> u64 {
        let Record { id, name, tags, score, flag } = record.clone();
        calls::Record { id, name, tags, score, flag }.sum()
    }

    async fn echo(&mut self, number: u64) -> Result<u64, Fault> {
        Ok(self.0.echo(Number { number }).await?.into_inner().number)
    }

    async fn blob(&mut self, bytes: Vec<u8>) -> Result<usize, Fault> {
        Ok(self.0.blob(Payload { bytes: bytes.into() }).await?.into_inner().bytes.len())
    }

    async fn records(&mut self, records: Vec<Record>) -> Result<Vec<Record>, Fault> {
        Ok(self.0.list(Records { records }).await?.into_inner().records)
    }

    async fn numbers(&mut self, items: u64) -> Result<(), Fault> {
        let mut stream = self.0.numbers(Number { number: items }).await?.into_inner();
        for item in 0..items {
            expect(stream.message().await?.map(|of| of.number), Some(item))?;
        }
        expect(stream.message().await?, None)
    }

    async fn structs(&mut self, items: u64) -> Result<(), Fault> {
        let mut stream = self.0.structs(Number { number: items }).await?.into_inner();
        for item in 0..items {
            expect(stream.message().await?.map(|of| of.id), Some(item))?;
        }
        expect(stream.message().await?, None)
    }

    async fn hold(&mut self) -> Result<(), Fault> {
        self.0.hold(Nothing {}).await?;
        Ok(())
    }

    async fn held(&mut self) -> Result<u64, Fault> {
        Ok(self.0.held(Nothing {}).await?.into_inner().number)
    }

    async fn put(&mut self, bytes: Vec<u8>) -> Result<u64, Fault> {
        Ok(self.0.put(Payload { bytes: bytes.into() }).await?.into_inner().number)
    }

    async fn get(&mut self, bytes: u64) -> Result<usize, Fault> {
        Ok(self.0.get(Number { number: bytes }).await?.into_inner().bytes.len())
    }

    async fn numbers_into(&mut self, items: u64, meter: &mut Meter) -> Result<(), Fault> {
        let mut stream = self.0.numbers(Number { number: items }).await?.into_inner();
        loop {
            expect(stream.message().await?.map(|of| of.number), Some(meter.count()))?;
            if !meter.took() {
                return Ok(());
            }
        }
    }

    async fn chunks_into(&mut self, items: u64, meter: &mut Meter) -> Result<(), Fault> {
        let mut stream = self.0.chunks(Number { number: items }).await?.into_inner();
        loop {
            expect(stream.message().await?.map(|of| of.bytes.len()), Some(CHUNK))?;
            if !meter.took() {
                return Ok(());
            }
        }
    }
}
