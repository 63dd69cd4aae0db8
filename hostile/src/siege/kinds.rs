//! What each of a thousand clients does to make the server keep as much as it can.

use std::ops::Range;

use crate::raw::{self, Frame, call, frame};
use crate::rows::{long, open, part, varint};

const KIB: u64 = 1 << 10;

/// How a client goes about it, once it has a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// It reads what comes, and says that it is there.
    Reads,
    /// It reads what comes, and says no more.
    Quiet,
    /// It reads nothing.
    NeverReads,
    /// It reads what comes, and loses its link once it has said all.
    Leaves,
    /// It says half a hello.
    Stays,
}

/// A kind of client.
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) sends: &'static str,
    pub(super) manner: Manner,
    /// What the client of this number sends first.
    pub(super) hello: fn() -> Frame,
    /// What it sends then, piece by piece, until there is no more.
    pub(super) piece: fn(usize) -> Option<Vec<u8>>,
}

/// All of them. What each sends is about twice its part of what the server may keep of a thousand.
pub(super) fn all() -> Vec<Kind> {
    let kind = |name, sends, piece| Kind { name, sends, manner: Manner::Reads, hello, piece };
    let quiet = |name, sends, piece| Kind { manner: Manner::Quiet, ..kind(name, sends, piece) };
    let never_reads = |name, sends, piece| Kind { manner: Manner::NeverReads, ..kind(name, sends, piece) };
    vec![
        kind("arguments", "8 calls of 256 KiB that run", |n| (n < 8).then(|| in_parts(n as u64))),
        kind("short arguments", "1,888 calls of 512 B that run, on 15 connections", short),
        kind("what arguments decode to", "2 lists of 40,000 empty texts, 24 times their bytes", |n| {
            let mut texts = varint(40_000);
            texts.resize(texts.len() + 40_000, 0);
            (n < 2).then(|| wire([call(1, 2 * n as u64 + 1, "Prey.hold_texts", &texts)]))
        }),
        kind("metadata", "258 calls with 8 KiB in 64 entries that run", metadata),
        kind("items", "32 windows of 64 KiB", |n| match n {
            0 => Some(wire([channels(1, 32)])),
            n => (n <= 32).then(|| {
                let channel = 2 * n as u64 - 1;
                wire([frame(raw::ITEMS).var(1).var(channel).var(65_535).bytes(&[7; 65_535])])
            }),
        }),
        kind("short items", "72 windows of 256 items of a byte", |n| match n {
            0 => Some(wire([channels(1, 72)])),
            n => (n <= 72).then(|| {
                let channel = 2 * n as u64 - 1;
                wire((0..256).map(|_| frame(raw::ITEMS).var(1).var(channel).var(1).var(7)))
            }),
        }),
        kind("channels", "256 channels with nothing in them on each of 16 connections", |n| {
            (n <= 16).then(|| match n as u64 {
                0 => opens(15),
                n => wire([channels(2 * n - 1, 256)]),
            })
        }),
        quiet("frames without an end", "2 MiB of a frame of 4", |n| {
            let begun = [&(4u32 << 20).to_le_bytes()[..], &held(0, 64 * KIB).wire()[4..]].concat();
            (n < 32).then(|| if n == 0 { begun } else { vec![7; 64 << 10] })
        }),
        quiet(
            "parts that nobody wants",
            "5 calls of 256 KiB that run, and a part but for a byte of one of 4 MiB",
            |n| match n {
                0..5 => Some(in_parts(n as u64)),
                5 => Some(wire([long(9, 4 << 20, 21, "Prey.hold"), part(9, &[7])])),
                6 => Some([&(1u32 << 20).to_le_bytes()[..], &[raw::PART, 9]].concat()),
                n => (n < 23).then(|| vec![7; if n < 22 { 64 << 10 } else { (64 << 10) - 3 }]),
            },
        ),
        kind("messages without an end", "8 calls of 256 KiB, but for a byte", |n| {
            let number = n as u64 + 1;
            (n < 8).then(|| {
                let begun = long(number, 256 * KIB + 3, 2 * number - 1, "Prey.hold");
                let parts = (0..4).map(|_| part(number, &[7; 64 << 10]));
                wire(std::iter::once(begun).chain(parts))
            })
        }),
        never_reads("replies that are not read", "calls for 8 replies of 256 KiB", |n| {
            (n < 8).then(|| wire([big(n as u64, 256 * KIB)]))
        }),
        never_reads("short replies that are not read", "calls for 128 replies of 16 KiB", |n| {
            (n < 8).then(|| wire((16 * n as u64..16 * n as u64 + 16).map(|n| big(n, 16 * KIB))))
        }),
        Kind {
            hello: resumable,
            ..kind("replies that are not acknowledged", "calls for 8 replies of 256 KiB", |n| {
                (n < 8).then(|| wire([big(n as u64, 256 * KIB)]))
            })
        },
        Kind {
            manner: Manner::Leaves,
            hello: resumable,
            ..kind("sessions without a link", "4 calls of 256 KiB that run, and calls for 4 such replies", |n| {
                let n = n as u64;
                (n < 8).then(|| if n.is_multiple_of(2) { in_parts(n) } else { wire([big(n, 256 * KIB)]) })
            })
        },
        Kind {
            manner: Manner::Stays,
            ..kind("handshakes", "15 KiB of a hello of 16", |n| {
                (n < 1).then(|| [&(16u32 << 10).to_le_bytes()[..], &[raw::HELLO; 15 << 10]].concat())
            })
        },
    ]
}

