//! capnp-rpc, as in `capnp-rpc/examples` of its repository (`hello-world`, `streaming`): an `RpcSystem` per connection over buffered
//! halves, streaming methods for streams. What it makes stays on one thread; where there are two, each end has one of them.
//!
//! Its users read a reply where it lies: so does this client, all fields of it, without owning them.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

use capnp::Error;
use capnp_rpc::{RpcSystem, rpc_twoparty_capnp, twoparty};
use send_wrapper::SendWrapper;
use tokio::net::UnixStream;
use tokio::runtime::{Builder, Handle, RuntimeFlavor};
use tokio::sync::{mpsc, oneshot};
use tokio_util::compat::{TokioAsyncReadCompatExt, TokioAsyncWriteCompatExt};
use vox_bench::calls::{Calls, Driven, Hundred, Record, drive};
use vox_bench::contender::{Client, Contender, Fault, Pending, Setting, Times, Work, expect};
use vox_bench::far::{CHUNK, Meter};
use vox_bench::contenders::{Stream, connect_tcp, listen};

use crate::bench_capnp::{bench, chunks, hundred, numbers, record, structs};

/// The contender.
pub struct CapnpRpc;

struct Bencher;

impl bench::Server for Bencher {
    async fn echo(self: Rc<Self>, params: bench::EchoParams, mut results: bench::EchoResults) -> Result<(), Error> {
        results.get().set_number(params.get()?.get_number());
        Ok(())
    }

    async fn blob(self: Rc<Self>, params: bench::BlobParams, mut results: bench::BlobResults) -> Result<(), Error> {
        results.get().set_bytes(params.get()?.get_bytes()?);
        Ok(())
    }

    async fn list(self: Rc<Self>, params: bench::ListParams, mut results: bench::ListResults) -> Result<(), Error> {
        results.get().set_records(params.get()?.get_records()?)
    }

    async fn numbers(self: Rc<Self>, params: bench::NumbersParams, _: bench::NumbersResults) -> Result<(), Error> {
        let (items, sink) = (params.get()?.get_items(), params.get()?.get_sink()?);
        for item in 0..items {
            let mut request = sink.item_request();
            request.get().set_number(item);
            request.send().await?;
        }
        Ok(())
    }

    async fn structs(self: Rc<Self>, params: bench::StructsParams, _: bench::StructsResults) -> Result<(), Error> {
        let (items, sink) = (params.get()?.get_items(), params.get()?.get_sink()?);
        for item in 0..items {
            let mut request = sink.item_request();
            write_struct(request.get().init_item(), &Hundred::of(item));
            request.send().await?;
        }
        Ok(())
    }

    async fn hold(self: Rc<Self>, _: bench::HoldParams, _: bench::HoldResults) -> Result<(), Error> {
        crate::hold().await;
        Ok(())
    }

    async fn held(self: Rc<Self>, _: bench::HeldParams, mut results: bench::HeldResults) -> Result<(), Error> {
        results.get().set_number(crate::held());
        Ok(())
    }

    async fn put(self: Rc<Self>, params: bench::PutParams, mut results: bench::PutResults) -> Result<(), Error> {
        results.get().set_number(params.get()?.get_bytes()?.len() as u64);
        Ok(())
    }

    async fn get(self: Rc<Self>, params: bench::GetParams, mut results: bench::GetResults) -> Result<(), Error> {
        let bytes = params.get()?.get_bytes();
        results.get().init_bytes(bytes as u32).fill(7);
        Ok(())
    }

    async fn chunks(self: Rc<Self>, params: bench::ChunksParams, _: bench::ChunksResults) -> Result<(), Error> {
        let (items, sink) = (params.get()?.get_items(), params.get()?.get_sink()?);
        for _ in 0..items {
            let mut request = sink.item_request();
            request.get().init_bytes(CHUNK as u32).fill(7);
            request.send().await?;
        }
        Ok(())
    }
}

fn write_struct(mut item: hundred::Builder<'_>, of: &Hundred) {
    item.set_id(of.id);
    item.set_at(of.at);
    item.set_kind(of.kind);
    let mut values = item.init_values(of.values.len() as u32);
    for (index, value) in of.values.iter().enumerate() {
        values.set(index as u32, *value);
    }
}

