//! remoc, as in the documentation of its `rtc` module and of `connect::transports::tcp`: a remote trait, served from an `Arc` so that
//! calls run in parallel, handed over while connecting; streams are its `mpsc` channels.

use std::sync::Arc;

use remoc::codec;
use remoc::prelude::*;
use remoc::rtc::CallError;
use serde_bytes::ByteBuf;
use tokio::net::UnixStream;
use vox_bench::calls::{Calls, Driven, Hundred, Record};
use vox_bench::contender::{Client, Contender, Fault, Pending, Setting, Work, expect};
use vox_bench::far::{CHUNK, Meter};
use vox_bench::contenders::{MEMORY, Stream, connect_tcp, listen};

/// The contender.
pub struct Remoc;

#[rtc::remote]
pub trait Bench {
    async fn echo(&self, number: u64) -> Result<u64, CallError>;
    async fn blob(&self, bytes: ByteBuf) -> Result<ByteBuf, CallError>;
    async fn records(&self, records: Vec<Record>) -> Result<Vec<Record>, CallError>;
    async fn numbers(&self, items: u64) -> Result<rch::mpsc::Receiver<u64>, CallError>;
    async fn structs(&self, items: u64) -> Result<rch::mpsc::Receiver<Hundred>, CallError>;
    async fn hold(&self) -> Result<(), CallError>;
    async fn held(&self) -> Result<u64, CallError>;
    async fn put(&self, bytes: ByteBuf) -> Result<u64, CallError>;
    async fn get(&self, bytes: u64) -> Result<ByteBuf, CallError>;
    async fn chunks(&self, items: u64) -> Result<rch::mpsc::Receiver<ByteBuf>, CallError>;
}

struct Bencher;

impl Bench for Bencher {
    async fn echo(&self, number: u64) -> Result<u64, CallError> {
        Ok(number)
    }

    async fn blob(&self, bytes: ByteBuf) -> Result<ByteBuf, CallError> {
        Ok(bytes)
    }

    async fn records(&self, records: Vec<Record>) -> Result<Vec<Record>, CallError> {
        Ok(records)
    }

    async fn numbers(&self, items: u64) -> Result<rch::mpsc::Receiver<u64>, CallError> {
        Ok(stream(items, |item| item))
    }

    async fn structs(&self, items: u64) -> Result<rch::mpsc::Receiver<Hundred>, CallError> {
        Ok(stream(items, Hundred::of))
    }

    async fn hold(&self) -> Result<(), CallError> {
        crate::hold().await;
        Ok(())
    }

    async fn held(&self) -> Result<u64, CallError> {
        Ok(crate::held())
    }

    async fn put(&self, bytes: ByteBuf) -> Result<u64, CallError> {
        Ok(bytes.len() as u64)
    }

    async fn get(&self, bytes: u64) -> Result<ByteBuf, CallError> {
        Ok(ByteBuf::from(vec![7; bytes as usize]))
    }

    async fn chunks(&self, items: u64) -> Result<rch::mpsc::Receiver<ByteBuf>, CallError> {
        Ok(stream(items, |_| ByteBuf::from(vec![7; CHUNK])))
    }
}

fn stream<T: RemoteSend>(items: u64, item: fn(u64) -> T) -> rch::mpsc::Receiver<T> {
    let (sender, receiver) = rch::mpsc::channel();
    tokio::spawn(async move {
        for id in 0..items {
            if sender.send(item(id)).await.is_err() {
                return;
            }
        }
    });
    receiver
}

