//! The least a multiplexer can be: request ids, a table of those who wait, a writer that callers share, values in
//! serde-postcard. No deadlines, no cancelling, no limits, no credit, no metadata, no checks of the peer.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Buf, Bytes, BytesMut};
use serde_bytes::ByteBuf;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::{Notify, mpsc, oneshot};

use super::{MEMORY, Stream, connect_tcp, listen};
use crate::calls::{Calls, Driven, Hundred, Record};
use crate::contender::{Client, Contender, Fault, Pending, Setting, expect};

/// The contender.
pub(crate) struct RawMux;

const ECHO: u8 = 0;
const BLOB: u8 = 1;
const NUMBERS: u8 = 2;
const ITEM: u8 = 3;
const RECORDS: u8 = 4;
const STRUCTS: u8 = 5;
const HOLD: u8 = 6;
const HELD: u8 = 7;
/// What a reader and its consumer may be apart, in items.
const WINDOW: usize = 256;
/// What may wait to be written before a stream waits.
const HIGH_WATER: usize = 64 << 10;

impl Contender for RawMux {
    fn name(&self) -> &'static str {
        "rawmux"
    }

    fn serve(&self, setting: Setting) -> Pending<'static, String> {
        Box::pin(listen(setting.link, |tcp| drop(tokio::spawn(serve(tcp))), |unix| drop(tokio::spawn(serve(unix)))))
    }

    fn connect(&self, address: String, _: Setting) -> Pending<'static, Box<dyn Client>> {
        Box::pin(async move {
            Ok(match address.strip_prefix("unix://") {
                Some(path) => client(UnixStream::connect(path).await?),
                None => client(connect_tcp(&address).await?),
            })
        })
    }

    fn in_memory(&self, _: Setting) -> Pending<'static, Box<dyn Client>> {
        Box::pin(async move {
            let (ours, theirs) = tokio::io::duplex(MEMORY);
            tokio::spawn(serve(theirs));
            Ok(client(ours))
        })
    }
}

/// What waits to be written, shared by those who write.
#[derive(Default)]
struct Outgoing {
    bytes: Mutex<Vec<u8>>,
    filled: Notify,
    emptied: Notify,
}

impl Outgoing {
    fn put(&self, id: u64, kind: u8, write: impl FnOnce(Vec<u8>) -> Result<Vec<u8>, postcard::Error>) {
        let mut bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let start = bytes.len();
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&id.to_le_bytes());
        bytes.push(kind);
        *bytes = write(std::mem::take(&mut *bytes)).expect("values here can be encoded");
        let len = (bytes.len() - start - 4) as u32;
        bytes[start..start + 4].copy_from_slice(&len.to_le_bytes());
        drop(bytes);
        self.filled.notify_one();
    }

    /// Writes what comes up, all of it at once.
    async fn run(self: Arc<Self>, mut io: impl AsyncWrite + Unpin) {
        let mut batch = Vec::new();
        loop {
            std::mem::swap(&mut batch, &mut *self.bytes.lock().unwrap_or_else(PoisonError::into_inner));
            if batch.is_empty() {
                self.filled.notified().await;
                continue;
            }
            self.emptied.notify_waiters();
            if io.write_all(&batch).await.is_err() {
                return;
            }
            batch.clear();
        }
    }

    async fn room(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.bytes.lock().unwrap_or_else(PoisonError::into_inner).len() < HIGH_WATER {
                return;
            }
            emptied.await;
        }
    }
}

struct Message {
    id: u64,
    kind: u8,
    payload: Bytes,
}

/// The messages that come in.
struct Messages<R> {
    io: R,
    incoming: BytesMut,
}

impl<R: AsyncRead + Unpin> Messages<R> {
    fn of(io: R) -> Self {
        Self { io, incoming: BytesMut::new() }
    }

    async fn next(&mut self) -> Option<Message> {
        loop {
            let len = self.incoming.first_chunk().map(|len| u32::from_le_bytes(*len) as usize);
            if let Some(len) = len
                && self.incoming.len() >= 4 + len
            {
                self.incoming.advance(4);
                let mut payload = self.incoming.split_to(len).freeze();
                let (id, kind) = (payload.get_u64_le(), payload.get_u8());
                return Some(Message { id, kind, payload });
            }
            self.incoming.reserve(64 << 10);
            if !matches!(self.io.read_buf(&mut self.incoming).await, Ok(1..)) {
                return None;
            }
        }
    }
}

async fn serve(stream: impl Stream) {
    let (reading, writing) = stream.halves();
    let outgoing = Arc::new(Outgoing::default());
    let writer = tokio::spawn(Arc::clone(&outgoing).run(writing));
    let _ = answer(Messages::of(reading), &outgoing).await;
    writer.abort();
}

