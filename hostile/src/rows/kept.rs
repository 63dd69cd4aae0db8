//! What a peer makes a server keep by many messages, each of which is within its limits: `session_memory` bounds it.

use super::channels::{items_of, open};
use super::messages::{long, part, varint};
use super::sessions::big;
use std::time::Duration;

use crate::answer::Answer;
use crate::attack::{Attack, Seen};
use crate::peers::{join, measured, send};
use crate::raw::{self, Frame, call, frame};
use crate::row::{Local, Row, STOCK};
use crate::victim::Victim;

/// The error `Busy`, by its number in the protocol.
const BUSY: u8 = 3;

pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row::scene("session_memory (here 4 MiB)", "{n} calls of 64 KiB that run", calls)
            .with(|setting| setting.limits.session_memory = 4 << 20)
            .case("under", 60, Answer::Fine)
            .case("over", 70, Answer::Failed(BUSY)),
        Row::scene("server_memory (here 8 MiB)", "{n} sessions with 16 calls of 64 KiB that run", crowd)
            .with(|setting| setting.limits.server_memory = 8 << 20)
            .case("under", 7, Answer::Fine)
            .case("over", 10, Answer::Failed(BUSY)),
        Row::frames("bytes of arguments", "{n} calls of 1 MiB that run, in parts", arguments)
            .case("under", 40, Answer::Fine)
            .case("over", 128, Answer::Failed(BUSY))
            .leaves(STOCK),
        Row::frames("bytes of arguments, in long frames", "{n} calls of 1 MiB that run, in a frame each", in_frames)
            .case("under", 40, Answer::Fine)
            .case("over", 128, Answer::Violation(2)),
        Row::scene("bytes of replies", "{n} replies of 1 MiB, read and never acknowledged", replies)
            .case("", 80, Answer::Waits)
            .leaves(STOCK),
        Row::scene("outbox_long_bytes", "{n} calls for 1 MiB each, no reply read", unread)
            .case("under", 10, Answer::Fine)
            .case("over", 128, Answer::Fine)
            .leaves(STOCK),
        Row::frames("bytes of items", "full windows of 256 channels on each of {n} connections", windows)
            .case("", 6, Answer::Failed(BUSY))
            .leaves(STOCK),
        Row::frames("charge per item", "256 channels, each with 4,096 items of a byte, on {n} connections", small)
            .case("under", 1, Answer::Fine)
            .case("over", 2, Answer::Failed(BUSY)),
        Row::scene(
            "bytes of contracts",
            "contracts of 240 KB on each of {n} connections, and calls by them",
            contracts,
        )
        .case("under", 5, Answer::Fine)
        .case("over", 15, Answer::Failed(BUSY))
        .slow("a contract of 256 KiB is read and hashed"),
    ]
}

/// Calls of 64 KiB whose handlers do not end.
fn held(n: u64) -> impl Iterator<Item = Frame> {
    let mut bytes = varint(64 << 10);
    bytes.resize(bytes.len() + (64 << 10), 7);
    (0..n).map(move |n| call(1, 2 * n + 1, "Prey.hold", &bytes))
}

fn calls(victim: &Victim, n: u64) -> Local<'_, Seen> {
    Box::pin(measured(victim, n, async move {
        match join(victim).await {
            Ok(mut raw) => send(&mut raw, held(n), 0).await,
            Err(answer) => answer,
        }
    }))
}

fn crowd(victim: &Victim, n: u64) -> Local<'_, Seen> {
    Box::pin(measured(victim, 16 * n, async move {
        let (mut raws, mut answer) = (Vec::new(), Answer::Fine);
        for _ in 0..n {
            let Ok(mut raw) = join(victim).await else { return Answer::Closed };
            answer = send(&mut raw, held(16), 0).await;
            raws.push(raw);
        }
        answer
    }))
}

fn mebibyte() -> Vec<u8> {
    let mut bytes = varint(1 << 20);
    bytes.resize(bytes.len() + (1 << 20), 7);
    bytes
}

