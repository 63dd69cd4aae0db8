//! Peers that speak raw frames, and do not mean well.
//!
//! Each costs itself its session, is told by which rule, and harms nobody else.

#![allow(unreachable_pub, reason = "modules of a test share what they have in common")]

mod support;

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

// ---- violations ----

// proves: frame.length.zero, frame.length.limit, items.empty
#[tokio::test]
async fn garbage_and_lengths_that_lie_are_named() {
    let field = Field::new().await;
    field.accuses("no kind", &[0, 0, 0, 0], MALFORMED).await;
    field.accuses("an unknown kind", &frame(0x7f).wire(), MALFORMED).await;
    field.accuses("a second hello", &raw::hello(None, raw::LIMITS).wire(), MALFORMED).await;
    field.accuses("an empty call", &frame(raw::CALL).wire(), MALFORMED).await;
    field.accuses("bytes past a frame's end", &frame(raw::PING).var(1).u8(0).wire(), MALFORMED).await;
    field.accuses("a varint without an end", &frame(raw::PING).bytes(&[0xff; 11]).wire(), MALFORMED).await;
    let flags = |flags| frame(raw::CALL).var(1).var(1).method("Prey.echo").u8(flags).wire();
    field.accuses("unknown flags", &flags(32), MALFORMED).await;
    field.accuses("an operation that is not there", &flags(8), MALFORMED).await;
    field.accuses("an empty run", &wire([held(), items(1, 0)]), MALFORMED).await;
    let run = frame(raw::ITEMS).var(1).var(1).var(1000).u8(7);
    field.accuses("an item past its frame", &wire([held(), run]), MALFORMED).await;
    field.accuses("text that is none", &frame(raw::GOODBYE).var(1).u8(0xff).wire(), MALFORMED).await;
    field.accuses("a length past the limit", &((1u32 << 16) + 1).to_le_bytes(), TOO_LARGE).await;
    field.accuses("the longest length", &[0xff; 4], TOO_LARGE).await;
    field.accuses("noise", &[0x80; 4096], TOO_LARGE).await;
    field.reads_as("garbage.txt");
}

// proves: long.part.fits
#[tokio::test]
async fn parts_that_do_not_fit_are_named() {
    let field = Field::new().await;
    let begun = || long_call(1, 100, 1);
    let hundred = [7; 100];
    field.accuses("a part of nothing", &part(1, &[7]).wire(), WRONG_PART).await;
    field.accuses("a part of another message", &wire([begun(), part(2, &[7])]), WRONG_PART).await;
    field.accuses("an empty part", &wire([begun(), part(1, &[])]), WRONG_PART).await;
    field
        .accuses("a part past the total", &wire([begun(), part(1, &hundred[1..]), part(1, &[7; 2])]), WRONG_PART)
        .await;
    field.accuses("a doubled last part", &wire([begun(), part(1, &hundred), part(1, &hundred)]), WRONG_PART).await;
    field.accuses("a part after a cancel", &wire([begun(), part(1, &[7]), forget(1), part(1, &[7])]), WRONG_PART).await;
    field.accuses("a cancel twice", &wire([begun(), forget(1), forget(1)]), WRONG_PART).await;
    field.accuses("a cancel of nothing", &forget(1).wire(), WRONG_PART).await;
    // Long enough to be read straight into its message's memory, and cut short before the part ends.
    let long = part(1, &[7; 60_000]).wire();
    field.accuses("a long part of nothing", &long[..30_000], WRONG_PART).await;
    field.accuses("a long part past the total", &[wire([begun()]), long[..30_000].to_vec()].concat(), WRONG_PART).await;
    let item = |number: u64| frame(raw::LONG).var(number).var(2).u8(raw::ITEMS).var(1).var(1);
    field.accuses("an item before the long one is whole", &wire([held(), item(1), items(1, 1)]), WRONG_PART).await;
    field.accuses("a second long item at once", &wire([held(), item(1), item(2)]), WRONG_PART).await;
    let close = frame(raw::CLOSE).var(1).var(1).var(0);
    field.accuses("a close in the middle of an item", &wire([held(), item(1), part(1, &[1]), close]), WRONG_PART).await;
    field.reads_as("parts.txt");
}

// proves: limit.partial.messages, limit.partial.bytes, long.number
#[tokio::test]
async fn totals_that_lie_and_many_begun_messages_are_named() {
    let field = Field::new().await;
    field.accuses("a total past the limit", &long_call(1, (1 << 16) + 1, 1).wire(), TOO_LARGE).await;
    field.accuses("the largest total", &long_call(1, u64::MAX, 1).wire(), TOO_LARGE).await;
    field.accuses("no total", &long_call(1, 0, 1).wire(), MALFORMED).await;
    field.accuses("a number again", &wire([long_call(5, 9, 1), long_call(5, 9, 3)]), REUSED).await;
    field
        .accuses("a long message of another kind", &frame(raw::LONG).var(1).var(9).u8(raw::OPEN).wire(), MALFORMED)
        .await;
    let begin = |n: u64| [long_call(n, 1 << 16, 2 * n - 1), part(n, &[7])];
    field.accuses("as many long calls as there are none", &wire((1..=5).flat_map(begin)), CALLS).await;
    field.reads_as("totals.txt");

    let limits = Limits { max_partial_messages: 3, max_partial_bytes: 0, ..limits() };
    let builder = Server::builder().service(PreyDispatcher::new(Deer::default())).limits(limits);
    let server = builder.bind("tcp://127.0.0.1:0").await.expect("a port is free");
    let address = server.address().trim_start_matches("tcp://").to_owned();
    for (what, total) in [("more bytes begun than are taken", 40_000), ("more messages begun than are taken", 100)] {
        let stream = TcpStream::connect(&address).await.expect("accepted");
        let mut peer = Raw::initiate(stream, Some("Prey")).await;
        // Announced, they cost nothing.
        for n in 1..=4 {
            peer.send(&long_call(n, total, 2 * n - 1)).await;
        }
        peer.send(&frame(raw::PING).var(7)).await;
        peer.read_kind(raw::PONG).await;
        for n in 1..=4 {
            peer.try_write(&part(n, &[7]).wire()).await;
        }
        assert_eq!(peer.accused_of().await, TOO_MANY_PARTS, "{what}");
    }
}

