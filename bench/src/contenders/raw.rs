//! A bare length-prefixed echo: what sockets and tokio cost. No ids, no table, no serialization.

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::{MEMORY, Stream, connect_tcp, listen};
use crate::calls::{Clock, Hundred, Record};
use crate::contender::{Client, Contender, Fault, Item, Pending, Setting, Times, Work, expect};

/// The contender.
pub(crate) struct Raw;

/// What a connection is for is its first byte.
const ECHO: u8 = 0;
const NUMBERS: u8 = 1;
const STRUCTS: u8 = 2;
/// A stream is written in pieces of this size.
const PIECE: usize = 64 << 10;

impl Contender for Raw {
    fn name(&self) -> &'static str {
        "raw"
    }

    fn takes_part(&self, setting: Setting) -> bool {
        !matches!(setting.work, Work::Hold { .. })
    }

    fn serve(&self, setting: Setting) -> Pending<'static, String> {
        Box::pin(listen(setting.link, |tcp| drop(tokio::spawn(serve(tcp))), |unix| drop(tokio::spawn(serve(unix)))))
    }

    fn connect(&self, address: String, setting: Setting) -> Pending<'static, Box<dyn Client>> {
        Box::pin(async move {
            match address.strip_prefix("unix://") {
                Some(path) => client(UnixStream::connect(path).await?, setting.work).await,
                None => client(connect_tcp(&address).await?, setting.work).await,
            }
        })
    }

    fn in_memory(&self, setting: Setting) -> Pending<'static, Box<dyn Client>> {
        Box::pin(async move {
            let (ours, theirs) = tokio::io::duplex(MEMORY);
            tokio::spawn(serve(theirs));
            client(ours, setting.work).await
        })
    }
}

async fn serve(stream: impl Stream) {
    // A connection that ends is no fault of the server's.
    let _ = try_serve(stream).await;
}

async fn try_serve(mut stream: impl Stream) -> Result<(), Fault> {
    let mut incoming = BytesMut::new();
    match stream.read_u8().await? {
        kind @ (NUMBERS | STRUCTS) => loop {
            let frame = frame(&mut stream, &mut incoming).await?;
            let items = u64::from_le_bytes(frame[..8].try_into()?);
            let mut outgoing = Vec::with_capacity(PIECE + 104);
            for item in 0..items {
                match kind {
                    NUMBERS => put(&mut outgoing, &item.to_le_bytes()),
                    _ => put(&mut outgoing, &bytes_of(&Hundred::of(item))),
                }
                if outgoing.len() >= PIECE {
                    stream.write_all(&outgoing).await?;
                    outgoing.clear();
                }
            }
            stream.write_all(&outgoing).await?;
        },
        _ => loop {
            let mut whole = 0;
            while let Some(len) = frame_len(&incoming[whole..]) {
                whole += len;
            }
            if whole > 0 {
                stream.write_all(&incoming[..whole]).await?;
                incoming.advance(whole);
            }
            fill(&mut stream, &mut incoming).await?;
        },
    }
}

async fn client(mut stream: impl Stream, work: Work) -> Result<Box<dyn Client>, Fault> {
    let kind = match work {
        Work::Stream { item: Item::Number, .. } => NUMBERS,
        Work::Stream { item: Item::Struct, .. } => STRUCTS,
        _ => ECHO,
    };
    stream.write_u8(kind).await?;
    Ok(Box::new(RawClient { stream, incoming: BytesMut::new() }))
}

struct RawClient<S> {
    stream: S,
    incoming: BytesMut,
}

