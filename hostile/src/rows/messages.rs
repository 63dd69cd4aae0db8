//! How long messages are, how much they decode to, and what goes along with them.

use crate::answer::Answer;
use crate::attack::Attack;
use crate::raw::{self, Frame, call, frame};
use crate::row::{Row, STOCK};

const MIB: u64 = 1 << 20;

pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row::frames("max_message_bytes, one frame", "a call in a frame of {n} bytes", one_frame)
            .bound(4 * MIB, Answer::Violation(2))
            .slow("a message of 4 MiB is decoded"),
        Row::frames("max_message_bytes, in parts", "a call whose payload has {n} bytes, in parts", in_parts)
            .bound(4 * MIB, Answer::Violation(2))
            .leaves(STOCK)
            .slow("a message of 4 MiB is decoded"),
        Row::frames("a part of a message", "a part of {n} bytes", one_part)
            .bound(MIB + (4 << 10), Answer::Violation(17))
            .leaves(STOCK),
        Row::frames("max_partial_messages", "{n} long calls begun", partial_messages).bound(32, Answer::Violation(18)),
        Row::frames("max_partial_bytes", "long calls begun of {n} bytes in all", partial_bytes)
            .bound(20 * MIB, Answer::Violation(18)),
        Row::frames("long messages for nobody (here 256)", "{n} long calls of a connection that was shut", strays)
            .with(|setting| {
                let limits = &mut setting.limits;
                (limits.max_connections, limits.max_calls, limits.max_channels) = (4, 16, 16);
            })
            .bound(256, Answer::Violation(18))
            .memory(1 << 20),
        // Each takes 24 bytes, half as much again while the list grows, and one of the message, which counts as well: 64 MiB.
        Row::frames("max_decoded_bytes, alone", "a list of {n} empty texts, alone in its session", texts)
            .bound(1_813_696, Answer::Failed(3))
            .slow("64 MiB are decoded"),
        Row::frames("max_decoded_bytes (here 36 MiB)", "a list of {n} empty texts", texts)
            .with(|setting| setting.limits.max_decoded_bytes = 36 << 20)
            .bound(1 << 20, Answer::Failed(2))
            .slow("36 MiB are decoded"),
        Row::frames("items of no bytes", "a list of {n} units", units).bound(65_536, Answer::Failed(2)),
        Row::frames("max_depth", "a value that is nested {n} times, two levels each", nest)
            .bound(64, Answer::Failed(2)),
        Row::frames("metadata, entries", "a call with {n} entries of metadata", entries)
            .bound(64, Answer::Violation(14)),
        Row::frames("metadata, bytes", "a call with {n} bytes of metadata", metadata_bytes)
            .bound(8 << 10, Answer::Violation(14)),
        Row::frames("metadata, a key", "a call with a key of {n} bytes", key).bound(128, Answer::Violation(14)),
        Row::frames("max_handshake_bytes", "a hello of {n} bytes", hello).bound(16 << 10, Answer::Closed),
    ]
}

/// A byte string of so many bytes, as an argument.
fn blob(len: u64) -> Vec<u8> {
    let mut bytes = varint(len);
    bytes.resize(bytes.len() + len as usize, 7);
    bytes
}

pub(crate) fn varint(n: u64) -> Vec<u8> {
    let wire = frame(0).var(n).wire();
    wire[5..].to_vec()
}

/// What a frame of a call has before its arguments, the kind included, and what its length takes.
const HEAD: u64 = 12;
const LENGTH: u64 = 4;

fn one_frame(n: u64) -> Attack {
    if n > 4 * MIB {
        // Its header alone: nothing of it may be waited for.
        return Attack::bytes([&(n as u32).to_le_bytes()[..], &[raw::CALL]].concat());
    }
    Attack::of([call(1, 1, "Prey.blob", &blob(n - HEAD - LENGTH))]).answered(1)
}

/// Announces a call.
pub(crate) fn long(number: u64, total: u64, request: u64, method: &str) -> Frame {
    frame(raw::LONG).var(number).var(total).u8(raw::CALL).var(1).var(request).method(method).u8(0)
}

pub(crate) fn part(number: u64, bytes: &[u8]) -> Frame {
    frame(raw::PART).var(number).bytes(bytes)
}

fn in_parts(n: u64) -> Attack {
    let announced = long(1, n, 1, "Prey.blob");
    if n > 4 * MIB {
        return Attack::of([announced]);
    }
    let payload = blob(n - LENGTH);
    let parts = payload.chunks(64 << 10).map(|bytes| part(1, bytes));
    Attack::of([announced].into_iter().chain(parts)).answered(1)
}

fn one_part(n: u64) -> Attack {
    Attack::of([part(1, &vec![7; n as usize])]).after([long(1, 4 * MIB, 1, "Prey.blob")])
}

fn partial_messages(n: u64) -> Attack {
    Attack::of((1..=n).flat_map(|n| [long(n, 1_000, 2 * n - 1, "Prey.blob"), part(n, &[7])]))
}

fn partial_bytes(n: u64) -> Attack {
    let most = 4 * MIB - 1_024;
    let totals = [most, most, most, most, most, n - 5 * most];
    let begun = (1..).zip(totals);
    Attack::of(begun.flat_map(|(n, total)| [long(n, total, 2 * n - 1, "Prey.blob"), part(n, &[7])]))
}

/// Each with 6 KiB of metadata.
fn strays(n: u64) -> Attack {
    let values: Vec<_> = (0..60).map(|n| (format!("{n}"), "v".repeat(100))).collect();
    let entries: Vec<_> = values.iter().map(|(key, value)| (key.as_str(), 0, value.as_str())).collect();
    let announced = |n: u64| {
        let head = frame(raw::LONG).var(n).var(1_000).u8(raw::CALL).var(3).var(2 * n + 1).method("Prey.blob");
        head.u8(2).metadata(&entries)
    };
    Attack::of((1..=n).map(announced)).after([raw::open_with(3, "Prey", &[])]).after([frame(raw::SHUT).var(3)])
}

fn texts(n: u64) -> Attack {
    let mut arguments = varint(n);
    arguments.resize(arguments.len() + n as usize, 0);
    Attack::of([call(1, 1, "Prey.texts", &arguments)]).answered(1)
}

fn units(n: u64) -> Attack {
    Attack::of([call(1, 1, "Prey.units", &varint(n))]).answered(1)
}

fn nest(n: u64) -> Attack {
    let mut arguments = vec![1; n as usize];
    arguments.push(0);
    Attack::of([call(1, 1, "Prey.nest", &arguments)]).answered(1)
}

fn with_metadata(metadata: &[(&str, u8, &str)]) -> Attack {
    let call = frame(raw::CALL).var(1).var(1).method("Prey.echo").u8(2).metadata(metadata).u8(7);
    Attack::of([call]).answered(1)
}

fn entries(n: u64) -> Attack {
    with_metadata(&vec![("k", 0, "v"); n as usize])
}

fn metadata_bytes(n: u64) -> Attack {
    with_metadata(&[("k", 0, &"v".repeat(n as usize - 1))])
}

fn key(n: u64) -> Attack {
    with_metadata(&[(&"k".repeat(n as usize), 0, "v")])
}

fn hello(n: u64) -> Attack {
    let hello = raw::hello(Some("Prey"), raw::LIMITS);
    let length = hello.wire().len() as u64 - 4;
    // What follows the last field is a later version's.
    let padded = hello.bytes(&vec![0; (n - length) as usize]);
    Attack { hello: padded.wire(), ..Attack::of([]) }
}