// proves: long.short
#[tokio::test]
async fn parts_of_several_calls_are_put_together_each_to_its_own() {
    let field = Field::new().await;
    let mut peer = field.peer().await;
    for n in 1..=3 {
        peer.send(&long_call(n, 2, 2 * n - 1)).await;
    }
    peer.send(&call(1, 7, "Prey.echo", &[9])).await;
    let mut answers = Vec::new();
    // 128 × n + n.
    for n in [3, 1, 2] {
        peer.send(&part(n, &[0x80 | n as u8])).await;
    }
    for n in [2, 3] {
        peer.send(&part(n, &[n as u8])).await;
    }
    peer.send(&forget(1)).await;
    for _ in 0..3 {
        let reply = peer.read_kind(raw::REPLY).await;
        let mut fields = reply.reader();
        answers.push((fields.var(), fields.var(), fields.u8(), fields.var()));
    }
    assert_eq!(answers, [(1, 7, 0, 9), (1, 3, 0, 258), (1, 5, 0, 387)]);
    drop(peer);
    field.is_unharmed().await;
}

// proves: id.increasing, id.parity
#[tokio::test]
async fn pitfall_16_ids_of_the_wrong_parity_or_used_before_are_named() {
    let field = Field::new().await;
    field.accuses("an even request", &call(1, 2, "Prey.echo", &[1]).wire(), PARITY).await;
    field.accuses("request zero", &call(1, 0, "Prey.echo", &[1]).wire(), PARITY).await;
    field.accuses("an even connection", &open(2, "Prey").wire(), PARITY).await;
    field.accuses("an even channel", &call_with(1, 1, "Prey.drink", &[(2, 0)], &[0]).wire(), PARITY).await;
    let twice = [call(1, 5, "Prey.wait", &[]), call(1, 5, "Prey.wait", &[])];
    field.accuses("a request in flight again", &wire(twice), REUSED).await;
    let back = [call(1, 5, "Prey.echo", &[1]), call(1, 3, "Prey.echo", &[1])];
    field.accuses("a request before the last", &wire(back), REUSED).await;
    field.accuses("the handshake's connection again", &open(1, "Prey").wire(), REUSED).await;
    field.accuses("a connection again", &wire([open(5, "Prey"), open(3, "Prey")]), REUSED).await;
    let same = call_with(1, 1, "Prey.drink", &[(1, 0), (1, 0)], &[0]);
    field.accuses("one channel twice", &same.wire(), REUSED).await;
    field.reads_as("ids.txt");
}

// proves: limit.connections, limit.calls, limit.channels, limit.channel.items, limit.channel.bytes, credit.overrun
// proves: credit.overflow
#[tokio::test]
async fn pitfall_16_one_past_each_announced_limit_is_named() {
    let field = Field::new().await;
    let calls = (0..5).map(|n| call(1, 2 * n + 1, "Prey.wait", &[]));
    field.accuses("five calls of four", &wire(calls), CALLS).await;
    let opens = (1..4).map(|n| open(2 * n + 1, "Prey"));
    field.accuses("four connections of three", &wire(opens), CONNECTIONS).await;
    let channels: Vec<_> = (0..6).map(|n| (2 * n + 1, 0)).collect();
    field.accuses("six channels of five", &call_with(1, 1, "Prey.sit_on", &channels, &[0]).wire(), CHANNELS).await;
    field.accuses("nine items of eight", &wire([held(), items(1, 9)]), OVERRUN).await;
    field
        .accuses("nine items one by one", &wire([held()].into_iter().chain((0..9).map(|_| items(1, 1)))), OVERRUN)
        .await;
    let large = frame(raw::ITEMS).var(1).var(1).var(1024).bytes(&[0; 1024]).var(1).var(7);
    field.accuses("an item past the window in bytes", &wire([held(), large]), OVERRUN).await;
    let grant = frame(raw::CREDIT).var(1).var(1).var(u64::from(u32::MAX)).var(1);
    let pour = call_with(1, 1, "Prey.pour", &[(1, 1)], &[0xff, 0xff, 0xff, 0x7f, 0]);
    field.accuses("credit past its ceiling", &wire([pour, grant]), OVERFLOW).await;
    field.reads_as("limits.txt");
}

