//! Peers that speak raw frames, and do not mean well.
//!
//! Each costs itself its session, is told by which rule, and harms nobody else.

#![allow(unreachable_pub, reason = "modules of a test share what they have in common")]

#[path = "hostile/floods.rs"]
mod floods;
#[path = "hostile/own_faults.rs"]
mod own_faults;
#[path = "hostile/servers.rs"]
mod servers;
mod support;
#[path = "hostile/violations.rs"]
mod violations;

use std::cell::{Cell, RefCell};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use support::heap::{self, grown, mark};
use support::raw::{self, Frame, Raw, call, call_with, frame};
use support::{Count, settle};
use tokio::net::TcpStream;
use vox::transport::Link;
use vox::{Limits, Rx, Server, Tx};

// ---- what is watched ----

/// From here on panics are counted, by thread: a test and the tasks that it starts share one.
fn watch_panics() {
    static WATCHED: OnceLock<()> = OnceLock::new();
    WATCHED.get_or_init(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let _ = PANICS.try_with(|panics| panics.set(panics.get() + 1));
            before(panic);
        }));
    });
}

thread_local! {
    static PANICS: Cell<usize> = const { Cell::new(0) };
}

#[global_allocator]
static ALLOCATOR: heap::Counting = heap::Counting;

// ---- who is attacked ----

#[vox::service]
trait Prey {
    async fn echo(&self, n: u64) -> u64;
    async fn list(&self, numbers: Vec<u64>) -> u64;
    async fn units(&self, units: Vec<()>) -> u64;
    async fn wait(&self);
    async fn big(&self, len: u64) -> Vec<u8>;
    async fn drink(&self, numbers: Rx<u64>) -> u64;
    async fn sit_on(&self, numbers: Rx<u64>);
    async fn pour(&self, to: u64, numbers: Tx<u64>) -> u64;
}

#[derive(Clone, Default)]
struct Deer {
    started: Count,
    stopped: Count,
}

impl Prey for Deer {
    async fn echo(&self, n: u64) -> u64 {
        n
    }
    async fn list(&self, numbers: Vec<u64>) -> u64 {
        numbers.len() as u64
    }
    async fn units(&self, units: Vec<()>) -> u64 {
        units.len() as u64
    }
    async fn wait(&self) {
        self.started.add();
        let _stopped = self.stopped.on_drop();
        std::future::pending::<()>().await;
    }
    async fn big(&self, len: u64) -> Vec<u8> {
        vec![1; len as usize]
    }
    async fn drink(&self, mut numbers: Rx<u64>) -> u64 {
        let mut count = 0;
        while let Ok(Some(_)) = numbers.recv().await {
            count += 1;
        }
        count
    }
    async fn sit_on(&self, numbers: Rx<u64>) {
        self.started.add();
        let _stopped = self.stopped.on_drop();
        let _numbers = numbers;
        std::future::pending::<()>().await;
    }
    async fn pour(&self, to: u64, numbers: Tx<u64>) -> u64 {
        for n in 0..to {
            if numbers.send(n).await.is_err() {
                return n;
            }
        }
        numbers.close();
        to
    }
}

/// Small, so that they are soon reached.
fn limits() -> Limits {
    Limits {
        max_message_bytes: 1 << 16,
        max_calls: 4,
        max_connections: 3,
        max_channels: 5,
        channel_items: 8,
        channel_bytes: 1 << 10,
        ..Limits::default()
    }
}

/// A server, and a client that means well.
struct Field {
    server: Server,
    honest: PreyClient,
    deer: Deer,
    /// What was sent, and how it was accused.
    accusations: RefCell<String>,
}

impl Field {
    async fn new() -> Self {
        watch_panics();
        let deer = Deer::default();
        let builder = Server::builder().service(PreyDispatcher::new(deer.clone())).limits(limits());
        let server = builder.bind("tcp://127.0.0.1:0").await.expect("a port is free");
        let honest = vox::connect(server.address()).await.expect("a session");
        Self { server, honest, deer, accusations: RefCell::default() }
    }

    async fn stream(&self) -> TcpStream {
        TcpStream::connect(self.server.address().trim_start_matches("tcp://")).await.expect("accepted")
    }

    async fn peer(&self) -> Raw {
        Raw::initiate(self.stream().await, Some("Prey")).await
    }

    /// Everybody else goes on, and nothing is left of the attack.
    async fn is_unharmed(&self) {
        assert_eq!(self.honest.echo(1).await, Ok(1));
        while self.server.sessions() > 1 || self.deer.started.get() > self.deer.stopped.get() {
            tokio::task::yield_now().await;
        }
        assert_eq!(self.honest.echo(2).await, Ok(2));
        assert_eq!(PANICS.get(), 0);
    }

    /// These frames cost a session, and are named so.
    async fn accuses(&self, what: &str, bytes: &[u8], rule: u8) {
        let mut peer = self.peer().await;
        // The rest may not be taken any more.
        peer.try_write(bytes).await;
        let (accused_of, detail) = peer.accusation().await;
        assert_eq!(accused_of, rule, "{what}: {detail}");
        let name = vox::Rule::from_code(rule).expect("a rule").name();
        let _ = writeln!(self.accusations.borrow_mut(), "{what}\n    {name}: {detail}");
        drop(peer);
        self.is_unharmed().await;
    }

    /// Each accusation reads as this file in `tests/golden/violations/` has it.
    fn reads_as(self, file: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/violations").join(file);
        let accusations = self.accusations.into_inner();
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &accusations).expect("the golden file");
        }
        assert_eq!(accusations, std::fs::read_to_string(path).expect("the golden file"), "{file}");
    }
}

