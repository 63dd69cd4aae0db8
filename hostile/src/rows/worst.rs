//! What one frame costs at most, in a session that keeps as much as the default limits let it have.

use std::time::Duration;

use super::channels::open;
use super::messages::{long, part};
use crate::answer::Answer;
use crate::attack::Attack;
use crate::raw::{self, Frame, call, call_with, frame};
use crate::row::Row;

/// The most processor time that one frame may cost, whatever the peer has built up.
const MOST: Duration = Duration::from_micros(50);
/// As many as there may be beside one more: `Limits::max_connections`, and `max_calls` and `max_channels` of each.
const CONNECTIONS: u64 = 15;
const CALLS: u64 = 120;
const CHANNELS: u64 = 240;
/// What has room beside them.
const FREE: u64 = 8;

pub(crate) fn rows() -> Vec<Row> {
    let row = |name, sends, n, answer, attack: fn(u64) -> Attack| {
        Row::frames(name, sends, attack)
            .case("", n, answer)
            .costs(MOST)
            .slow("1,800 calls are made and ended each time")
    };
    vec![
        row("worst Ping", "{n} pings", 1_000, Answer::Fine, |n| full((0..n).map(|n| frame(raw::PING).var(n)))),
        row("worst Call", "{n} calls that are answered", FREE, Answer::Fine, |n| {
            full((0..n).map(|n| call(1, free(n), "Prey.echo", &[1]))).answered(n as usize)
        }),
        row("worst Call, no such method", "{n} calls of a method that is none", FREE, Answer::Failed(1), |n| {
            full((0..n).map(|n| call(1, free(n), "Prey.none", &[1]))).answered(n as usize)
        }),
        row("worst Call, with channels", "{n} calls with as many channels each", 4, Answer::Fine, channels),
        row("worst Cancel", "{n} calls that run are cancelled", CALLS, Answer::Failed(4), |n| {
            full((0..n).map(|n| frame(raw::CANCEL).var(1).var(2 * n + 1))).answered(n as usize)
        }),
        row("worst Cancel, again", "{n} cancels of one call", 1_000, Answer::Failed(4), |n| {
            full((0..n).map(|_| frame(raw::CANCEL).var(1).var(1))).answered(1)
        }),
        row("worst Items", "{n} items that nobody takes", CHANNELS, Answer::Fine, |n| {
            full((0..n).map(|n| items(1, 2 * n + 1)))
        }),
        row("worst Close", "{n} channels with items are closed", CHANNELS, Answer::Fine, |n| {
            full((0..n).map(|n| frame(raw::CLOSE).var(1).var(2 * n + 1).var(0)))
        }),
        row("worst Reset", "{n} channels with items are reset", CHANNELS, Answer::Fine, |n| {
            full((0..n).map(|n| frame(raw::RESET).var(1).var(2 * n + 1).u8(0).var(0)))
        }),
        row("worst Long, Part, Forget", "{n} long calls begin and are forgotten", FREE, Answer::Fine, |n| {
            let begun = |n| [long(n + 1, 4 << 20, free(n), "Prey.blob"), part(n + 1, &[7]), forget(n + 1)];
            full((0..n).flat_map(begun))
        }),
        row("worst Open, refused", "{n} connection to no service", 1, Answer::Fine, |n| {
            full((0..n).map(|n| open(33 + 2 * n, "Hare")))
        }),
        row("worst Shut", "{n} connections are shut, each full", CONNECTIONS - 1, Answer::Fine, |n| {
            full((0..n).map(|n| frame(raw::SHUT).var(2 * n + 3)))
        }),
    ]
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