// proves: id.never, channel.direction
#[tokio::test]
async fn messages_for_what_never_was_are_named() {
    let field = Field::new().await;
    field.accuses("a call on no connection", &call(9, 1, "Prey.echo", &[1]).wire(), NO_CONNECTION).await;
    field.accuses("a shut of no connection", &frame(raw::SHUT).var(9).wire(), NO_CONNECTION).await;
    field.accuses("an answer nobody waits for", &frame(raw::ACCEPT).var(2).u8(0).wire(), NO_CONNECTION).await;
    field.accuses("a refusal nobody waits for", &frame(raw::REFUSE).var(2).u8(1).text("").wire(), NO_CONNECTION).await;
    field.accuses("items on no channel", &items(1, 1).wire(), NO_CHANNEL).await;
    field.accuses("a close of no channel", &frame(raw::CLOSE).var(1).var(1).var(0).wire(), NO_CHANNEL).await;
    field.accuses("a reset of no channel", &frame(raw::RESET).var(1).var(1).u8(0).var(0).wire(), NO_CHANNEL).await;
    field.accuses("credit for no channel", &frame(raw::CREDIT).var(1).var(1).var(1).var(1).wire(), NO_CHANNEL).await;
    field.accuses("a cancel of no request", &frame(raw::CANCEL).var(1).var(1).wire(), NO_REQUEST).await;
    field.accuses("a reply from the caller", &frame(raw::REPLY).var(1).var(1).u8(0).wire(), DIRECTION).await;
    let call = call_with(1, 1, "Prey.pour", &[(1, 1)], &[0xff, 0xff, 0xff, 0x7f, 0]);
    field.accuses("items from the receiver", &wire([call.clone(), items(1, 1)]), DIRECTION).await;
    field.accuses("a close from the receiver", &wire([call, frame(raw::CLOSE).var(1).var(1).var(0)]), DIRECTION).await;
    let credit = frame(raw::CREDIT).var(1).var(1).var(1).var(1);
    field.accuses("credit from the sender", &wire([held(), credit]), DIRECTION).await;
    field.reads_as("unknown.txt");
}

// proves: metadata.limits
#[tokio::test]
async fn metadata_bombs_are_named() {
    let field = Field::new().await;
    let with = |metadata: fn(Frame) -> Frame| metadata(frame(raw::CALL).var(1).var(1).method("Prey.echo").u8(2)).wire();
    let entries = |frame: Frame| (0..65).fold(frame.var(65), |frame, _| frame.text("k").u8(0).text("v"));
    field.accuses("65 entries", &with(entries), METADATA).await;
    field.accuses("2⁶⁰ entries", &with(|frame| frame.var(1 << 60)), METADATA).await;
    field.accuses("9 KiB", &with(|frame| frame.var(1).text("k").u8(0).text(&"v".repeat(9 << 10))), METADATA).await;
    field
        .accuses("a key of 129 bytes", &with(|frame| frame.var(1).text(&"k".repeat(129)).u8(0).text("")), METADATA)
        .await;
    field.accuses("a key of none", &with(|frame| frame.var(1).text("").u8(0).text("")), METADATA).await;
    let close = frame(raw::CLOSE).var(1).var(1).var(1).text("k").u8(0).text(&"v".repeat(9 << 10));
    field.accuses("at a close", &wire([held(), close]), METADATA).await;
    let opened = frame(raw::OPEN).var(3).text("Prey").var(1).text("k").u8(0).text(&"v".repeat(9 << 10));
    field.accuses("at an open", &opened.wire(), METADATA).await;
    field.reads_as("metadata.txt");
}

/// A violation stops at its frame: what was done before it stays done, and nothing after it is.
// proves: violation.nothing
#[tokio::test]
async fn nothing_after_a_violation_is_read() {
    let field = Field::new().await;
    let mut peer = field.peer().await;
    peer.send(&call(1, 1, "Prey.echo", &[9])).await;
    let reply = peer.read().await.expect("a reply");
    assert_eq!((reply.kind, reply.body.as_slice()), (raw::REPLY, &[1, 1, 0, 9][..]));
    peer.write(&wire([frame(0x7f), call(1, 3, "Prey.wait", &[])])).await;
    assert_eq!(peer.accused_of().await, MALFORMED);
    field.is_unharmed().await;
    assert_eq!(field.deer.started.get(), 0);
}

// ---- what is one call's own fault, and what is nobody's ----

/// A reply's request and its payload's first two bytes.
async fn reply(peer: &mut Raw) -> (u64, Vec<u8>) {
    let reply = peer.read_kind(raw::REPLY).await;
    let mut fields = reply.reader();
    let (_, request) = (fields.var(), fields.var());
    (request, fields.0.to_vec())
}

