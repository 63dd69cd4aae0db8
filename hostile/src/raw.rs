//! A peer that speaks raw frames, written from docs/protocol.md and nothing else.

use std::collections::BTreeMap;
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

pub const HELLO: u8 = 0x01;
pub const WELCOME: u8 = 0x02;
pub const REJECTED: u8 = 0x03;
pub const RESUME: u8 = 0x04;
pub const RESUMED: u8 = 0x05;
pub const CONFIRM: u8 = 0x06;
pub const PING: u8 = 0x08;
pub const PONG: u8 = 0x09;
pub const ACK: u8 = 0x0a;
pub const FORGET: u8 = 0x0b;
pub const LONG: u8 = 0x0c;
pub const PART: u8 = 0x0d;
pub const GOODBYE: u8 = 0x0e;
pub const VIOLATION: u8 = 0x0f;
pub const OPEN: u8 = 0x10;
pub const ACCEPT: u8 = 0x11;
pub const REFUSE: u8 = 0x12;
pub const SHUT: u8 = 0x13;
pub const CONTRACT: u8 = 0x14;
pub const CALL: u8 = 0x20;
pub const REPLY: u8 = 0x21;
pub const CANCEL: u8 = 0x22;
pub const ACKNOWLEDGE: u8 = 0x23;
pub const ITEMS: u8 = 0x30;
pub const CLOSE: u8 = 0x31;
pub const RESET: u8 = 0x32;
pub const CREDIT: u8 = 0x33;

/// A frame under construction.
#[derive(Debug, Clone)]
pub struct Frame(Vec<u8>);

pub fn frame(kind: u8) -> Frame {
    Frame(vec![kind])
}

impl Frame {
    pub fn u8(mut self, n: u8) -> Self {
        self.0.push(n);
        self
    }

    pub fn var(mut self, mut n: u64) -> Self {
        while n >= 0x80 {
            self.0.push(n as u8 | 0x80);
            n >>= 7;
        }
        self.0.push(n as u8);
        self
    }

    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub fn text(self, text: &str) -> Self {
        self.var(text.len() as u64).bytes(text.as_bytes())
    }

    pub fn method(self, name: &str) -> Self {
        let id = name
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        self.bytes(&id.to_le_bytes())
    }

    pub fn metadata(mut self, entries: Entries<'_>) -> Self {
        self = self.var(entries.len() as u64);
        for (key, flag, value) in entries {
            self = self.text(key).u8(*flag).text(value);
        }
        self
    }

    /// What it holds, for what is no frame.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// The whole frame, its length first.
    pub fn wire(&self) -> Vec<u8> {
        let mut wire = (self.0.len() as u32).to_le_bytes().to_vec();
        wire.extend_from_slice(&self.0);
        wire
    }
}

/// A call without timeout or metadata: what follows are its flags' fields and its arguments.
pub fn call(connection: u64, request: u64, method: &str, arguments: &[u8]) -> Frame {
    frame(CALL).var(connection).var(request).method(method).u8(0).bytes(arguments)
}

/// A call with channels, each an id and a direction.
pub fn call_with(connection: u64, request: u64, method: &str, channels: &[(u64, u8)], arguments: &[u8]) -> Frame {
    let mut frame = frame(CALL).var(connection).var(request).method(method).u8(4).var(channels.len() as u64);
    for (id, direction) in channels {
        frame = frame.var(*id).u8(*direction);
    }
    frame.bytes(arguments)
}

pub const MAGIC: &[u8] = b"vox\x01";

/// The limits that a raw peer announces.
pub const LIMITS: [u64; 9] = [4 << 20, 16, 128, 256, 256, 64 << 10, 64 << 20, 32, 20 << 20];

pub fn hello(service: Option<&str>, limits: [u64; 9]) -> Frame {
    hello_of(0, service, limits)
}

/// As [`hello`], of a session that can be resumed.
pub fn resumable_hello(service: &str, limits: [u64; 9]) -> Frame {
    hello_of(1, Some(service), limits)
}

/// As [`hello`], of one that knows the service by another contract, and tells it by [`contract`] once it is asked.
pub fn hello_of_another(service: &str, limits: [u64; 9]) -> Frame {
    offer(2, limits).var(0).u8(1).text(service).var(0).u8(1).bytes(&[7; 32])
}

/// As [`resumable_hello`], of one that says its name.
pub fn hello_as(name: &str, service: &str) -> Frame {
    offer(1, LIMITS).metadata(&[("name", 0, name)]).u8(1).text(service).var(0).u8(0)
}

fn hello_of(features: u64, service: Option<&str>, limits: [u64; 9]) -> Frame {
    let frame = offer(features, limits);
    match service {
        None => frame.var(0).u8(0),
        Some(service) => frame.var(0).u8(1).text(service).var(0).u8(0),
    }
}

