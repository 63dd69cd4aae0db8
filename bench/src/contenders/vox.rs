//! vox, as a user has it: the macro, the public API, every default.

use std::sync::atomic::{AtomicU64, Ordering};

use vox::{Limits, Rx, Server, Tx};

use super::free_address;
use crate::calls::{Calls, Driven, Hundred, Record};
use crate::contender::{Client, Contender, Fault, Pending, Setting, Work, expect};
use crate::far::{CHUNK, Meter};

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
    async fn records(&self, records: Vec<Record>) -> Vec<Record>;
    async fn numbers(&self, items: u64, numbers: Tx<u64>);
    async fn structs(&self, items: u64, structs: Tx<Hundred>);
    async fn hold(&self);
    async fn held(&self) -> u64;
    async fn put(&self, bytes: Vec<u8>) -> u64;
    async fn get(&self, bytes: u64) -> Vec<u8>;
    async fn chunks(&self, items: u64, chunks: Tx<Vec<u8>>);
}

/// How many calls are held.
#[derive(Default)]
struct Bencher(AtomicU64);

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

    async fn records(&self, records: Vec<Record>) -> Vec<Record> {
        records
    }

    async fn numbers(&self, items: u64, numbers: Tx<u64>) {
        for item in 0..items {
            if numbers.send(item).await.is_err() {
                return;
            }
        }
        numbers.close();
    }

    async fn structs(&self, items: u64, structs: Tx<Hundred>) {
        for item in 0..items {
            if structs.send(Hundred::of(item)).await.is_err() {
                return;
            }
        }
        structs.close();
    }

    async fn hold(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
        std::future::pending().await
    }

    async fn held(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    async fn put(&self, bytes: Vec<u8>) -> u64 {
        bytes.len() as u64
    }

    async fn get(&self, bytes: u64) -> Vec<u8> {
        vec![7; bytes as usize]
    }

    async fn chunks(&self, items: u64, chunks: Tx<Vec<u8>>) {
        for _ in 0..items {
            if chunks.send(vec![7; CHUNK]).await.is_err() {
                return;
            }
        }
        chunks.close();
    }
}

impl Contender for Vox {
    fn name(&self) -> &'static str {
        if self.keeps { "vox-persist" } else { "vox" }
    }

    fn takes_part(&self, setting: Setting) -> bool {
        !self.keeps || setting.kept
    }

    fn calls_per_connection(&self) -> usize {
        // One less than the limit, so that there is room for asking how many wait.
        Limits::default().max_calls - 1
    }

    fn serve(&self, setting: Setting) -> Pending<'static, String> {
        Box::pin(async move {
            let service = BenchDispatcher::new(Bencher::default());
            let server = Server::builder().limits(limits(setting)).service(service);
            let server = server.bind(free_address(setting.link)?).await?;
            let address = server.address();
            tokio::spawn(async move {
                let _serving = server;
                std::future::pending::<()>().await;
            });
            Ok(address)
        })
    }

    fn connect(&self, address: String, setting: Setting) -> Pending<'static, Box<dyn Client>> {
        let keeps = self.keeps;
        Box::pin(async move {
            let client: BenchClient = vox::connect(address).limits(limits(setting)).await?;
            Ok(driven(client, keeps))
        })
    }

    fn in_memory(&self, _: Setting) -> Pending<'static, Box<dyn Client>> {
        let keeps = self.keeps;
        Box::pin(async move {
            let (ours, theirs) = vox::transport::memory_pair();
            tokio::spawn(vox::serve(theirs, BenchDispatcher::new(Bencher::default())));
            let client: BenchClient = vox::connect(ours).await?;
            Ok(driven(client, keeps))
        })
    }
}

/// The defaults, but for messages that are longer than they allow.
fn limits(setting: Setting) -> Limits {
    // All clients of a benchmark come from one address.
    let all = Limits::default();
    let (max_peer_sessions, max_peer_handshakes) = (all.max_sessions, all.max_pending_handshakes);
    let mut limits = Limits { max_peer_sessions, max_peer_handshakes, ..all };
    if matches!(setting.work, Work::Blob { .. }) && setting.largest_message() > limits.max_message_bytes {
        limits.max_message_bytes = setting.largest_message();
    }
    limits
}

fn driven(client: BenchClient, keeps: bool) -> Box<dyn Client> {
    Box::new(Driven(VoxClient { client, keeps }))
}

#[derive(Clone)]
struct VoxClient {
    client: BenchClient,
    keeps: bool,
}

impl Calls for VoxClient {
    type Record = Record;

    fn record(id: u64) -> Record {
        Record::of(id)
    }

    fn sum(record: &Record) -> u64 {
        record.sum()
    }

    async fn echo(&mut self, number: u64) -> Result<u64, Fault> {
        match self.keeps {
            false => Ok(self.client.echo(number).await?),
            true => Ok(self.client.kept(number).await?),
        }
    }

    async fn blob(&mut self, bytes: Vec<u8>) -> Result<usize, Fault> {
        Ok(self.client.blob(bytes).await?.len())
    }

    async fn records(&mut self, records: Vec<Record>) -> Result<Vec<Record>, Fault> {
        Ok(self.client.records(records).await?)
    }

    async fn numbers(&mut self, items: u64) -> Result<(), Fault> {
        let (numbers, mut received): (_, Rx<u64>) = vox::channel();
        let call = tokio::spawn(self.client.numbers(items, numbers).into_future());
        for item in 0..items {
            expect(received.recv().await?, Some(item))?;
        }
        expect(received.recv().await?, None)?;
        Ok(call.await??)
    }

    async fn structs(&mut self, items: u64) -> Result<(), Fault> {
        let (structs, mut received): (_, Rx<Hundred>) = vox::channel();
        let call = tokio::spawn(self.client.structs(items, structs).into_future());
        for item in 0..items {
            expect(received.recv().await?.map(|item| item.id), Some(item))?;
        }
        expect(received.recv().await?.map(|item| item.id), None)?;
        Ok(call.await??)
    }

    async fn hold(&mut self) -> Result<(), Fault> {
        Ok(self.client.hold().await?)
    }

    async fn held(&mut self) -> Result<u64, Fault> {
        Ok(self.client.held().await?)
    }

    async fn put(&mut self, bytes: Vec<u8>) -> Result<u64, Fault> {
        Ok(self.client.put(bytes).await?)
    }

    async fn get(&mut self, bytes: u64) -> Result<usize, Fault> {
        Ok(self.client.get(bytes).await?.len())
    }

    async fn numbers_into(&mut self, items: u64, meter: &mut Meter) -> Result<(), Fault> {
        let (numbers, mut received): (_, Rx<u64>) = vox::channel();
        let _call = tokio::spawn(self.client.numbers(items, numbers).into_future());
        loop {
            expect(received.recv().await?, Some(meter.count()))?;
            if !meter.took() {
                return Ok(());
            }
        }
    }

    async fn chunks_into(&mut self, items: u64, meter: &mut Meter) -> Result<(), Fault> {
        let (chunks, mut received): (_, Rx<Vec<u8>>) = vox::channel();
        let _call = tokio::spawn(self.client.chunks(items, chunks).into_future());
        loop {
            expect(received.recv().await?.map(|chunk| chunk.len()), Some(CHUNK))?;
            if !meter.took() {
                return Ok(());
            }
        }
    }
}
