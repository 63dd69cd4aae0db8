//! What one frame costs at most, in a session that keeps as much as the default limits let it have.

use std::time::Duration;

use super::channels::{items_of, open};
use super::messages::{long, part};
use super::sessions::big;
use crate::answer::Answer;
use crate::attack::Attack;
use crate::raw::{self, Frame, call, call_with, frame};
use crate::row::{Row, STOCK};

/// The most processor time that one frame may cost, whatever the peer has built up.
const MOST: Duration = Duration::from_micros(50);
/// As many as there may be beside one more: `Limits::max_connections`, and `max_calls` and `max_channels` of each.
const CONNECTIONS: u64 = 15;
const CALLS: u64 = 120;
const CHANNELS: u64 = 240;
/// What has room beside them.
const FREE: u64 = 8;

/// What is given back to the kernel by one call of the allocator may be more than is freed: it is bounded by what was kept.
const FREED: Duration = Duration::from_micros(250);

pub(crate) fn rows() -> Vec<Row> {
    let many = |name, sends, n, answer, attack: fn(u64) -> Attack| {
        let row = Row::frames(name, sends, attack).case("", n, answer).costs(MOST);
        row.slow("1,800 calls are made and ended each time")
    };
    let one = |name, sends, n, answer, attack: fn(u64) -> Attack| {
        let row = Row::frames(name, sends, attack).case("", n, answer).holds(MOST);
        row.slow("1,800 calls are made and ended each time")
    };
    vec![
        many("worst Ping", "{n} pings", 1_000, Answer::Fine, |n| full((0..n).map(|n| frame(raw::PING).var(n)))),
        many("worst Call", "{n} calls that are answered", FREE, Answer::Fine, |n| {
            full((0..n).map(|n| call(1, free(n), "Prey.echo", &[1]))).answered(n as usize)
        }),
        many("worst Call, no such method", "{n} calls of a method that is none", FREE, Answer::Failed(1), |n| {
            full((0..n).map(|n| call(1, free(n), "Prey.none", &[1]))).answered(n as usize)
        }),
        many("worst Call, with channels", "{n} calls with as many channels each", 4, Answer::Fine, channels),
        one(
            "worst Call, with all it may bring",
            "a call with {n} entries of 8 KiB and 36 channels",
            64,
            Answer::Fine,
            |n| {
                with_entries(n, |entries| {
                    let call = frame(raw::CALL).var(1).var(free(0)).method("Prey.echo").u8(6).metadata(entries).var(36);
                    let call = (0..36).fold(call, |call, k| call.var(2 * (CHANNELS + k) + 1).u8(0));
                    crowded(100, [call.bytes(&[7])]).answered(1)
                })
            },
        ),
        many("worst Cancel", "{n} calls that run are cancelled", CALLS, Answer::Failed(4), |n| {
            full((0..n).map(|n| frame(raw::CANCEL).var(1).var(2 * n + 1))).answered(n as usize)
        }),
        many("worst Cancel, again", "{n} cancels of one call", 1_000, Answer::Failed(4), |n| {
            full((0..n).map(|_| frame(raw::CANCEL).var(1).var(1))).answered(1)
        }),
        one(
            "worst Cancel, of a reply",
            "a call is cancelled whose reply of 1 MiB waits behind {n} others",
            11,
            Answer::Failed(4),
            |n| {
                let calls = (0..=n).map(|n| big(2 * n + 1, 1 << 20)).collect::<Vec<_>>();
                Attack::of([frame(raw::CANCEL).var(1).var(2 * n + 1)]).after(calls).answered(n as usize + 1)
            },
        ),
        many("worst Items", "{n} items that nobody takes", CHANNELS, Answer::Fine, |n| {
            full((0..n).map(|n| items(1, 2 * n + 1)))
        }),
        one("worst Items, in one frame", "{n} items that nobody takes", 4_095, Answer::Fine, |n| {
            crowded(1, [items_of(1, 1, n)])
        }),
        many("worst Close", "{n} channels with items are closed", CHANNELS, Answer::Fine, |n| {
            full((0..n).map(|n| frame(raw::CLOSE).var(1).var(2 * n + 1).var(0)))
        }),
        one("worst Close, with metadata", "a channel is closed, with {n} entries of 8 KiB", 64, Answer::Fine, |n| {
            with_entries(n, |entries| crowded(1, [frame(raw::CLOSE).var(1).var(1).metadata(entries)]))
        }),
        many("worst Reset", "{n} channels with items are reset", CHANNELS, Answer::Fine, |n| {
            full((0..n).map(|n| frame(raw::RESET).var(1).var(2 * n + 1).u8(0).var(0)))
        }),
        one(
            "worst Reset, with a reason",
            "a channel is reset, with a reason of {n} bytes",
            60 << 10,
            Answer::Fine,
            |n| crowded(1, [frame(raw::RESET).var(1).var(1).u8(2).text(&"x".repeat(n as usize))]),
        ),
        one(
            "worst Reset, not in ASCII",
            "a channel is reset, with a reason of {n} characters",
            30 << 10,
            Answer::Fine,
            |n| crowded(1, [frame(raw::RESET).var(1).var(1).u8(2).text(&"é".repeat(n as usize))]),
        ),
        many("worst Long, Part, Forget", "{n} long calls begin and are forgotten", FREE, Answer::Fine, |n| {
            let begun = |n| [long(n + 1, 4 << 20, free(n), "Prey.blob"), part(n + 1, &[7]), forget(n + 1)];
            full((0..n).flat_map(begun))
        }),
        one("worst Forget", "a long call of {n} bytes is forgotten before its last byte", 4 << 20, Answer::Fine, |n| {
            let bytes = vec![7; n as usize - 1];
            let parts = bytes.chunks(64 << 10).map(|bytes| part(1, bytes));
            let begun = std::iter::once(long(1, n, 1, "Prey.blob")).chain(parts).collect::<Vec<_>>();
            Attack::of([forget(1)]).after(begun)
        }),
        one("worst Ack", "{n} replies of 1 MiB are acknowledged", 15, Answer::Fine, kept).holds(FREED).leaves(STOCK),
        one("worst Open", "a connection, with {n} entries of 8 KiB", 64, Answer::Fine, |n| {
            with_entries(n, |entries| full([raw::open_with(33, "Prey", entries)]))
        }),
        one("worst Open, of a long name", "a connection to a name of {n} bytes", 60 << 10, Answer::Fine, |n| {
            full([open(33, &"x".repeat(n as usize))])
        }),
        one("worst Open, refused", "{n} connection to no service", 1, Answer::Fine, |n| {
            full((0..n).map(|n| open(33 + 2 * n, "Hare")))
        }),
        one("worst Shut", "{n} calls end, and two channels each of which one is taken up", CALLS, Answer::Fine, |n| {
            crowded(n, [frame(raw::SHUT).var(1)])
        }),
        one("worst Shut, of many", "{n} connections are shut, each full", CONNECTIONS - 1, Answer::Fine, |n| {
            full((0..n).map(|n| frame(raw::SHUT).var(2 * n + 3)))
        }),
        one("worst Goodbye", "the session ends: {n} calls on each of 15 connections", CALLS, Answer::Closed, |_| {
            full([frame(raw::GOODBYE).text("")])
        }),
    ]
}

