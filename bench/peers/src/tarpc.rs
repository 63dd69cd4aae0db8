//! tarpc with bincode, as in its README and `examples/tracing.rs`: the macro, `BaseChannel::with_defaults`, a task per request.
//! Its own `serde_transport::tcp` leaves delays on, so the transport is made of a stream without.

use futures::{Future, StreamExt};
use serde_bytes::ByteBuf;
use tarpc::context;
use tarpc::serde_transport;
use tarpc::server::{BaseChannel, Channel};
use tarpc::tokio_serde::formats::Bincode;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
use tokio_util::codec::{Framed, LengthDelimitedCodec};
use vox_bench::calls::{Calls, Driven, Record};
use vox_bench::contender::{Client, Contender, Fault, Pending, Setting, Work};
use vox_bench::contenders::{connect_tcp, listen};

/// The contender.
pub struct Tarpc;

#[tarpc::service(derive = [serde::Serialize, serde::Deserialize])]
trait Bench {
    async fn echo(number: u64) -> u64;
    async fn blob(bytes: ByteBuf) -> ByteBuf;
    async fn records(records: Vec<Record>) -> Vec<Record>;
    async fn hold();
    async fn held() -> u64;
    async fn put(bytes: ByteBuf) -> u64;
    async fn get(bytes: u64) -> ByteBuf;
}

#[derive(Clone)]
struct Bencher;

impl Bench for Bencher {
    async fn echo(self, _: context::Context, number: u64) -> u64 {
        number
    }

    async fn blob(self, _: context::Context, bytes: ByteBuf) -> ByteBuf {
        bytes
    }

    async fn records(self, _: context::Context, records: Vec<Record>) -> Vec<Record> {
        records
    }

    async fn hold(self, _: context::Context) {
        crate::hold().await
    }

    async fn held(self, _: context::Context) -> u64 {
        crate::held()
    }

    async fn put(self, _: context::Context, bytes: ByteBuf) -> u64 {
        bytes.len() as u64
    }

    async fn get(self, _: context::Context, bytes: u64) -> ByteBuf {
        ByteBuf::from(vec![7; bytes as usize])
    }
}

impl Contender for Tarpc {
    fn name(&self) -> &'static str {
        "tarpc"
    }

    fn takes_part(&self, setting: Setting) -> bool {
        // It has no streams.
        !setting.kept && !matches!(setting.work, Work::Stream { .. })
    }

    fn calls_per_connection(&self) -> usize {
        tarpc::client::Config::default().max_in_flight_requests - 1
    }

    fn serve(&self, setting: Setting) -> Pending<'static, String> {
        Box::pin(listen(
            setting.link,
            move |tcp| drop(tokio::spawn(serve(transport(tcp, setting)))),
            move |unix| drop(tokio::spawn(serve(transport(unix, setting)))),
        ))
    }

    fn connect(&self, address: String, setting: Setting) -> Pending<'static, Box<dyn Client>> {
        Box::pin(async move {
            let config = tarpc::client::Config::default();
            let client = match address.strip_prefix("unix://") {
                Some(path) => BenchClient::new(config, transport(UnixStream::connect(path).await?, setting)).spawn(),
                None => BenchClient::new(config, transport(connect_tcp(&address).await?, setting)).spawn(),
            };
            Ok(Box::new(Driven(TarpcClient(client))) as Box<dyn Client>)
        })
    }

    /// Values go through a channel, as they are.
    fn in_memory(&self, _: Setting) -> Pending<'static, Box<dyn Client>> {
        Box::pin(async move {
            let (ours, theirs) = tarpc::transport::channel::unbounded();
            tokio::spawn(serve(theirs));
            let client = BenchClient::new(tarpc::client::Config::default(), ours).spawn();
            Ok(Box::new(Driven(TarpcClient(client))) as Box<dyn Client>)
        })
    }
}

type Transport<S, Item, SinkItem> = serde_transport::Transport<S, Item, SinkItem, Bincode<Item, SinkItem>>;

fn transport<S, Item, SinkItem>(stream: S, setting: Setting) -> Transport<S, Item, SinkItem>
where
    S: AsyncRead + AsyncWrite,
    Item: for<'a> serde::Deserialize<'a>,
    SinkItem: serde::Serialize,
{
    let mut codec = LengthDelimitedCodec::new();
    if setting.largest_message() > codec.max_frame_length() {
        codec.set_max_frame_length(setting.largest_message());
    }
    serde_transport::new(Framed::new(stream, codec), Bincode::default())
}

async fn serve<T>(transport: T)
where
    T: tarpc::Transport<tarpc::Response<BenchResponse>, tarpc::ClientMessage<BenchRequest>> + Send + 'static,
    T::Error: Send + Sync,
{
    let spawn = |response: _| async move { drop(tokio::spawn(erase(response))) };
    BaseChannel::with_defaults(transport).execute(Bencher.serve()).for_each(spawn).await;
}

/// The future as the runtime needs to know it.
fn erase(future: impl Future<Output = ()> + Send + 'static) -> impl Future<Output = ()> + Send + 'static {
    future
}

#[derive(Clone)]
struct TarpcClient(BenchClient);

impl Calls for TarpcClient {
    type Record = Record;

    fn record(id: u64) -> Record {
        Record::of(id)
    }

    fn sum(record: &Record) -> u64 {
        record.sum()
    }

    async fn echo(&mut self, number: u64) -> Result<u64, Fault> {
        Ok(self.0.echo(context::current(), number).await?)
    }

    async fn blob(&mut self, bytes: Vec<u8>) -> Result<usize, Fault> {
        Ok(self.0.blob(context::current(), ByteBuf::from(bytes)).await?.len())
    }

    async fn records(&mut self, records: Vec<Record>) -> Result<Vec<Record>, Fault> {
        Ok(self.0.records(context::current(), records).await?)
    }

    async fn numbers(&mut self, _: u64) -> Result<(), Fault> {
        Err("there are no streams".into())
    }

    async fn structs(&mut self, _: u64) -> Result<(), Fault> {
        Err("there are no streams".into())
    }

    async fn hold(&mut self) -> Result<(), Fault> {
        Ok(self.0.hold(context::current()).await?)
    }

    async fn held(&mut self) -> Result<u64, Fault> {
        Ok(self.0.held(context::current()).await?)
    }

    async fn put(&mut self, bytes: Vec<u8>) -> Result<u64, Fault> {
        Ok(self.0.put(context::current(), ByteBuf::from(bytes)).await?)
    }

    async fn get(&mut self, bytes: u64) -> Result<usize, Fault> {
        Ok(self.0.get(context::current(), bytes).await?.len())
    }
}