// proves: call.own-error
#[tokio::test]
async fn truncated_and_over_long_arguments_are_their_calls_own() {
    let field = Field::new().await;
    let mut peer = field.peer().await;
    let cases: [(&str, &[u8]); 9] = [
        ("none", &[]),
        ("half a varint", &[0x80]),
        ("too many", &[1, 2]),
        ("past 64 bits", &[0xff; 10]),
        ("a long list", &[0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]),
        ("a list that lacks one", &[3, 1, 2]),
        ("2⁶³ units", &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
        ("10⁹ units", &[0x80, 0x94, 0xeb, 0xdc, 0x03]),
        ("a channel that was not opened", &[0]),
    ];
    for (n, (what, arguments)) in cases.into_iter().enumerate() {
        let method = match n {
            0..4 => "Prey.echo",
            4 | 5 => "Prey.list",
            6 | 7 => "Prey.units",
            _ => "Prey.drink",
        };
        let request = 2 * n as u64 + 1;
        peer.send(&call(1, request, method, arguments)).await;
        let (answered, payload) = reply(&mut peer).await;
        assert_eq!((answered, &payload[..2]), (request, &[1, 2][..]), "{what}: InvalidPayload");
    }
    peer.send(&call(1, 101, "Prey.absent", &[])).await;
    assert_eq!(reply(&mut peer).await, (101, vec![1, 1]), "UnknownMethod");
    peer.send(&call(1, 103, "Prey.echo", &[5])).await;
    assert_eq!(reply(&mut peer).await, (103, vec![0, 5]), "the session lives");
    drop(peer);
    field.is_unharmed().await;
}

#[tokio::test]
async fn channels_that_arguments_name_wrongly_are_their_calls_own() {
    let field = Field::new().await;
    let mut peer = field.peer().await;
    type Case = (&'static str, [(u64, u8); 1], &'static [u8]);
    let cases: [Case; 4] = [
        ("the other direction", [(1, 1)], &[0]),
        ("an index past the list", [(3, 0)], &[1]),
        ("a huge index", [(5, 0)], &[0xff, 0xff, 0xff, 0xff, 0x0f]),
        ("an index that is not there", [(7, 0)], &[]),
    ];
    for (n, (what, channels, arguments)) in cases.into_iter().enumerate() {
        let request = 2 * n as u64 + 1;
        peer.send(&call_with(1, request, "Prey.drink", &channels, arguments)).await;
        let reset = peer.read_kind(raw::RESET).await;
        assert_eq!(reset.body, [1, channels[0].0 as u8, 0, 0], "{what}");
        let (answered, payload) = reply(&mut peer).await;
        assert_eq!((answered, &payload[..2]), (request, &[1, 2][..]), "{what}");
    }
    // What comes late for them is ignored.
    peer.send(&items(1, 3)).await;
    peer.send(&frame(raw::CLOSE).var(1).var(1).var(0)).await;
    peer.send(&call(1, 99, "Prey.echo", &[5])).await;
    assert_eq!(reply(&mut peer).await, (99, vec![0, 5]));
    drop(peer);
    field.is_unharmed().await;
}

/// Items and ends that cross the end of their channel could not have known; a second end from the same half could.
#[tokio::test]
async fn what_comes_after_a_channels_end_is_ignored() {
    let field = Field::new().await;
    let mut peer = field.peer().await;
    peer.send(&call_with(1, 1, "Prey.drink", &[(1, 0)], &[0])).await;
    peer.send(&items(1, 2)).await;
    peer.send(&frame(raw::CLOSE).var(1).var(1).var(0)).await;
    assert_eq!(reply(&mut peer).await, (1, vec![0, 2]));
    for late in [items(1, 100), frame(raw::CLOSE).var(1).var(1).var(0), frame(raw::RESET).var(1).var(1).u8(0).var(0)] {
        peer.send(&late).await;
    }
    peer.send(&frame(raw::CANCEL).var(1).var(1)).await;
    peer.send(&call(1, 3, "Prey.echo", &[5])).await;
    assert_eq!(reply(&mut peer).await, (3, vec![0, 5]));
    peer.send(&frame(raw::SHUT).var(1)).await;
    for late in [call(1, 5, "Prey.wait", &[]), items(1, 1), frame(raw::CANCEL).var(1).var(1), frame(raw::SHUT).var(1)] {
        peer.send(&late).await;
    }
    peer.send(&frame(raw::PING).var(77)).await;
    assert_eq!(peer.read_kind(raw::PONG).await.body, [77]);
    drop(peer);
    field.is_unharmed().await;
    assert_eq!(field.deer.started.get(), 0);
}

// proves: call.reply.once, call.cancel.late
#[tokio::test]
async fn every_request_of_a_flood_of_cancels_has_one_reply() {
    let field = Field::new().await;
    let mut peer = field.peer().await;
    for n in 0..500u64 {
        let request = 2 * n + 1;
        let cancel = frame(raw::CANCEL).var(1).var(request);
        let mut frames = vec![call(1, request, "Prey.wait", &[])];
        frames.extend(std::iter::repeat_n(cancel, 20));
        peer.write(&wire(frames)).await;
        assert_eq!(reply(&mut peer).await, (request, vec![1, 4]), "Cancelled");
    }
    drop(peer);
    field.is_unharmed().await;
}

#[tokio::test]
async fn refused_opens_leave_nothing_behind() {
    let field = Field::new().await;
    let mut peer = field.peer().await;
    for n in 1..500u64 {
        peer.send(&open(2 * n + 1, "Nothing")).await;
        let refused = peer.read_kind(raw::REFUSE).await;
        let mut fields = refused.reader();
        assert_eq!((fields.var(), fields.u8()), (2 * n + 1, 1));
    }
    peer.send(&open(1001, "Prey")).await;
    peer.read_kind(raw::ACCEPT).await;
    peer.send(&call(1001, 1, "Prey.echo", &[5])).await;
    assert_eq!(reply(&mut peer).await, (1, vec![0, 5]));
    drop(peer);
    field.is_unharmed().await;
}

// ---- floods, and peers that do not read ----

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

// proves: flood.unread
#[tokio::test(start_paused = true)]
async fn a_flood_of_pings_that_reads_no_pong_is_named() {
    let (mut peer, _, server) = cornered(1 << 10).await;
    let mark = mark();
    let ping = frame(raw::PING).var(1).wire();
    for _ in 0..5_000 {
        peer.try_write(&ping).await;
    }
    assert_eq!(peer.accused_of().await, FLOOD);
    assert!(grown(mark) < 200 << 10, "{}", grown(mark));
    server.await.expect("no panic").expect("an end");
}

// proves: flood.unread
#[tokio::test(start_paused = true)]
async fn a_flood_of_opens_that_reads_no_answer_is_named() {
    let (mut peer, _, server) = cornered(1 << 10).await;
    let mark = mark();
    for n in 1..1_200u64 {
        // One by one: many at once would be more connections than were announced.
        peer.try_write(&open(2 * n + 1, "Nothing").wire()).await;
        settle().await;
    }
    assert_eq!(peer.accused_of().await, FLOOD);
    assert!(grown(mark) < 1 << 20, "{}", grown(mark));
    server.await.expect("no panic").expect("an end");
}

/// A peer that reads no replies cannot make calls without end either: a call counts until its reply was handed to the link.
// proves: call.unread
#[tokio::test(start_paused = true)]
async fn calls_beyond_unread_replies_are_named() {
    let (mut peer, _, server) = cornered(64).await;
    for n in 0..100u64 {
        peer.try_write(&call(1, 2 * n + 1, "Prey.echo", &[1]).wire()).await;
    }
    assert_eq!(peer.accused_of().await, CALLS);
    server.await.expect("no panic").expect("an end");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_stops_reading_is_given_up_in_time_and_memory() {
    let (mut peer, deer, server) = cornered(256).await;
    let pour = call_with(1, 1, "Prey.pour", &[(1, 1)], &[0xff, 0xff, 0xff, 0x7f, 0]);
    peer.send(&pour).await;
    peer.send(&frame(raw::CREDIT).var(1).var(1).var(1 << 30).var(1 << 30)).await;
    let mark = mark();
    let before = tokio::time::Instant::now();
    server.await.expect("no panic").expect("an end");
    assert_eq!(before.elapsed().as_secs(), 30, "the write stall");
    assert!(grown(mark) < 2 << 20, "{}", grown(mark));
    drop((peer, deer));
}

/// Large replies to small calls: no further handlers start while nobody reads what is there.
#[tokio::test(start_paused = true)]
async fn replies_that_nobody_reads_are_not_made_without_end() {
    let limits = Limits { max_calls: 1_000, outbox_long_bytes: 1 << 20, ..Limits::default() };
    let (mut peer, _, _server) = cornered_with(1 << 10, limits).await;
    let marked = mark();
    for n in 0..100u64 {
        peer.send(&call(1, 2 * n + 1, "Prey.big", &[0x80, 0x80, 0x08])).await;
        if n == 50 {
            peer.send(&frame(raw::CANCEL).var(1).var(101)).await;
        }
    }
    settle().await;
    assert!(grown(marked) < 2 << 20, "{}", grown(marked));
    let mut answered = Vec::new();
    for _ in 0..100 {
        let (request, payload) = reply(&mut peer).await;
        assert_eq!(payload.len(), if request == 101 { 2 } else { (128 << 10) + 4 });
        answered.push(request);
    }
    answered.sort_unstable();
    assert_eq!(answered, (0..100).map(|n| 2 * n + 1).collect::<Vec<_>>());
}

/// The same where they are read and never acknowledged, in a session that can be resumed, though all are asked for at once.
#[tokio::test(start_paused = true)]
async fn replies_that_nobody_acknowledges_are_not_made_without_end() {
    watch_panics();
    let limits = Limits { replay_bytes: 2 << 20, ..Limits::default() };
    let server =
        Server::builder().service(PreyDispatcher::new(Deer::default())).limits(limits).start().expect("a server");
    let (ours, theirs) = tokio::io::duplex(1 << 10);
    let mut peer = Raw::new(ours);
    peer.send(&raw::resumable_hello("Prey", raw::LIMITS)).await;
    let (accepted, welcome) = tokio::join!(server.accept(Link::new(theirs, "hostile")), peer.read());
    accepted.expect("a session");
    assert_eq!(welcome.expect("an answer").kind, raw::WELCOME);
    let calls: Vec<u8> = (0..100u64).flat_map(|n| call(1, 2 * n + 1, "Prey.big", &[0x80, 0x80, 0x08]).wire()).collect();
    let marked = mark();
    peer.write(&calls).await;
    let (mut received, mut begun) = (0, 0);
    while let Ok(Some(read)) = tokio::time::timeout(Duration::from_secs(1), peer.read_frame()).await {
        received += 5 + read.body.len() as u64;
        begun += usize::from(read.kind == raw::LONG);
    }
    assert!((14..=18).contains(&begun), "{begun} replies of 128 KiB");
    assert!(grown(marked) < 3 << 20, "{}", grown(marked));
    // Who acknowledges gets the rest.
    while begun < 100 {
        peer.send(&frame(raw::ACK).var(received)).await;
        let read = peer.read_frame().await.expect("the session goes on");
        received += 5 + read.body.len() as u64;
        begun += usize::from(read.kind == raw::LONG);
    }
    assert!(grown(marked) < 3 << 20, "{}", grown(marked));
}

// proves: frame.length.limit
#[tokio::test(start_paused = true)]
async fn pitfall_34_no_memory_is_made_for_a_length_before_its_bytes_come() {
    let (mut peer, _, server) = cornered(1 << 10).await;
    let marked = mark();
    peer.write(&(1u32 << 16).to_le_bytes()).await;
    peer.write(&[raw::CALL]).await;
    settle().await;
    assert!(grown(marked) < 16 << 10, "{}", grown(marked));
    // The largest list that a frame's few bytes can claim.
    drop(peer);
    server.await.expect("no panic").expect("an end");
    let (mut peer, _, _server) = cornered(1 << 10).await;
    let marked = mark();
    peer.send(&call(1, 1, "Prey.list", &[0xff, 0xff, 0xff, 0xff, 0xff, 0x7f])).await;
    let (_, payload) = reply(&mut peer).await;
    assert_eq!(payload[..2], [1, 2]);
    assert!(grown(marked) < 32 << 10, "{}", grown(marked));
}

#[tokio::test(start_paused = true)]
async fn pitfall_14_replies_that_the_runtime_makes_leave_no_memory_behind() {
    let (mut peer, _, _server) = cornered(1 << 12).await;
    let mut request = 1;
    let mut marked = 0;
    for n in 0..3_000 {
        if n == 1_000 {
            marked = mark();
        }
        let made = match n % 3 {
            0 => call(1, request, "Prey.absent", &[]),
            1 => call(1, request, "Prey.echo", &[]),
            _ => call(1, request, "Prey.wait", &[]),
        };
        peer.write(&wire([made, frame(raw::CANCEL).var(1).var(request)])).await;
        assert_eq!(reply(&mut peer).await.0, request);
        request += 2;
    }
    let kept = heap::live() - marked;
    assert!(kept < 8 << 10, "{kept}");
}

#[tokio::test(start_paused = true)]
async fn pitfall_30_items_that_come_with_their_call_or_before_its_handler_are_received_in_order() {
    let (mut peer, _, _server) = cornered(1 << 12).await;
    for n in 0..100u64 {
        let (request, channel) = (2 * n + 1, 2 * n + 1);
        let close = frame(raw::CLOSE).var(1).var(channel).var(0);
        let drink = call_with(1, request, "Prey.drink", &[(channel, 0)], &[0]);
        let all = wire([drink, items(channel, 3), items(channel, 5), close]);
        // In one go, or in two pieces: whichever part is there when the handler starts.
        let cut = all.len() * n as usize / 99;
        peer.write(&all[..cut]).await;
        settle().await;
        peer.write(&all[cut..]).await;
        assert_eq!(reply(&mut peer).await, (request, vec![0, 8]));
    }
}

/// What waits for a slow reader is bounded by the window, whatever it came in among.
#[tokio::test(start_paused = true)]
async fn pitfall_29_items_that_wait_do_not_keep_what_came_with_them() {
    let (mut peer, deer, _server) = cornered(1 << 18).await;
    peer.send(&held()).await;
    settle().await;
    assert_eq!(deer.started.get(), 1);
    let marked = mark();
    let noise = wire((0..20_000).map(|n| frame(raw::PONG).var(n)));
    for _ in 0..8 {
        // One small item each in a quarter of a megabyte of pongs that nobody asked for.
        peer.write(&noise).await;
        peer.send(&items(1, 1)).await;
        peer.write(&noise).await;
        settle().await;
    }
    drop(noise);
    settle().await;
    let kept = heap::live() - marked;
    assert!(kept < 600 << 10, "{kept}");
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

// ---- servers that are hostile to their clients ----

/// A client of a raw server.
async fn lured(limits: [u64; 9]) -> (PreyClient, Raw) {
    watch_panics();
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let accept = tokio::spawn(async move { Raw::accept(theirs, limits).await });
    let client = vox::connect(Link::new(ours, "hostile")).await.expect("welcome");
    (client, accept.await.expect("no panic"))
}

/// What the server sends costs the session; the call under way is indeterminate.
async fn lure(what: &str, bytes: &[u8], rule: u8) {
    let (client, mut server) = lured(raw::LIMITS).await;
    let call = tokio::spawn(client.wait().into_future());
    server.read_kind(raw::CALL).await;
    server.write(bytes).await;
    assert_eq!(server.accused_of().await, rule, "{what}");
    assert_eq!(call.await.expect("no panic"), Err(vox::VoxError::Indeterminate), "{what}");
    let reason = vox::Client::caller(&client).closed().await;
    assert!(matches!(&reason, vox::EndReason::PeerViolation(v) if v.rule.code() == rule), "{what}: {reason:?}");
}

#[tokio::test(start_paused = true)]
async fn a_hostile_server_is_named_too() {
    let ok = |request: u64| frame(raw::REPLY).var(1).var(request).u8(0);
    lure("a reply to nothing", &ok(3).wire(), NO_REQUEST).await;
    lure("a call to the opener", &call(1, 1, "Prey.echo", &[1]).wire(), DIRECTION).await;
    lure("a cancel from the server", &frame(raw::CANCEL).var(1).var(1).wire(), DIRECTION).await;
    lure("a second accept", &frame(raw::ACCEPT).var(1).u8(0).wire(), NO_CONNECTION).await;
    lure("an odd connection", &open(3, "Prey").wire(), PARITY).await;
    lure("items on no channel", &items(1, 1).wire(), NO_CHANNEL).await;
    lure("too long", &[0xff; 4], TOO_LARGE).await;
    lure("another welcome", &raw::welcome(raw::LIMITS).wire(), MALFORMED).await;
    assert_eq!(PANICS.get(), 0);
}

// proves: call.reply.unasked
#[tokio::test(start_paused = true)]
async fn a_second_reply_is_named_and_the_first_stands() {
    let (client, mut server) = lured(raw::LIMITS).await;
    let call = tokio::spawn(client.echo(4).into_future());
    server.read_kind(raw::CALL).await;
    let reply = frame(raw::REPLY).var(1).var(1).u8(0).var(4);
    server.write(&wire([reply.clone(), reply])).await;
    assert_eq!(server.accused_of().await, NO_REQUEST);
    assert_eq!(call.await.expect("no panic"), Ok(4));
}

/// Neither a call that is still on its way nor one whose reply has begun waits for ever.
#[tokio::test(start_paused = true)]
async fn a_reply_out_of_turn_is_named_and_its_call_ends() {
    let named = async |server: &mut Raw| loop {
        let read = server.read_frame().await.expect("a violation comes first");
        if read.kind == raw::VIOLATION {
            break read.body[0];
        }
    };
    let reply = frame(raw::REPLY).var(1).var(1).u8(0).var(4);
    let (client, mut server) = lured(raw::LIMITS).await;
    let call = tokio::spawn(client.list(vec![u64::MAX; 400_000]).into_future());
    while server.read_frame().await.expect("a call").kind != raw::LONG {}
    server.send(&reply).await;
    assert_eq!(named(&mut server).await, NO_REQUEST);
    let outcome = tokio::time::timeout(Duration::from_secs(60), call).await.expect("it ends").expect("no panic");
    assert!(matches!(outcome, Err(vox::VoxError::NotSent(_))), "{outcome:?}");

    let (client, mut server) = lured(raw::LIMITS).await;
    let call = tokio::spawn(client.echo(4).into_future());
    server.read_kind(raw::CALL).await;
    let begun = frame(raw::LONG).var(1).var(9).u8(raw::REPLY).var(1).var(1);
    server.write(&wire([begun, reply])).await;
    assert_eq!(named(&mut server).await, NO_REQUEST);
    let outcome = tokio::time::timeout(Duration::from_secs(60), call).await.expect("it ends").expect("no panic");
    assert_eq!(outcome, Err(vox::VoxError::Indeterminate));
}

// proves: outcome.invalid
#[tokio::test(start_paused = true)]
async fn replies_that_are_none_are_invalid_responses() {
    let (client, mut server) = lured(raw::LIMITS).await;
    let payloads: [&[u8]; 9] =
        [&[], &[0], &[0, 1, 2], &[2], &[1], &[1, 99], &[1, 2, 0xff], &[1, 13], &[0, 0xff, 0xff, 0xff]];
    for (n, payload) in payloads.into_iter().enumerate() {
        let call = tokio::spawn(client.echo(4).into_future());
        server.read_kind(raw::CALL).await;
        server.send(&frame(raw::REPLY).var(1).var(2 * n as u64 + 1).bytes(payload)).await;
        let outcome = call.await.expect("no panic");
        assert!(matches!(outcome, Err(vox::VoxError::InvalidResponse(_))), "{payload:?}: {outcome:?}");
    }
    let call = tokio::spawn(client.echo(4).into_future());
    server.read_kind(raw::CALL).await;
    server.send(&frame(raw::REPLY).var(1).var(19).u8(0).var(4)).await;
    assert_eq!(call.await.expect("no panic"), Ok(4), "the session lives");
    assert_eq!(PANICS.get(), 0);
}

/// What a server is told of its client's types is read when a method of theirs is called, and answered there.
#[tokio::test(start_paused = true)]
async fn types_that_no_opener_has_cost_their_server_no_memory() {
    watch_panics();
    let fields = |count: u64, ty: &[u8]| {
        let schema = frame(1).u8(2).var(count);
        (0..count).fold(schema, |schema, n| schema.text(&n.to_string()).bytes(ty)).into_bytes()
    };
    let variants = (0..20_000).fold(frame(1).u8(3).var(20_000), |schema, n| schema.text(&n.to_string()).var(0));
    let doubling = (1..2000u64).fold(frame(1).u8(2).var(2000).text("0").u8(2).var(0), |schema, n| {
        schema.text(&n.to_string()).u8(2).var(2).text("a").u8(12).var(n).text("b").u8(12).var(n)
    });
    let cases = [
        ("counts that lie", raw::bomb(200 << 10), "cannot be read"),
        ("a type inside itself", b"\x01\x02\x01\x01x\x0c\x00".to_vec(), "without end"),
        ("129 levels", [&[1][..], &[6; 130], b"\x01\x02u8"].concat(), "more than 128 deep"),
        ("4,097 types", fields(4097, b"\x04\x01\x02u8"), "more than 4096 types"),
        ("20,000 fields", fields(20_000, b"\x01\x02u8"), "more than 16384 fields and variants"),
        ("20,000 variants", variants.into_bytes(), "more than 16384 fields and variants"),
        ("2¹⁹⁹⁹ empty structs", doubling.into_bytes(), "is sent, which is another type"),
        ("a name of 200 KB", frame(1).u8(1).text(&"x".repeat(200_000)).into_bytes(), "is sent, which is another type"),
        ("no bytes", Vec::new(), "cannot be read"),
    ];
    for (what, schema, why) in cases {
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        let builder = Server::builder().service(PreyDispatcher::new(Deer::default()));
        let _server = tokio::spawn(builder.serve_link(Link::new(theirs, "hostile")));
        let mut peer = Raw::new(ours);
        peer.send(&raw::hello_of_another("Prey", raw::LIMITS)).await;
        peer.read_kind(raw::CONTRACT).await;
        let contract = raw::contract(&raw::contract_of("Prey.list", "numbers", &schema));
        let begun = mark();
        peer.send(&contract).await;
        peer.send(&call(1, 1, "Prey.list", &[1, 7])).await;
        let (request, payload) = reply(&mut peer).await;
        let words = String::from_utf8_lossy(&payload);
        assert_eq!((request, &payload[..2]), (1, &[1, 2][..]), "{what}: InvalidPayload, {words}");
        assert!(words.contains(why), "{what}: {words}");
        let held = grown(begun);
        assert!(held < 6 << 20, "{what}: {held} bytes");
        peer.send(&call(1, 3, "Prey.echo", &[5])).await;
        assert_eq!(reply(&mut peer).await, (3, vec![0, 5]), "{what}: what it leaves alone can be called");
        peer.send(&contract).await;
        let named = peer.read_kind(raw::VIOLATION).await;
        assert!(String::from_utf8_lossy(&named.body).contains("which waits for none"), "{what}: it is told once");
    }
    assert_eq!(PANICS.get(), 0);
}

/// Each level of the types that it describes claims all the bytes that follow.
#[tokio::test(start_paused = true)]
async fn a_contract_whose_counts_lie_costs_its_client_no_memory() {
    watch_panics();
    let (ours, theirs) = tokio::io::duplex(1 << 20);
    let mut server = Raw::new(theirs);
    let lying = raw::contract_of("Prey.list", "numbers", &raw::bomb(255 << 10));
    let accept = tokio::spawn(async move {
        server.read_kind(raw::HELLO).await;
        server.send(&raw::welcome_to_another(raw::LIMITS)).await;
        server
    });
    let client: PreyClient = vox::connect(Link::new(ours, "hostile")).await.expect("welcome");
    let (mut server, begun) = (accept.await.expect("no panic"), mark());
    server.send(&raw::contract(&lying)).await;
    let outcome = client.list(Vec::new()).await;
    assert!(
        matches!(&outcome, Err(vox::VoxError::NotSent(why)) if why.to_string().contains("cannot be read")),
        "{outcome:?}"
    );
    let held = grown(begun);
    assert!(held < 3 << 20, "{held} bytes for a contract of {}", lying.len());
    // What it leaves alone can be called.
    let call = tokio::spawn(client.echo(4).into_future());
    server.read_kind(raw::CALL).await;
    server.send(&frame(raw::REPLY).var(1).var(1).u8(0).var(4)).await;
    assert_eq!(call.await.expect("no panic"), Ok(4));
    assert_eq!(PANICS.get(), 0);
}

/// Limits of nothing, and of everything, are obeyed as well as can be.
#[tokio::test(start_paused = true)]
async fn absurd_limits_of_a_peer_harm_nobody() {
    let (client, _server) = lured([0, 0, 0, 0, 1, 1, 0, 0, 0]).await;
    let outcome = client.echo(1).timeout(Duration::from_secs(1)).await;
    assert!(matches!(outcome, Err(vox::VoxError::NotSent(_))), "{outcome:?}");
    let (client, mut server) = lured([u64::MAX; 9]).await;
    let (tx, rx) = vox::channel();
    let call = tokio::spawn(client.drink(rx).into_future());
    server.read_kind(raw::CALL).await;
    tx.send(1).await.expect("credit enough");
    server.read_kind(raw::ITEMS).await;
    server.send(&frame(raw::REPLY).var(1).var(1).u8(0).var(1)).await;
    assert_eq!(call.await.expect("no panic"), Ok(1));
    assert_eq!(PANICS.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers_holds_no_caller_past_its_deadline() {
    let (client, mut server) = lured(raw::LIMITS).await;
    for _ in 0..3 {
        let before = tokio::time::Instant::now();
        let outcome = client.echo(1).timeout(Duration::from_millis(50)).await;
        assert_eq!(outcome, Err(vox::VoxError::DeadlineExceeded));
        assert!(before.elapsed() < Duration::from_secs(1));
        server.read_kind(raw::CALL).await;
        server.read_kind(raw::CANCEL).await;
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
}