fn wire(frames: impl IntoIterator<Item = Frame>) -> Vec<u8> {
    frames.into_iter().flat_map(|frame| frame.wire()).collect()
}

const MALFORMED: u8 = 1;
const TOO_LARGE: u8 = 2;
const PARITY: u8 = 3;
const REUSED: u8 = 4;
const CALLS: u8 = 5;
const CONNECTIONS: u8 = 6;
const CHANNELS: u8 = 7;
const OVERRUN: u8 = 8;
const OVERFLOW: u8 = 9;
const NO_CONNECTION: u8 = 10;
const NO_CHANNEL: u8 = 11;
const NO_REQUEST: u8 = 12;
const DIRECTION: u8 = 13;
const METADATA: u8 = 14;
const FLOOD: u8 = 15;
const WRONG_PART: u8 = 17;
const TOO_MANY_PARTS: u8 = 18;

fn open(id: u64, service: &str) -> Frame {
    frame(raw::OPEN).var(id).text(service).var(0).u8(0)
}

fn items(channel: u64, count: usize) -> Frame {
    let mut items = frame(raw::ITEMS).var(1).var(channel);
    for _ in 0..count {
        items = items.var(1).var(7);
    }
    items
}

/// A call of `echo` that comes in parts.
fn long_call(number: u64, total: u64, request: u64) -> Frame {
    frame(raw::LONG).var(number).var(total).u8(raw::CALL).var(1).var(request).method("Prey.echo").u8(0)
}

fn part(number: u64, bytes: &[u8]) -> Frame {
    frame(raw::PART).var(number).bytes(bytes)
}

fn forget(number: u64) -> Frame {
    frame(raw::FORGET).var(number)
}

/// A call whose handler holds on to the receiver of channel 1, so that nothing is consumed.
fn held() -> Frame {
    call_with(1, 1, "Prey.sit_on", &[(1, 0)], &[0])
}

/// A reply's request and its payload's first two bytes.
async fn reply(peer: &mut Raw) -> (u64, Vec<u8>) {
    let reply = peer.read_kind(raw::REPLY).await;
    let mut fields = reply.reader();
    let (_, request) = (fields.var(), fields.var());
    (request, fields.0.to_vec())
}

/// The attacked end over a memory link of this capacity: nothing but what the test does moves.
async fn cornered(capacity: usize) -> (Raw, Deer, tokio::task::JoinHandle<Result<(), vox::ServeError>>) {
    cornered_with(capacity, limits()).await
}

async fn cornered_with(
    capacity: usize,
    limits: Limits,
) -> (Raw, Deer, tokio::task::JoinHandle<Result<(), vox::ServeError>>) {
    watch_panics();
    let (ours, theirs) = tokio::io::duplex(capacity);
    let deer = Deer::default();
    let builder = Server::builder().service(PreyDispatcher::new(deer.clone())).limits(limits);
    let server = tokio::spawn(builder.serve_link(Link::new(theirs, "hostile")));
    (Raw::initiate(ours, Some("Prey")).await, deer, server)
}

// ---- links that end anywhere ----

// proves: frame.cut
#[tokio::test(start_paused = true)]
async fn a_stream_that_ends_at_any_byte_ends_its_session_and_its_handlers() {
    let conversation = wire([
        call(1, 1, "Prey.wait", &[]),
        call_with(1, 3, "Prey.sit_on", &[(1, 0)], &[0]),
        items(1, 2),
        frame(raw::CANCEL).var(1).var(1),
        open(3, "Prey"),
        frame(raw::CLOSE).var(1).var(1).var(1).text("key").u8(1).text("value"),
    ]);
    for cut in 0..=conversation.len() {
        let (mut peer, deer, server) = cornered(1 << 12).await;
        peer.write(&conversation[..cut]).await;
        settle().await;
        drop(peer);
        server.await.expect("no panic").expect("an end");
        settle().await;
        assert_eq!(deer.started.get(), deer.stopped.get(), "cut at {cut}");
    }
    assert_eq!(PANICS.get(), 0);
}

// proves: handshake.time
#[tokio::test(start_paused = true)]
async fn a_handshake_that_ends_or_stops_at_any_byte_comes_to_nothing() {
    watch_panics();
    let hello = raw::hello(Some("Prey"), raw::LIMITS).wire();
    for cut in 0..hello.len() {
        for hangs_up in [true, false] {
            let (ours, theirs) = tokio::io::duplex(1 << 10);
            let builder = Server::builder().service(PreyDispatcher::new(Deer::default()));
            let server = tokio::spawn(builder.serve_link(Link::new(theirs, "hostile")));
            let mut peer = Raw::new(ours);
            peer.write(&hello[..cut]).await;
            let kept = (!hangs_up).then_some(peer);
            let ended = server.await.expect("no panic");
            assert!(matches!(ended, Err(vox::ServeError::Handshake(_))), "{ended:?}");
            drop(kept);
        }
    }
    for flip in 4..hello.len() {
        let mut bad = hello.clone();
        bad[flip] ^= 0xff;
        let (ours, theirs) = tokio::io::duplex(1 << 10);
        let builder = Server::builder().service(PreyDispatcher::new(Deer::default()));
        let server = tokio::spawn(builder.serve_link(Link::new(theirs, "hostile")));
        let mut peer = Raw::new(ours);
        peer.write(&bad).await;
        drop(peer);
        let _ = server.await.expect("no panic");
    }
    assert_eq!(PANICS.get(), 0);
}
