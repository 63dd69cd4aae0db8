//! The least a multiplexer can be: request ids, a table of those who wait, a writer that callers share, values in
//! serde-postcard. No deadlines, no cancelling, no limits, no credit, no metadata, no checks of the peer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Buf, Bytes, BytesMut};
use serde_bytes::ByteBuf;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::{Notify, mpsc, oneshot};

use super::{MEMORY, Stream, connect_tcp, listen};
use crate::contender::{Client, Contender, Fault, Link, Pending, Work, expect};

/// The contender.
pub(crate) struct RawMux;

const ECHO: u8 = 0;
const BLOB: u8 = 1;
const STREAM: u8 = 2;
const ITEM: u8 = 3;
/// What a reader and its consumer may be apart, in items.
const WINDOW: usize = 256;
/// What may wait to be written before a stream waits.
const HIGH_WATER: usize = 64 << 10;

impl Contender for RawMux {
    fn name(&self) -> &'static str {
        "rawmux"
    }

    fn serve(&self, link: Link) -> Pending<'static, String> {
        Box::pin(listen(link, |tcp| drop(tokio::spawn(serve(tcp))), |unix| drop(tokio::spawn(serve(unix)))))
    }

    fn connect(&self, address: String, _: Work) -> Pending<'static, Box<dyn Client>> {
        Box::pin(async move {
            Ok(match address.strip_prefix("unix://") {
                Some(path) => client(UnixStream::connect(path).await?),
                None => client(connect_tcp(&address).await?),
            })
        })
    }

    fn in_memory(&self, _: Work) -> Pending<'static, Box<dyn Client>> {
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
            STREAM => {
                let items: u64 = postcard::from_bytes(&payload)?;
                let outgoing = Arc::clone(outgoing);
                tokio::spawn(async move {
                    for item in 0..items {
                        outgoing.room().await;
                        outgoing.put(id, ITEM, |out| postcard::to_extend(&item, out));
                    }
                });
            }
            _ => {
                let number: u64 = postcard::from_bytes(&payload)?;
                outgoing.put(id, ECHO, |out| postcard::to_extend(&number, out));
            }
        }
    }
    Ok(())
}

/// Who waits for what.
#[derive(Default)]
struct Waiting {
    next: u64,
    calls: HashMap<u64, oneshot::Sender<Bytes>>,
    streams: HashMap<u64, mpsc::Sender<u64>>,
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
                if let (Some(stream), Ok(item)) = (stream, postcard::from_bytes(&payload)) {
                    let _ = stream.send(item).await;
                }
            } else if let Some(call) = waiting.lock().unwrap_or_else(PoisonError::into_inner).calls.remove(&id) {
                let _ = call.send(payload);
            }
        }
    });
    Box::new(client)
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

    async fn echo(&self, number: u64) -> Result<(), Fault> {
        expect(postcard::from_bytes(&self.call(ECHO, &number).await?)?, number)
    }
}

impl Client for MuxClient {
    fn run(&mut self, work: Work) -> Pending<'_, ()> {
        Box::pin(async move {
            match work {
                Work::Echo { calls, in_flight: 1 } => {
                    for number in 0..calls {
                        self.echo(number).await?;
                    }
                }
                Work::Echo { calls, in_flight } => {
                    let callers = (0..in_flight).map(|caller| {
                        let client = self.clone();
                        tokio::spawn(async move {
                            for number in (caller..calls).step_by(in_flight as usize) {
                                client.echo(number).await?;
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
                        // Every call has bytes of its own, as a user's would.
                        let blob = ByteBuf::from(vec![7; bytes]);
                        let answer: ByteBuf = postcard::from_bytes(&self.call(BLOB, &blob).await?)?;
                        expect(answer.len(), bytes)?;
                    }
                }
                Work::Stream { items } => {
                    let (sender, mut receiver) = mpsc::channel(WINDOW);
                    let id = {
                        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                        waiting.next += 1;
                        let id = waiting.next;
                        waiting.streams.insert(id, sender);
                        id
                    };
                    self.outgoing.put(id, STREAM, |out| postcard::to_extend(&items, out));
                    for item in 0..items {
                        expect(receiver.recv().await, Some(item))?;
                    }
                    self.waiting.lock().unwrap_or_else(PoisonError::into_inner).streams.remove(&id);
                }
            }
            Ok(())
        })
    }
}
