//! What one frame costs, counted in the entries of tables that are looked at: however much the peer has built up, no more than a look-up
//! or two, and what the frame itself carries or ends.

use super::testing::{Bench, OURS, THEIRS, call, items, long_call, part, two_of_each};
use super::visits::visits;
use super::{HandlerEnd, Output, Token, WaitingRequests};
use crate::error::{Rule, Scarce, Short};
use crate::ids::{ChannelId, RequestId};
use crate::limits::Limits;
use crate::metadata::Metadata;
use crate::wire::{ChannelDirection, Failure, Frame, LongHead, Reset, WHOLE};
use ChannelDirection::{CallerSends, HandlerSends};

/// Channels of each call.
const EACH: usize = 4;

/// A session with so many calls each way that wait, each with channels: of the peer's one was ended, one was reset, and two are open; nobody
/// has taken one up. And with long replies that have not left.
fn with_calls(calls: usize) -> Bench {
    let limits = Limits {
        max_calls: 2 * calls,
        max_channels: 2 * EACH * calls,
        outbox_bytes: usize::MAX,
        replay_bytes: usize::MAX,
        ..two_of_each()
    };
    let mut bench = Bench::new(limits);
    for n in 0..calls as u64 {
        let first = 1 + 2 * EACH as u64 * n;
        let channels =
            [(first, CallerSends), (first + 2, HandlerSends), (first + 4, CallerSends), (first + 6, HandlerSends)];
        bench.accept(call(THEIRS, 1 + 2 * n, &channels));
        bench.accept(items(THEIRS, first, &[1]));
        bench.accept(Frame::Close { connection: THEIRS, channel: ChannelId(first), metadata: Metadata::new() });
        bench.accept(Frame::Reset { connection: THEIRS, channel: ChannelId(first + 2), why: Reset::Gone });
        bench.call(n, &[CallerSends, HandlerSends]);
    }
    for n in 0..calls as u64 / 4 {
        let request = RequestId(1 + 8 * n);
        bench.change(|session| {
            let mut payload = vec![0; WHOLE + 1].into();
            session.handler_ended(THEIRS, request, HandlerEnd::Returned(&mut payload));
        });
    }
    bench.write_parts(0);
    bench
}

