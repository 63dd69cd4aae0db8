//! How many calls, connections and channels there are, and what goes over them.

use crate::answer::Answer;
use crate::attack::Attack;
use crate::raw::{self, Frame, call, call_with, frame};
use crate::row::Row;

pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row::frames("max_calls", "{n} calls that do not end", calls).bound(128, Answer::Violation(5)),
        Row::frames("max_connections", "{n} connections", connections).bound(16, Answer::Violation(6)),
        Row::frames("max_channels", "{n} channels", channels).bound(256, Answer::Violation(7)),
        Row::frames("channel_items", "{n} items that nobody takes", items).bound(4096, Answer::Violation(8)),
        Row::frames("channel_bytes", "an item of {n} bytes and another", item_bytes)
            .bound((64 << 10) - 1, Answer::Violation(8)),
        Row::frames("max_channel_bytes (here 64 KiB)", "an item of {n} bytes and another", item_bytes)
            .with(|setting| setting.limits.max_channel_bytes = 64 << 10)
            .bound((64 << 10) - 1, Answer::Violation(8)),
        Row::frames("credit", "a grant of {n} items", credit).bound(1 << 31, Answer::Violation(9)),
    ]
}

fn calls(n: u64) -> Attack {
    Attack::of((0..n).map(|n| call(1, 2 * n + 1, "Prey.wait", &[])))
}

pub(crate) fn open(id: u64, service: &str) -> Frame {
    raw::open_with(id, service, &[])
}

fn connections(n: u64) -> Attack {
    // The first is the handshake's.
    Attack::of((1..n).map(|n| open(2 * n + 1, "Prey")))
}

fn channels(n: u64) -> Attack {
    let channels: Vec<_> = (0..n).map(|n| (2 * n + 1, 0)).collect();
    Attack::of([call_with(1, 1, "Prey.sit_on", &channels, &[0])])
}

/// A call whose handler holds on to the receiver of channel 1, so that nothing is consumed.
pub(super) fn held() -> Frame {
    call_with(1, 1, "Prey.sit_on", &[(1, 0)], &[0])
}

pub(super) fn items_of(connection: u64, channel: u64, count: u64) -> Frame {
    (0..count).fold(frame(raw::ITEMS).var(connection).var(channel), |items, _| items.var(1).var(7))
}

fn items(n: u64) -> Attack {
    Attack::of((0..n).map(|_| items_of(1, 1, 1))).after([held()])
}

fn item_bytes(n: u64) -> Attack {
    let first = frame(raw::ITEMS).var(1).var(1).var(n).bytes(&vec![7; n as usize]);
    Attack::of([first, items_of(1, 1, 1)]).after([held()])
}

fn credit(n: u64) -> Attack {
    let mut limits = raw::LIMITS;
    // Once the one item has left there is no credit.
    limits[4] = 1;
    let grant = frame(raw::CREDIT).var(1).var(1).var(n).var(1);
    let attack = Attack::of([grant]).after([call_with(1, 1, "Prey.pour", &[(1, 1)], &[5, 0])]);
    Attack { hello: raw::hello(Some("Prey"), limits).wire(), ..attack }
}