/// How each hello begins.
fn offer(features: u64, limits: [u64; 9]) -> Frame {
    let mut frame = frame(HELLO).bytes(MAGIC).var(1).var(1).var(features);
    for limit in limits {
        frame = frame.var(limit);
    }
    frame.var(TIME)
}

/// What time a raw peer says it is, in milliseconds since 1970.
pub const TIME: u64 = 1_700_000_000_000;

/// Entries of metadata: a key, its flag, a value.
pub type Entries<'a> = &'a [(&'a str, u8, &'a str)];

/// As [`hello`], for no service, and with metadata.
pub fn hello_with(metadata: Entries<'_>, limits: [u64; 9]) -> Frame {
    offer(0, limits).metadata(metadata).u8(0)
}

/// Asks for a connection, and does not say by which contract.
pub fn open_with(connection: u64, service: &str, metadata: Entries<'_>) -> Frame {
    frame(OPEN).var(connection).text(service).metadata(metadata).u8(0)
}

pub fn welcome(limits: [u64; 9]) -> Frame {
    welcome_of(0, limits)
}

/// Welcomes a client whose contract is another: [`contract`] follows.
pub fn welcome_to_another(limits: [u64; 9]) -> Frame {
    welcome_of(2, limits)
}

fn welcome_of(features: u64, limits: [u64; 9]) -> Frame {
    let mut frame = frame(WELCOME).bytes(MAGIC).var(1).var(features);
    for limit in limits {
        frame = frame.var(limit);
    }
    frame.var(TIME)
}

/// The contract of connection 1, of these bytes.
pub fn contract(bytes: &[u8]) -> Frame {
    contract_on(1, bytes)
}

/// The same, of another connection.
pub fn contract_on(connection: u64, bytes: &[u8]) -> Frame {
    frame(CONTRACT).var(connection).bytes(blake3::hash(bytes).as_bytes()).bytes(bytes)
}

/// Asks for a connection, by this contract.
pub fn open_by(connection: u64, service: &str, contract: &[u8]) -> Frame {
    frame(OPEN).var(connection).text(service).var(0).u8(1).bytes(blake3::hash(contract).as_bytes())
}

/// A contract of one method that has one argument, of this schema, and answers with a `u64`.
pub fn contract_of(method: &str, argument: &str, schema: &[u8]) -> Vec<u8> {
    let frame = frame(1).var(1).method(method).text(method).u8(0).var(1).text(argument).u8(0);
    frame.var(schema.len() as u64).bytes(schema).var(0).var(6).bytes(b"\x01\x01\x03u64").var(0).0
}

/// A contract of one method that takes a `u64`, and so many other arguments that no handler reads: each of 4,096 types in 4 KB, of 32 bytes that
/// may all be 0. What it takes to pass over one of them is 115 KB. Contracts of different numbers differ.
pub fn bulky_contract((method, argument): (&str, &str), number: u64, arguments: u64) -> Vec<u8> {
    let options = [[4; 127].as_slice(), b"\x01\x04bool"].concat();
    let schema = frame(1).u8(2).var(32);
    let schema = (0..32).fold(schema, |schema, n| schema.text(&n.to_string()).bytes(&options)).0;
    let contract = frame(1).var(1).method(method).text(method).u8(0).var(1 + arguments);
    let contract = contract.text(argument).u8(0).var(6).bytes(b"\x01\x01\x03u64").var(0);
    let contract = (0..arguments).fold(contract, |contract, n| {
        contract.text(&format!("{number}.{n}")).u8(0).var(schema.len() as u64).bytes(&schema).var(0)
    });
    contract.var(6).bytes(b"\x01\x01\x03u64").var(0).0
}

/// A schema of as many bytes, in which each of 120 levels says that it has as many variants, and each of these as many fields, as there are
/// bytes for.
pub fn bomb(len: usize) -> Vec<u8> {
    let mut schema = Frame(vec![1]);
    for _ in 0..120 {
        let left = (len - schema.0.len()) as u64;
        schema = schema.u8(3).var(left / 2 - 8).text("").var(left / 3 - 8).text("");
    }
    schema.0.resize(len, 0);
    schema.0
}

pub trait Stream: AsyncRead + AsyncWrite + Send {}
impl<T: AsyncRead + AsyncWrite + Send> Stream for T {}

/// One end of a link, by hand.
pub struct Raw {
    pub io: Pin<Box<dyn Stream>>,
    /// Long messages under way, by number: how many bytes are missing, and what there is, as if it were one frame.
    longs: BTreeMap<u64, (u64, Read)>,
    /// How many bytes of frames were read, their lengths included.
    pub received: u64,
}

/// A frame that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    pub kind: u8,
    pub body: Vec<u8>,
}

