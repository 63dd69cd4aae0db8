//! A bare length-prefixed echo: what sockets and tokio cost. No ids, no table, no serialization.

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::{MEMORY, Stream, connect_tcp, listen};
use crate::contender::{Client, Contender, Fault, Link, Pending, Work, expect};

/// The contender.
pub(crate) struct Raw;

/// What a connection is for is its first byte.
const ECHO: u8 = 0;
const STREAM: u8 = 1;
/// A stream is written in pieces of this size.
const PIECE: usize = 64 << 10;

impl Contender for Raw {
    fn name(&self) -> &'static str {
        "raw"
    }

    fn serve(&self, link: Link) -> Pending<'static, String> {
        Box::pin(listen(link, |tcp| drop(tokio::spawn(serve(tcp))), |unix| drop(tokio::spawn(serve(unix)))))
    }

    fn connect(&self, address: String, work: Work) -> Pending<'static, Box<dyn Client>> {
        Box::pin(async move {
            match address.strip_prefix("unix://") {
                Some(path) => client(UnixStream::connect(path).await?, work).await,
                None => client(connect_tcp(&address).await?, work).await,
            }
        })
    }

    fn in_memory(&self, work: Work) -> Pending<'static, Box<dyn Client>> {
        Box::pin(async move {
            let (ours, theirs) = tokio::io::duplex(MEMORY);
            tokio::spawn(serve(theirs));
            client(ours, work).await
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
        STREAM => loop {
            let frame = frame(&mut stream, &mut incoming).await?;
            let items = u64::from_le_bytes(frame[..8].try_into()?);
            let mut outgoing = Vec::with_capacity(PIECE + 12);
            for item in 0..items {
                put(&mut outgoing, &item.to_le_bytes());
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
    stream.write_u8(if matches!(work, Work::Stream { .. }) { STREAM } else { ECHO }).await?;
    Ok(Box::new(RawClient { stream, incoming: BytesMut::new() }))
}

struct RawClient<S> {
    stream: S,
    incoming: BytesMut,
}

impl<S: Stream> Client for RawClient<S> {
    fn run(&mut self, work: Work) -> Pending<'_, ()> {
        Box::pin(async move {
            let Self { stream, incoming } = self;
            let mut outgoing = Vec::new();
            match work {
                Work::Echo { calls, in_flight } => {
                    let mut call = 0;
                    while call < calls {
                        let batch = call..calls.min(call + in_flight);
                        outgoing.clear();
                        for number in batch.clone() {
                            put(&mut outgoing, &number.to_le_bytes());
                        }
                        stream.write_all(&outgoing).await?;
                        for number in batch.clone() {
                            let frame = frame(stream, incoming).await?;
                            expect(&frame[..], &number.to_le_bytes())?;
                        }
                        call = batch.end;
                    }
                }
                Work::Blob { calls, bytes } => {
                    let blob = vec![7; bytes];
                    for _ in 0..calls {
                        stream.write_all(&(bytes as u32).to_le_bytes()).await?;
                        stream.write_all(&blob).await?;
                        let frame = frame(stream, incoming).await?;
                        expect(frame.len(), bytes)?;
                    }
                }
                Work::Stream { items } => {
                    put(&mut outgoing, &items.to_le_bytes());
                    stream.write_all(&outgoing).await?;
                    for item in 0..items {
                        let frame = frame(stream, incoming).await?;
                        expect(&frame[..], &item.to_le_bytes())?;
                    }
                }
            }
            Ok(())
        })
    }
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