impl Contender for CapnpRpc {
    fn name(&self) -> &'static str {
        "capnp-rpc"
    }

    fn takes_part(&self, setting: Setting) -> bool {
        !setting.kept
    }

    fn serve(&self, setting: Setting) -> Pending<'static, String> {
        let serve = move || listen(setting.link, |tcp| serve(tcp), |unix| serve(unix));
        Box::pin(async move {
            if Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread {
                return serve().await;
            }
            let (said, address) = oneshot::channel();
            let lives = alone(move |_: mpsc::Receiver<()>| async move {
                let _ = said.send(serve().await);
                std::future::pending::<()>().await
            });
            // The thread ends with the runtime that asked for it.
            tokio::spawn(async move {
                let _lives = lives;
                std::future::pending::<()>().await
            });
            address.await?
        })
    }

    fn connect(&self, address: String, _: Setting) -> Pending<'static, Box<dyn Client>> {
        Box::pin(async move {
            match Handle::current().runtime_flavor() {
                RuntimeFlavor::CurrentThread => Ok(Box::new(Driven(connect(&address).await?)) as Box<dyn Client>),
                _ => elsewhere(async move { connect(&address).await }).await,
            }
        })
    }

    /// A capability of this process, called without a connection, and so on one thread in any case.
    fn in_memory(&self, _: Setting) -> Pending<'static, Box<dyn Client>> {
        let make = || CapnpClient(SendWrapper::new(capnp_rpc::new_client(Bencher)));
        Box::pin(async move {
            match Handle::current().runtime_flavor() {
                RuntimeFlavor::CurrentThread => Ok(Box::new(Driven(make())) as Box<dyn Client>),
                _ => elsewhere(async move { Ok(make()) }).await,
            }
        })
    }
}

/// A client made and used on a thread of its own.
async fn elsewhere(
    make: impl Future<Output = Result<CapnpClient, Fault>> + Send + 'static,
) -> Result<Box<dyn Client>, Fault> {
    let (said, made) = oneshot::channel();
    let jobs = alone(move |mut jobs: mpsc::Receiver<Job>| async move {
        let mut client = match make.await {
            Ok(client) => client,
            Err(fault) => return drop(said.send(Err(fault))),
        };
        let _ = said.send(Ok(()));
        while let Some(Job { work, timed, done }) = jobs.recv().await {
            let mut times = Times::new();
            let result = drive(&mut client, work, timed.then_some(&mut times)).await;
            let _ = done.send(result.map(|()| times));
        }
    });
    made.await??;
    Ok(Box::new(Elsewhere(jobs)))
}