fn arguments(n: u64) -> Attack {
    let bytes = mebibyte();
    let call = |n: u64| {
        let begun = long(n + 1, bytes.len() as u64, 2 * n + 1, "Prey.hold");
        std::iter::once(begun).chain(bytes.chunks(256 << 10).map(move |bytes| part(n + 1, bytes)))
    };
    Attack::of((0..n).flat_map(call))
}

fn in_frames(n: u64) -> Attack {
    let bytes = mebibyte();
    Attack::of((0..n).map(|n| call(1, 2 * n + 1, "Prey.hold", &bytes)))
}

/// On each of so many connections 256 channels that nobody takes, and on each of these what `fill` sends.
fn channels(n: u64, fill: fn(u64, u64) -> Frame) -> Attack {
    let ids: Vec<_> = (0..256).map(|n| (2 * n + 1, 0)).collect();
    let connections = || (0..n).map(|n| 2 * n + 1);
    let opens = connections().skip(1).map(|id| open(id, "Prey"));
    let full = |connection: u64| {
        let call = frame(raw::CALL).var(connection).var(1).method("Prey.sit_on").u8(4).var(256);
        let call = ids.iter().fold(call, |call, (id, direction)| call.var(*id).u8(*direction)).u8(0);
        std::iter::once(call).chain((0..256).map(move |n| fill(connection, 2 * n + 1)))
    };
    Attack::of(connections().flat_map(full).collect::<Vec<_>>()).after(opens)
}

fn windows(n: u64) -> Attack {
    channels(n, |connection, channel| frame(raw::ITEMS).var(connection).var(channel).var(65_535).bytes(&[7; 65_535]))
}

/// As many items as the windows let through. They are small, and each counts for what it takes.
fn small(n: u64) -> Attack {
    channels(n, |connection, channel| items_of(connection, channel, 4_096))
}

/// What a contract describes of 54 arguments is compiled, so that a call can pass over them.
fn contracts(victim: &Victim, n: u64) -> Local<'_, Seen> {
    Box::pin(measured(victim, n, async move {
        let mut raw = match join(victim).await {
            Ok(raw) => raw,
            Err(answer) => return answer,
        };
        let mut last = Answer::Fine;
        for connection in (0..n).map(|n| 2 * n + 3) {
            let contract = raw::bulky_contract(("Prey.echo", "n"), connection, 54);
            let open = raw::open_by(connection, "Prey", &contract);
            let call = call(connection, 2 * connection + 1, "Prey.echo", &[&[5][..], &[0; 32 * 54]].concat());
            // Of the answers to a connection that differs one is a contract, which `hear` passes over.
            last = send(&mut raw, [open], 0).await;
            if last == Answer::Fine {
                last = send(&mut raw, [raw::contract_on(connection, &contract), call], 1).await;
            }
        }
        last
    }))
}

fn replies(victim: &Victim, n: u64) -> Local<'_, Seen> {
    Box::pin(measured(victim, n, async move {
        let (mut raw, _) = match crate::peers::resumable(victim).await {
            Ok(joined) => joined,
            Err(answer) => return answer,
        };
        let calls: Vec<u8> = (0..n).flat_map(|n| big(2 * n + 1, 1 << 20).wire()).collect();
        raw.try_write(&calls).await;
        let mut answered = 0;
        while answered < n {
            match tokio::time::timeout(Duration::from_millis(500), raw.read()).await {
                Ok(Some(read)) if read.kind == raw::VIOLATION => return Answer::Violation(read.body[0]),
                Ok(Some(read)) => answered += u64::from(read.kind == raw::REPLY),
                Ok(None) => return Answer::Closed,
                Err(_) => return Answer::Waits,
            }
        }
        Answer::Fine
    }))
}

fn unread(victim: &Victim, n: u64) -> Local<'_, Seen> {
    Box::pin(measured(victim, n, async move {
        let mut raw = match join(victim).await {
            Ok(raw) => raw,
            Err(answer) => return answer,
        };
        let calls: Vec<u8> = (0..n).flat_map(|n| big(2 * n + 1, 1 << 20).wire()).collect();
        raw.try_write(&calls).await;
        // As long as it makes the server's memory grow.
        let mut last = victim.meter.live();
        loop {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let live = victim.meter.live();
            if live == last {
                break;
            }
            last = live;
        }
        send(&mut raw, [], n as usize).await
    }))
}