impl Raw {
    pub fn new(io: impl Stream + 'static) -> Self {
        Self { io: Box::pin(io), longs: BTreeMap::new(), received: 0 }
    }

    /// Says hello and hears the welcome.
    pub async fn initiate(io: impl Stream + 'static, service: Option<&str>) -> Self {
        let mut raw = Self::new(io);
        raw.send(&hello(service, LIMITS)).await;
        let welcome = raw.read().await.expect("an answer");
        assert_eq!(welcome.kind, WELCOME, "{welcome:?}");
        raw
    }

    /// Hears the hello and welcomes it.
    pub async fn accept(io: impl Stream + 'static, limits: [u64; 9]) -> Self {
        let mut raw = Self::new(io);
        let hello = raw.read().await.expect("a hello");
        assert_eq!(hello.kind, HELLO);
        raw.send(&welcome(limits)).await;
        raw
    }

    pub async fn send(&mut self, frame: &Frame) {
        self.write(&frame.wire()).await;
    }

    pub async fn write(&mut self, bytes: &[u8]) {
        self.io.write_all(bytes).await.expect("the link is up");
    }

    /// Writes what is still taken: the other end may have gone for good reason.
    pub async fn try_write(&mut self, bytes: &[u8]) -> bool {
        self.io.write_all(bytes).await.is_ok()
    }

    /// The next message, in one frame or put together of parts; `None` at the end of the stream.
    pub async fn read(&mut self) -> Option<Read> {
        loop {
            let frame = self.read_frame().await?;
            let mut fields = frame.reader();
            match frame.kind {
                LONG => {
                    let (number, total, kind) = (fields.var(), fields.var(), fields.u8());
                    self.longs.insert(number, (total, Read { kind, body: fields.0.to_vec() }));
                }
                FORGET => drop(self.longs.remove(&fields.var()).expect("it is under way")),
                PART => {
                    let number = fields.var();
                    let (missing, message) = self.longs.get_mut(&number).expect("it is under way");
                    *missing = missing.checked_sub(fields.0.len() as u64).expect("no more than was said");
                    message.body.extend_from_slice(fields.0);
                    if *missing == 0 {
                        return self.longs.remove(&number).map(|(_, message)| message);
                    }
                }
                _ => return Some(frame),
            }
        }
    }

    /// The next frame; `None` at the end of the stream.
    pub async fn read_frame(&mut self) -> Option<Read> {
        let mut length = [0; 4];
        self.io.read_exact(&mut length).await.ok()?;
        let mut body = vec![0; u32::from_le_bytes(length) as usize];
        self.io.read_exact(&mut body).await.ok()?;
        self.received += 4 + body.len() as u64;
        let kind = body.remove(0);
        Some(Read { kind, body })
    }

    /// The next frame of this kind; others are skipped.
    pub async fn read_kind(&mut self, kind: u8) -> Read {
        loop {
            let read = self.read().await.unwrap_or_else(|| panic!("the stream ended before a frame of kind {kind:#x}"));
            if read.kind == kind {
                return read;
            }
            assert_ne!(read.kind, VIOLATION, "accused: {}", String::from_utf8_lossy(&read.body));
        }
    }

    /// Reads to the end of the stream: the rule of the violation that it was accused of, which comes once and last.
    pub async fn accused_of(&mut self) -> u8 {
        self.accusation().await.0
    }

    /// Reads to the end of the stream: the rule of the violation that it was accused of, and what was seen.
    pub async fn accusation(&mut self) -> (u8, String) {
        let mut accusation = None;
        loop {
            // Not how long it may take, but that a test which waits in vain says so.
            let read = tokio::time::timeout(std::time::Duration::from_secs(120), self.read()).await;
            let Some(read) = read.expect("the link is closed") else { break };
            assert_eq!(accusation, None, "something follows the violation: {read:?}");
            if read.kind == VIOLATION {
                let mut fields = read.reader();
                accusation = Some((fields.u8(), fields.text()));
            }
        }
        accusation.expect("a violation is named before the link is closed")
    }
}

impl Read {
    pub fn reader(&self) -> Fields<'_> {
        Fields(&self.body)
    }
}

/// Reads fields.
pub struct Fields<'a>(pub &'a [u8]);

impl Fields<'_> {
    pub fn var(&mut self) -> u64 {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.u8();
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return value;
            }
        }
        panic!("a varint of more than ten bytes");
    }

    pub fn u8(&mut self) -> u8 {
        let byte = self.0[0];
        self.0 = &self.0[1..];
        byte
    }
    pub fn text(&mut self) -> String {
        let len = usize::try_from(self.var()).expect("a length of text");
        let (text, rest) = self.0.split_at(len);
        self.0 = rest;
        String::from_utf8(text.to_vec()).expect("UTF-8")
    }
}