async fn answer(mut messages: Messages<impl AsyncRead + Unpin>, outgoing: &Arc<Outgoing>) -> Result<(), Fault> {
    while let Some(Message { id, kind, payload }) = messages.next().await {
        match kind {
            BLOB => {
                let blob: ByteBuf = postcard::from_bytes(&payload)?;
                outgoing.put(id, BLOB, |out| postcard::to_extend(&blob, out));
            }
            RECORDS => {
                let records: Vec<Record> = postcard::from_bytes(&payload)?;
                outgoing.put(id, RECORDS, |out| postcard::to_extend(&records, out));
            }
            NUMBERS | STRUCTS => {
                let items: u64 = postcard::from_bytes(&payload)?;
                let outgoing = Arc::clone(outgoing);
                tokio::spawn(async move {
                    for item in 0..items {
                        outgoing.room().await;
                        outgoing.put(id, ITEM, |out| match kind {
                            NUMBERS => postcard::to_extend(&item, out),
                            _ => postcard::to_extend(&Hundred::of(item), out),
                        });
                    }
                });
            }
            HOLD => {
                HELD_CALLS.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(std::future::pending::<()>());
            }
            HELD => outgoing.put(id, HELD, |out| postcard::to_extend(&HELD_CALLS.load(Ordering::Relaxed), out)),
            _ => {
                let number: u64 = postcard::from_bytes(&payload)?;
                outgoing.put(id, ECHO, |out| postcard::to_extend(&number, out));
            }
        }
    }
    Ok(())
}

/// The calls that no handler will ever answer.
static HELD_CALLS: AtomicU64 = AtomicU64::new(0);

/// Who waits for what.
#[derive(Default)]
struct Waiting {
    next: u64,
    calls: HashMap<u64, oneshot::Sender<Bytes>>,
    streams: HashMap<u64, mpsc::Sender<Bytes>>,
}

#[derive(Clone)]
struct MuxClient {
    waiting: Arc<Mutex<Waiting>>,
    outgoing: Arc<Outgoing>,
}

fn client(stream: impl Stream) -> Box<dyn Client> {
    let (reading, writing) = stream.halves();
    let client = MuxClient { waiting: Arc::default(), outgoing: Arc::default() };
    tokio::spawn(Arc::clone(&client.outgoing).run(writing));
    let waiting = Arc::clone(&client.waiting);
    tokio::spawn(async move {
        let mut messages = Messages::of(reading);
        while let Some(Message { id, kind, payload }) = messages.next().await {
            if kind == ITEM {
                let stream = waiting.lock().unwrap_or_else(PoisonError::into_inner).streams.get(&id).cloned();
                if let Some(stream) = stream {
                    let _ = stream.send(payload).await;
                }
            } else if let Some(call) = waiting.lock().unwrap_or_else(PoisonError::into_inner).calls.remove(&id) {
                let _ = call.send(payload);
            }
        }
    });
    Box::new(Driven(client))
}

impl MuxClient {
    async fn call<T: serde::Serialize>(&self, kind: u8, value: &T) -> Result<Bytes, Fault> {
        let (answer, answered) = oneshot::channel();
        let id = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.next += 1;
            let id = waiting.next;
            waiting.calls.insert(id, answer);
            id
        };
        self.outgoing.put(id, kind, |out| postcard::to_extend(value, out));
        Ok(answered.await?)
    }

    /// Takes a stream of that kind, and hands each item to `take`.
    async fn stream(&self, kind: u8, items: u64, take: impl Fn(u64, &Bytes) -> Result<(), Fault>) -> Result<(), Fault> {
        let (sender, mut receiver) = mpsc::channel(WINDOW);
        let id = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.next += 1;
            let id = waiting.next;
            waiting.streams.insert(id, sender);
            id
        };
        self.outgoing.put(id, kind, |out| postcard::to_extend(&items, out));
        for item in 0..items {
            take(item, &receiver.recv().await.ok_or("the stream ended early")?)?;
        }
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).streams.remove(&id);
        Ok(())
    }
}

impl Calls for MuxClient {
    type Record = Record;

    fn record(id: u64) -> Record {
        Record::of(id)
    }

    fn sum(record: &Record) -> u64 {
        record.sum()
    }

    async fn echo(&mut self, number: u64) -> Result<u64, Fault> {
        Ok(postcard::from_bytes(&self.call(ECHO, &number).await?)?)
    }

    async fn blob(&mut self, bytes: Vec<u8>) -> Result<usize, Fault> {
        let answer: ByteBuf = postcard::from_bytes(&self.call(BLOB, &ByteBuf::from(bytes)).await?)?;
        Ok(answer.len())
    }

    async fn records(&mut self, records: Vec<Record>) -> Result<Vec<Record>, Fault> {
        Ok(postcard::from_bytes(&self.call(RECORDS, &records).await?)?)
    }

    async fn numbers(&mut self, items: u64) -> Result<(), Fault> {
        self.stream(NUMBERS, items, |item, bytes| expect(postcard::from_bytes(bytes)?, item)).await
    }

    async fn structs(&mut self, items: u64) -> Result<(), Fault> {
        let take = |item, bytes: &Bytes| expect(postcard::from_bytes::<Hundred>(bytes)?.id, item);
        self.stream(STRUCTS, items, take).await
    }

    async fn hold(&mut self) -> Result<(), Fault> {
        self.call(HOLD, &()).await.map(drop)
    }

    async fn held(&mut self) -> Result<u64, Fault> {
        Ok(postcard::from_bytes(&self.call(HELD, &()).await?)?)
    }
}