impl<S: Stream> Client for RawClient<S> {
    fn run<'a>(&'a mut self, work: Work, times: Option<&'a mut Times>) -> Pending<'a, ()> {
        Box::pin(async move {
            let mut clock = Clock { times };
            match work {
                Work::Echo { calls, in_flight } => self.echo(calls, in_flight, &mut clock).await,
                Work::Blob { calls, bytes } => self.blobs(calls, &vec![7; bytes], &mut clock).await,
                Work::Records { calls, records } => {
                    let list: Vec<Record> = (0..records).map(Record::of).collect();
                    self.blobs(calls, &postcard::to_allocvec(&list)?, &mut clock).await
                }
                Work::Stream { items, item } => self.stream(items, item).await,
                Work::Hold { .. } => Err("there are no calls that could wait".into()),
            }
        })
    }
}

impl<S: Stream> RawClient<S> {
    /// All that may be in flight is written at once.
    async fn echo(&mut self, calls: u64, in_flight: u64, clock: &mut Clock<'_>) -> Result<(), Fault> {
        let Self { stream, incoming } = self;
        let mut outgoing = Vec::new();
        let mut call = 0;
        while call < calls {
            let batch = call..calls.min(call + in_flight);
            outgoing.clear();
            for number in batch.clone() {
                put(&mut outgoing, &number.to_le_bytes());
            }
            let began = clock.start();
            stream.write_all(&outgoing).await?;
            for number in batch.clone() {
                let frame = frame(stream, incoming).await?;
                expect(&frame[..], &number.to_le_bytes())?;
                clock.stop(began);
            }
            call = batch.end;
        }
        Ok(())
    }

    async fn blobs(&mut self, calls: u64, blob: &[u8], clock: &mut Clock<'_>) -> Result<(), Fault> {
        let Self { stream, incoming } = self;
        for _ in 0..calls {
            let began = clock.start();
            stream.write_all(&(blob.len() as u32).to_le_bytes()).await?;
            stream.write_all(blob).await?;
            expect(frame(stream, incoming).await?.len(), blob.len())?;
            clock.stop(began);
        }
        Ok(())
    }

    async fn stream(&mut self, items: u64, item: Item) -> Result<(), Fault> {
        let Self { stream, incoming } = self;
        let mut outgoing = Vec::new();
        put(&mut outgoing, &items.to_le_bytes());
        stream.write_all(&outgoing).await?;
        for id in 0..items {
            let frame = frame(stream, incoming).await?;
            match item {
                Item::Number => expect(&frame[..], &id.to_le_bytes())?,
                Item::Struct => expect(&frame[..8], &id.to_le_bytes())?,
            }
        }
        Ok(())
    }
}

/// A struct as it lies in memory.
fn bytes_of(item: &Hundred) -> [u8; 100] {
    let mut bytes = [0; 100];
    bytes[..8].copy_from_slice(&item.id.to_le_bytes());
    bytes[8..16].copy_from_slice(&item.at.to_le_bytes());
    bytes[16..20].copy_from_slice(&item.kind.to_le_bytes());
    for (place, value) in bytes[20..].chunks_exact_mut(4).zip(item.values) {
        place.copy_from_slice(&value.to_le_bytes());
    }
    bytes
}

fn put(out: &mut Vec<u8>, body: &[u8]) {
    out.extend_from_slice(&(body.len() as u32).to_le_bytes());
    out.extend_from_slice(body);
}

/// The length of the first frame, its head included, if all of it is there.
fn frame_len(bytes: &[u8]) -> Option<usize> {
    let len = 4 + u32::from_le_bytes(*bytes.first_chunk()?) as usize;
    (bytes.len() >= len).then_some(len)
}

async fn frame(stream: &mut impl Stream, incoming: &mut BytesMut) -> Result<BytesMut, Fault> {
    loop {
        if let Some(len) = frame_len(incoming) {
            incoming.advance(4);
            return Ok(incoming.split_to(len - 4));
        }
        fill(stream, incoming).await?;
    }
}

async fn fill(stream: &mut impl Stream, incoming: &mut BytesMut) -> Result<(), Fault> {
    incoming.reserve(PIECE);
    match stream.read_buf(incoming).await? {
        0 => Err("the peer is gone".into()),
        _ => Ok(()),
    }
}