/// A session that keeps so many replies.
fn kept(n: u64) -> Attack {
    let attack = Attack::of([]).after_answers(n as usize, (0..n).map(|n| big(2 * n + 1, 1 << 20))).acknowledging();
    Attack { hello: raw::resumable_hello("Prey", raw::LIMITS).wire(), ..attack }
}

/// What takes as many entries as there may be, and as many bytes.
fn with_entries(n: u64, attack: impl FnOnce(raw::Entries<'_>) -> Attack) -> Attack {
    let (value, keys) = ("v".repeat(120), (0..n).map(|n| format!("key{n:02}")).collect::<Vec<_>>());
    let entries: Vec<_> = keys.iter().map(|key| (key.as_str(), 0, value.as_str())).collect();
    attack(&entries)
}

/// An attack on a connection with so many calls that run, each with two channels of which one is taken up.
fn crowded(n: u64, frames: impl IntoIterator<Item = Frame>) -> Attack {
    let calls = (0..n).map(|n| call_with(1, 2 * n + 1, "Prey.sit_on", &[(4 * n + 1, 0), (4 * n + 3, 0)], &[0]));
    Attack::of(frames).after(calls.collect::<Vec<_>>())
}

fn channels(n: u64) -> Attack {
    full((0..n).map(|at| {
        let channels: Vec<_> = (0..n).map(|k| (2 * (CHANNELS + at * n + k) + 1, 0)).collect();
        call_with(1, free(at), "Prey.sit_on", &channels, &[0])
    }))
}

fn forget(number: u64) -> Frame {
    frame(raw::FORGET).var(number)
}

/// The id of a call that has room.
fn free(n: u64) -> u64 {
    2 * (CALLS + n) + 1
}

fn items(connection: u64, channel: u64) -> Frame {
    frame(raw::ITEMS).var(connection).var(channel).var(1).var(7)
}

/// An attack on a session that is full.
fn full(frames: impl IntoIterator<Item = Frame>) -> Attack {
    let opens = (1..CONNECTIONS).map(|at| open(2 * at + 1, "Prey"));
    let mut setup = Vec::new();
    for at in 0..CONNECTIONS {
        let connection = 2 * at + 1;
        // Of the channels only the first is the method's. All have an item that nobody takes.
        let channels: Vec<_> = (0..CHANNELS).map(|n| (2 * n + 1, 0)).collect();
        setup.push(call_with(connection, 1, "Prey.sit_on", &channels, &[0]));
        setup.extend((0..CHANNELS).map(|n| items(connection, 2 * n + 1)));
        setup.extend((1..CALLS).map(|n| call(connection, 2 * n + 1, "Prey.wait", &[])));
    }
    Attack::of(frames).after(opens).after(setup)
}