impl Contender for Remoc {
    fn name(&self) -> &'static str {
        "remoc"
    }

    fn takes_part(&self, setting: Setting) -> bool {
        // An item of a channel, which a request is, may have 16 MiB.
        !setting.kept && !matches!(setting.work, Work::Blob { bytes: 16_000_000.., .. })
    }

    fn calls_per_connection(&self) -> usize {
        // `DEFAULT_PARALLELISM` is 32: a server takes up no more requests until one of so many ends. One is for asking how many.
        31
    }

    fn serve(&self, setting: Setting) -> Pending<'static, String> {
        let serve_tcp = |tcp| drop(tokio::spawn(serve(tcp)));
        Box::pin(listen(setting.link, serve_tcp, |unix| drop(tokio::spawn(serve(unix)))))
    }

    fn connect(&self, address: String, _: Setting) -> Pending<'static, Box<dyn Client>> {
        Box::pin(async move {
            match address.strip_prefix("unix://") {
                Some(path) => client(UnixStream::connect(path).await?).await,
                None => client(connect_tcp(&address).await?).await,
            }
        })
    }

    fn in_memory(&self, _: Setting) -> Pending<'static, Box<dyn Client>> {
        Box::pin(async move {
            let (ours, theirs) = tokio::io::duplex(MEMORY);
            tokio::spawn(serve(theirs));
            client(ours).await
        })
    }
}

async fn serve(stream: impl Stream) {
    let (reading, writing) = stream.halves();
    let (server, client) = BenchServerShared::<_, codec::Default>::new(Arc::new(Bencher));
    let connected = remoc::Connect::io(remoc::Cfg::default(), reading, writing).provide(client).await;
    if connected.is_ok() {
        let _ = server.serve().await;
    }
}

async fn client(stream: impl Stream) -> Result<Box<dyn Client>, Fault> {
    let (reading, writing) = stream.halves();
    let client: BenchClient = remoc::Connect::io(remoc::Cfg::default(), reading, writing).consume().await?;
    Ok(Box::new(Driven(RemocClient(client))))
}

#[derive(Clone)]
struct RemocClient(BenchClient);

impl Calls for RemocClient {
    type Record = Record;

    fn record(id: u64) -> Record {
        Record::of(id)
    }

    fn sum(record: &Record) -> u64 {
        record.sum()
    }

    async fn echo(&mut self, number: u64) -> Result<u64, Fault> {
        Ok(self.0.echo(number).await?)
    }

    async fn blob(&mut self, bytes: Vec<u8>) -> Result<usize, Fault> {
        Ok(self.0.blob(ByteBuf::from(bytes)).await?.len())
    }

    async fn records(&mut self, records: Vec<Record>) -> Result<Vec<Record>, Fault> {
        Ok(self.0.records(records).await?)
    }

    async fn numbers(&mut self, items: u64) -> Result<(), Fault> {
        let mut stream = self.0.numbers(items).await?;
        for item in 0..items {
            expect(stream.recv().await?, Some(item))?;
        }
        expect(stream.recv().await?, None)
    }

    async fn structs(&mut self, items: u64) -> Result<(), Fault> {
        let mut stream = self.0.structs(items).await?;
        for item in 0..items {
            expect(stream.recv().await?.map(|of| of.id), Some(item))?;
        }
        expect(stream.recv().await?, None)
    }

    async fn hold(&mut self) -> Result<(), Fault> {
        Ok(self.0.hold().await?)
    }

    async fn held(&mut self) -> Result<u64, Fault> {
        Ok(self.0.held().await?)
    }

    async fn put(&mut self, bytes: Vec<u8>) -> Result<u64, Fault> {
        Ok(self.0.put(ByteBuf::from(bytes)).await?)
    }

    async fn get(&mut self, bytes: u64) -> Result<usize, Fault> {
        Ok(self.0.get(bytes).await?.len())
    }

    async fn numbers_into(&mut self, items: u64, meter: &mut Meter) -> Result<(), Fault> {
        let mut stream = self.0.numbers(items).await?;
        loop {
            expect(stream.recv().await?, Some(meter.count()))?;
            if !meter.took() {
                return Ok(());
            }
        }
    }

    async fn chunks_into(&mut self, items: u64, meter: &mut Meter) -> Result<(), Fault> {
        let mut stream = self.0.chunks(items).await?;
        loop {
            expect(stream.recv().await?.map(|chunk| chunk.len()), Some(CHUNK))?;
            if !meter.took() {
                return Ok(());
            }
        }
    }
}