/// What is measured, in a session with so many calls.
type Measured = (&'static str, fn(&mut Bench, u64));

/// In the middle of everything: a request that still runs, and the first of its channels.
fn middle(calls: u64) -> (u64, u64) {
    let n = calls / 2 + 1;
    (1 + 2 * n, 1 + 2 * EACH as u64 * n)
}

const FRAMES: &[Measured] = &[
    ("a call with a channel", |bench, calls| {
        bench.accept(call(THEIRS, 4 * calls + 1, &[(16 * calls + 1, CallerSends)]))
    }),
    ("a long call", |bench, calls| bench.accept(long_call(1, 2000, 4 * calls + 1, &[(16 * calls + 1, CallerSends)]))),
    ("a long call that is forgotten", |bench, calls| {
        bench.accept(long_call(1, 2000, 4 * calls + 1, &[(16 * calls + 1, CallerSends)]));
        bench.accept(part(1, 1000));
        bench.accept(Frame::Forget { number: 1 });
    }),
    ("a call that is cancelled", |bench, calls| {
        let request = RequestId(middle(calls).0);
        bench.accept(Frame::Cancel { connection: THEIRS, request });
        bench.change(|session| session.handler_ended(THEIRS, request, HandlerEnd::Aborted));
    }),
    ("a cancel of a call whose handler waits to be started", |bench, calls| {
        let mut waiting = WaitingRequests::default();
        for output in bench.outputs.drain(..) {
            if let Output::Dispatch(request) = output {
                waiting.push(request);
            }
        }
        let request = RequestId(middle(calls).0);
        bench.accept(Frame::Cancel { connection: THEIRS, request });
        let Some(Output::AbortHandler { nth, .. }) = bench.outputs.last() else { panic!("{:?}", bench.outputs) };
        let waited = waiting.take(*nth).expect("it waits");
        assert_eq!(waited.request, request);
    }),
    ("items", |bench, calls| bench.accept(items(THEIRS, middle(calls).1 + 4, &[1]))),
    ("a close", |bench, calls| {
        let channel = ChannelId(middle(calls).1 + 4);
        bench.accept(Frame::Close { connection: THEIRS, channel, metadata: Metadata::new() });
    }),
    ("a reset", |bench, calls| {
        let channel = ChannelId(middle(calls).1 + 6);
        bench.accept(Frame::Reset { connection: THEIRS, channel, why: Reset::Gone });
    }),
    ("credit", |bench, calls| {
        let channel = ChannelId(middle(calls).1 + 6);
        bench.accept(Frame::Credit { connection: THEIRS, channel, items: 1, bytes: 1 });
    }),
    ("a reply", |bench, calls| {
        let request = RequestId(2 * (calls / 2));
        bench.accept(Frame::Reply { connection: OURS, request, payload: vec![0, 0].into() });
    }),
    ("a long reply", |bench, calls| {
        let request = RequestId(2 * (calls / 2));
        bench.accept(Frame::Long { number: 1, total: 10, head: LongHead::Reply { connection: OURS, request } });
        bench.accept(part(1, 10));
    }),
    ("an end of our half", |bench, calls| {
        bench.change(|session| session.reset_channel(OURS, ChannelId(2 * (calls / 2)), Reset::Gone));
    }),
    ("a ping", |bench, _| bench.accept(Frame::Ping { nonce: 1 })),
    ("an open", |bench, _| bench.accept(super::testing::open(3, "nobody's"))),
];

#[test]
fn no_frame_walks_over_what_the_peer_has_built_up() {
    for (what, frame) in FRAMES {
        let [few, many] = [16, 1024].map(|calls| {
            let mut bench = with_calls(calls);
            visits(|| frame(&mut bench, calls as u64))
        });
        // A look-up is as many entries as a binary search takes.
        assert!(many <= 3 * few + 40, "{what}: {few} entries beside 16 calls, {many} beside 1,024");
    }
}

/// A call with four channels, which the peer ends after an item of ten bytes on each, and which nobody takes up.
fn four(bench: &mut Bench, request: u64) {
    let ids = [0, 1, 2, 3].map(|at| 4 * request + 2 * at - 3);
    bench.accept(call(THEIRS, request, &ids.map(|id| (id, CallerSends))));
    for id in ids {
        bench.accept(Frame::Items { connection: THEIRS, channel: ChannelId(id), items: vec![9; 10].into() });
        bench.accept(Frame::Close { connection: THEIRS, channel: ChannelId(id), metadata: Metadata::new() });
    }
}

/// What the call of this request, with this one channel, is told where too much is kept.
fn busy(request: u64, channel: u64, short: Short) -> [Frame; 2] {
    let mut payload = Vec::new();
    Failure::Busy(short).put(&mut payload);
    let reset = Frame::Reset { connection: THEIRS, channel: ChannelId(channel), why: Reset::Gone };
    [reset, Frame::Reply { connection: THEIRS, request: RequestId(request), payload: payload.into() }]
}

/// Those who end channels that nobody takes up make no room for others without bound. An honest peer cannot know, so it is told to try
/// again.
// proves: channel.ended.room
#[test]
fn what_is_kept_of_channels_that_ended_is_bounded_in_bytes() {
    // Four windows of sixteen bytes: eight runs of ten are more.
    let limits = Limits { max_calls: 100, max_channels: 4, channel_bytes: 16, ..two_of_each() };
    let full = || {
        let mut bench = Bench::new(limits.clone());
        four(&mut bench, 1);
        four(&mut bench, 3);
        assert_eq!(bench.sent(), []);
        bench
    };
    let mut bench = full();
    bench.accept(call(THEIRS, 5, &[(17, CallerSends)]));
    assert_eq!(bench.sent(), busy(5, 17, Short::new(Scarce::EndedItems, 80 + 16, 64)));
    // What it had sent already is dropped, as on any channel that is gone.
    bench.accept(items(THEIRS, 17, &[1]));
    bench.accept(Frame::Close { connection: THEIRS, channel: ChannelId(17), metadata: Metadata::new() });
    // The same of a call in parts, once it is whole.
    let mut bench = full();
    bench.accept(long_call(1, 20, 5, &[(17, CallerSends)]));
    assert_eq!(bench.sent(), []);
    bench.accept(part(1, 20));
    assert_eq!(bench.sent(), busy(5, 17, Short::new(Scarce::EndedItems, 80 + 16, 64)));
    bench.accept(long_call(2, 20, 7, &[(19, CallerSends)]));
    bench.accept(Frame::Forget { number: 2 });
    let reset = Frame::Reset { connection: THEIRS, channel: ChannelId(19), why: Reset::Gone };
    assert_eq!(bench.sent(), [reset]);
    // Taken up, it is gone, and there is room; so there is when its call is over.
    let mut bench = full();
    for id in [1, 3] {
        bench.change(|session| session.bind(THEIRS, ChannelId(id), Token(id)));
    }
    bench.accept(call(THEIRS, 5, &[(17, CallerSends)]));
    assert_eq!(bench.sent(), []);
    let mut bench = full();
    bench.returns(THEIRS, 1);
    bench.accept(call(THEIRS, 5, &[17, 19, 21, 23].map(|id| (id, CallerSends))));
    assert!(matches!(bench.outputs.last(), Some(Output::Dispatch(_))));
    let violation = bench.receive(&call(THEIRS, 7, &[(25, CallerSends)])).expect_err("four are open");
    assert_eq!(violation.rule, Rule::TooManyChannels);
}

// proves: channel.ended.room
#[test]
fn channels_that_ended_without_items_are_bounded_in_number() {
    let limits = Limits { max_calls: 2000, max_channels: 1, ..two_of_each() };
    let mut bench = Bench::new(limits);
    for n in 0..1024 {
        let id = 2 * n + 1;
        bench.accept(call(THEIRS, id, &[(id, CallerSends)]));
        bench.accept(Frame::Reset { connection: THEIRS, channel: ChannelId(id), why: Reset::Gone });
    }
    assert_eq!(bench.sent(), []);
    bench.accept(call(THEIRS, 2049, &[(2049, CallerSends)]));
    assert_eq!(bench.sent(), busy(2049, 2049, Short::new(Scarce::EndedChannels, 1025, 1024)));
}