/// A thread with a runtime of its own, which ends when what is returned is dropped.
fn alone<T, F>(run: impl FnOnce(mpsc::Receiver<T>) -> F + Send + 'static) -> mpsc::Sender<T>
where
    T: Send + 'static,
    F: Future<Output = ()>,
{
    let (sender, receiver) = mpsc::channel(1);
    let ended = sender.clone().downgrade();
    std::thread::spawn(move || {
        let Ok(runtime) = Builder::new_current_thread().enable_all().build() else { return };
        runtime.block_on(async {
            let gone = async {
                while ended.upgrade().is_some() {
                    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
                }
            };
            tokio::select! {
                () = run(receiver) => {}
                () = gone => {}
            }
        });
    });
    sender
}

struct Job {
    work: Work,
    timed: bool,
    done: oneshot::Sender<Result<Times, Fault>>,
}

/// A client that is on a thread of its own.
struct Elsewhere(mpsc::Sender<Job>);

impl Client for Elsewhere {
    fn run<'a>(&'a mut self, work: Work, times: Option<&'a mut Times>) -> Pending<'a, ()> {
        Box::pin(async move {
            let (done, result) = oneshot::channel();
            let job = Job { work, timed: times.is_some(), done };
            self.0.send(job).await.map_err(|_| "the thread is gone")?;
            let mut own = result.await??;
            if let Some(times) = times {
                times.append(&mut own);
            }
            Ok(())
        })
    }
}

fn serve(stream: impl Stream) {
    let client: bench::Client = capnp_rpc::new_client(Bencher);
    let network = network(stream, rpc_twoparty_capnp::Side::Server);
    let system = RpcSystem::new(network, Some(client.client));
    // On a runtime of one thread, which is where this runs, a task never leaves its thread.
    tokio::spawn(SendWrapper::new(async move { drop(system.await) }));
}

async fn connect(address: &str) -> Result<CapnpClient, Fault> {
    match address.strip_prefix("unix://") {
        Some(path) => Ok(client(UnixStream::connect(path).await?)),
        None => Ok(client(connect_tcp(address).await?)),
    }
}

fn client(stream: impl Stream) -> CapnpClient {
    let mut system = RpcSystem::new(network(stream, rpc_twoparty_capnp::Side::Client), None);
    let client: bench::Client = system.bootstrap(rpc_twoparty_capnp::Side::Server);
    tokio::spawn(SendWrapper::new(async move { drop(system.await) }));
    CapnpClient(SendWrapper::new(client))
}

type Network = Box<dyn capnp_rpc::VatNetwork<rpc_twoparty_capnp::Side>>;

fn network(stream: impl Stream, side: rpc_twoparty_capnp::Side) -> Network {
    let (reading, writing) = stream.halves();
    Box::new(twoparty::VatNetwork::new(
        futures::io::BufReader::new(reading.compat()),
        futures::io::BufWriter::new(writing.compat_write()),
        side,
        Default::default(),
    ))
}

#[derive(Clone)]
struct CapnpClient(SendWrapper<bench::Client>);

impl CapnpClient {
    fn client(&self) -> bench::Client {
        (*self.0).clone()
    }
}

impl Calls for CapnpClient {
    type Record = Record;

    fn record(id: u64) -> Record {
        Record::of(id)
    }

    fn sum(record: &Record) -> u64 {
        record.sum()
    }

    fn echo(&mut self, number: u64) -> impl Future<Output = Result<u64, Fault>> + Send {
        let client = &self.0;
        let mut request = client.echo_request();
        request.get().set_number(number);
        SendWrapper::new(async move { Ok(request.send().promise.await?.get()?.get_number()) })
    }

    fn blob(&mut self, bytes: Vec<u8>) -> impl Future<Output = Result<usize, Fault>> + Send {
        let mut request = self.0.blob_request();
        request.get().set_bytes(&bytes);
        SendWrapper::new(async move { Ok(request.send().promise.await?.get()?.get_bytes()?.len()) })
    }

    fn records(&mut self, records: Vec<Record>) -> impl Future<Output = Result<Vec<Record>, Fault>> + Send {
        let mut request = self.0.list_request();
        let mut list = request.get().init_records(records.len() as u32);
        for (index, record) in records.iter().enumerate() {
            write_record(list.reborrow().get(index as u32), record);
        }
        SendWrapper::new(async move {
            let response = request.send().promise.await?;
            let mut sum = 0;
            for record in response.get()?.get_records()? {
                sum += read_record(record)?;
            }
            expect(sum, records.iter().map(Record::sum).sum())?;
            Ok(records)
        })
    }

    fn numbers(&mut self, items: u64) -> impl Future<Output = Result<(), Fault>> + Send {
        let client = self.client();
        SendWrapper::new(async move {
            let received = Rc::new(Received::default());
            let mut request = client.numbers_request();
            request.get().set_items(items);
            request.get().set_sink(capnp_rpc::new_client::<numbers::Client, _>(Sink(received.clone())));
            request.send().promise.await?;
            expect(received.next.get(), items)
        })
    }

    fn structs(&mut self, items: u64) -> impl Future<Output = Result<(), Fault>> + Send {
        let client = self.client();
        SendWrapper::new(async move {
            let received = Rc::new(Received::default());
            let mut request = client.structs_request();
            request.get().set_items(items);
            request.get().set_sink(capnp_rpc::new_client::<structs::Client, _>(Sink(received.clone())));
            request.send().promise.await?;
            expect(received.next.get(), items)
        })
    }

    fn hold(&mut self) -> impl Future<Output = Result<(), Fault>> + Send {
        let request = self.0.hold_request();
        SendWrapper::new(async move { Ok(drop(request.send().promise.await?)) })
    }

    fn held(&mut self) -> impl Future<Output = Result<u64, Fault>> + Send {
        let request = self.0.held_request();
        SendWrapper::new(async move { Ok(request.send().promise.await?.get()?.get_number()) })
    }

    fn put(&mut self, bytes: Vec<u8>) -> impl Future<Output = Result<u64, Fault>> + Send {
        let mut request = self.0.put_request();
        request.get().set_bytes(&bytes);
        SendWrapper::new(async move { Ok(request.send().promise.await?.get()?.get_number()) })
    }

    fn get(&mut self, bytes: u64) -> impl Future<Output = Result<usize, Fault>> + Send {
        let mut request = self.0.get_request();
        request.get().set_bytes(bytes);
        SendWrapper::new(async move { Ok(request.send().promise.await?.get()?.get_bytes()?.len()) })
    }

    fn numbers_into(&mut self, items: u64, meter: &mut Meter) -> impl Future<Output = Result<(), Fault>> + Send {
        let client = self.client();
        SendWrapper::new(async move {
            let (taken, mut taking) = mpsc::unbounded_channel();
            let mut request = client.numbers_request();
            request.get().set_items(items);
            request.get().set_sink(capnp_rpc::new_client::<numbers::Client, _>(Metered(taken)));
            let call = request.send().promise;
            meter_all(meter, &mut taking, call, |item, count| expect(item, count)).await
        })
    }

    fn chunks_into(&mut self, items: u64, meter: &mut Meter) -> impl Future<Output = Result<(), Fault>> + Send {
        let client = self.client();
        SendWrapper::new(async move {
            let (taken, mut taking) = mpsc::unbounded_channel();
            let mut request = client.chunks_request();
            request.get().set_items(items);
            request.get().set_sink(capnp_rpc::new_client::<chunks::Client, _>(Metered(taken)));
            let call = request.send().promise;
            meter_all(meter, &mut taking, call, |length, _| expect(length, CHUNK as u64)).await
        })
    }
}

/// Takes what a sink was called with, until the meter has had enough. The call that feeds it is dropped then, and cancelled.
async fn meter_all<R>(
    meter: &mut Meter,
    taking: &mut mpsc::UnboundedReceiver<u64>,
    call: impl Future<Output = Result<R, Error>>,
    check: impl Fn(u64, u64) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut call = std::pin::pin!(call);
    let mut over = false;
    loop {
        let item = tokio::select! {
            biased;
            item = taking.recv() => item.ok_or("the stream ended early")?,
            ended = &mut call, if !over => {
                ended?;
                over = true;
                continue;
            }
        };
        check(item, meter.count())?;
        if !meter.took() {
            return Ok(());
        }
    }
}

/// Hands on what comes, at once: its sender is bounded by the window of the connection.
struct Metered(mpsc::UnboundedSender<u64>);

impl Metered {
    fn hand_on(&self, item: u64) -> Result<(), Error> {
        self.0.send(item).map_err(|_| Error::failed("nobody takes it any more".to_owned()))
    }
}

impl numbers::Server for Metered {
    async fn item(self: Rc<Self>, params: numbers::ItemParams) -> Result<(), Error> {
        self.hand_on(params.get()?.get_number())
    }
}

impl chunks::Server for Metered {
    async fn item(self: Rc<Self>, params: chunks::ItemParams) -> Result<(), Error> {
        self.hand_on(params.get()?.get_bytes()?.len() as u64)
    }
}

fn write_record(mut to: record::Builder<'_>, record: &Record) {
    to.set_id(record.id);
    to.set_name(&record.name);
    to.set_score(record.score);
    to.set_flag(record.flag);
    let mut tags = to.init_tags(record.tags.len() as u32);
    for (index, tag) in record.tags.iter().enumerate() {
        tags.set(index as u32, tag);
    }
}

/// What [`Record::sum`] would say of it.
fn read_record(record: record::Reader<'_>) -> Result<u64, Fault> {
    let mut letters = record.get_name()?.to_str()?.len();
    for tag in record.get_tags()? {
        letters += tag?.to_str()?.len();
    }
    Ok(record.get_id() + letters as u64 + record.get_score() as u64 + u64::from(record.get_flag()))
}

/// What a stream gave.
#[derive(Default)]
struct Received {
    next: Cell<u64>,
}

impl Received {
    fn take(&self, item: u64) -> Result<(), Error> {
        match self.next.replace(item + 1) == item {
            true => Ok(()),
            false => Err(Error::failed("an item is out of its place".to_owned())),
        }
    }
}

struct Sink(Rc<Received>);

impl numbers::Server for Sink {
    async fn item(self: Rc<Self>, params: numbers::ItemParams) -> Result<(), Error> {
        self.0.take(params.get()?.get_number())
    }
}

impl structs::Server for Sink {
    async fn item(self: Rc<Self>, params: structs::ItemParams) -> Result<(), Error> {
        let item = params.get()?.get_item()?;
        // The values are read like everything else that a user would want.
        let sum: f32 = item.get_values()?.iter().sum();
        READ.fetch_add(u64::from(item.get_kind()) + item.get_at() + sum as u64, Ordering::Relaxed);
        self.0.take(item.get_id())
    }
}

/// Keeps what was read from being left out.
static READ: AtomicU64 = AtomicU64::new(0);