fn hello() -> Frame {
    raw::hello(Some("Prey"), raw::LIMITS)
}

fn resumable() -> Frame {
    raw::resumable_hello("Prey", raw::LIMITS)
}

fn wire(frames: impl IntoIterator<Item = Frame>) -> Vec<u8> {
    frames.into_iter().flat_map(|frame| frame.wire()).collect()
}

/// The call of this number, with so many bytes, whose handler keeps them and does not end.
fn held_on(connection: u64, n: u64, bytes: u64) -> Frame {
    let mut arguments = varint(bytes);
    arguments.resize(arguments.len() + bytes as usize, 7);
    call(connection, 2 * n + 1, "Prey.hold", &arguments)
}

pub(super) fn held(n: u64, bytes: u64) -> Frame {
    held_on(1, n, bytes)
}

/// As [`held`], of 256 KiB.
fn in_parts(n: u64) -> Vec<u8> {
    let payload = [&varint(256 * KIB)[..], &[7; 256 << 10]].concat();
    let begun = long(n + 1, payload.len() as u64, 2 * n + 1, "Prey.hold");
    wire(std::iter::once(begun).chain(payload.chunks(64 << 10).map(|bytes| part(n + 1, bytes))))
}

/// The call of this number, for so many bytes.
fn big(n: u64, bytes: u64) -> Frame {
    call(1, 2 * n + 1, "Prey.big", &varint(bytes))
}

/// Asks for so many connections.
fn opens(count: u64) -> Vec<u8> {
    wire((1..=count).map(|n| open(2 * n + 1, "Prey")))
}

fn short(n: usize) -> Option<Vec<u8>> {
    // The first connection has room for calls that are made later.
    let calls: Range<u64> = if n == 1 { 0..96 } else { 0..128 };
    (n <= 15).then(|| match n as u64 {
        0 => opens(14),
        n => wire(calls.map(|call| held_on(2 * n - 1, call, 512))),
    })
}

fn metadata(n: usize) -> Option<Vec<u8>> {
    let value = "v".repeat(120);
    let entries: Vec<_> = (0..64).map(|_| ("key", 0, &value[..])).collect();
    let call = |connection: u64, n: u64| {
        let call = frame(raw::CALL).var(connection).var(2 * n + 1).method("Prey.wait").u8(2);
        call.metadata(&entries)
    };
    (n <= 3).then(|| match n as u64 {
        0 => opens(2),
        n => wire((0..86).map(|at| call(2 * n - 1, at))),
    })
}

/// Call 1 of a connection, with so many channels that its handler leaves alone.
fn channels(connection: u64, count: u64) -> Frame {
    let channels: Vec<_> = (0..count).map(|n| (2 * n + 1, 0)).collect();
    raw::call_with(connection, 1, "Prey.sit_on", &channels, &[0])
}
