//! What is kept because of the peer is charged as long as it is kept, and no longer; and what comes of too much.

use super::ledger::{ITEM, REQUEST};
use super::testing::{Bench, OURS, PERSIST, THEIRS, call, call_of, long_call, open, part, two_of_each};
use super::{HandlerEnd, Output, Token};
use crate::ids::{ChannelId, ConnectionId, RequestId};
use crate::limits::Limits;
use crate::metadata::Metadata;
use crate::wire::{ChannelDirection, Failure, Frame, Reset, WHOLE};
use ChannelDirection::CallerSends;

fn limits(session_memory: usize) -> Limits {
    Limits {
        max_calls: 100,
        max_channels: 100,
        channel_items: 100,
        channel_bytes: 1000,
        session_memory,
        ..two_of_each()
    }
}

/// A call of the peer's with arguments of so many bytes.
fn call_with(request: u64, len: usize) -> Frame {
    let Frame::Call { head, .. } = call(THEIRS, request, &[]) else { panic!("a call") };
    Frame::Call { head, payload: vec![7; len].into() }
}

/// What such a call is charged.
fn cost(len: usize) -> usize {
    let mut bytes = Vec::new();
    call_with(1, len).put(&mut bytes);
    REQUEST + bytes.len() - 4
}

fn dispatched(bench: &Bench) -> usize {
    bench.outputs.iter().filter(|output| matches!(output, Output::Dispatch(_))).count()
}

fn busy(request: u64) -> Frame {
    let mut payload = Vec::new();
    Failure::Busy.put(&mut payload);
    Frame::Reply { connection: THEIRS, request: RequestId(request), payload: payload.into() }
}

/// Nothing is charged, nor held.
fn is_at_rest(bench: &mut Bench) {
    bench.write();
    bench.session.check_memory();
    assert_eq!((bench.session.kept_of_peer(), bench.session.memory()), (0, 0));
}

fn run(lengths: &[usize]) -> Frame {
    let mut items = Vec::new();
    for len in lengths {
        crate::wire::put_varint(&mut items, *len as u64);
        items.resize(items.len() + len, 7);
    }
    Frame::Items { connection: THEIRS, channel: ChannelId(1), items: items.into() }
}

fn close(channel: u64) -> Frame {
    Frame::Close { connection: THEIRS, channel: ChannelId(channel), metadata: Metadata::new() }
}

#[test]
fn calls_are_taken_up_to_the_last_byte_of_the_sessions_memory_and_those_beyond_did_not_run() {
    for (room, fits) in [(2 * cost(10_000), true), (2 * cost(10_000) - 1, false)] {
        let mut bench = Bench::new(limits(room));
        bench.accept(call_with(1, 10_000));
        assert_eq!(bench.session.memory(), cost(10_000));
        bench.accept(call_with(3, 10_000));
        assert_eq!(dispatched(&bench), 1 + usize::from(fits), "in {room} bytes");
        assert_eq!(bench.sent(), if fits { vec![] } else { vec![busy(3)] });
        bench.session.check_memory();
        bench.returns(THEIRS, 1);
        bench.accept(call_with(5, 10_000 - 1));
        assert!(matches!(bench.outputs.last(), Some(Output::Dispatch(_))), "there is room again");
        (1..=5).step_by(2).for_each(|request| bench.returns(THEIRS, request));
        is_at_rest(&mut bench);
    }
}

#[test]
fn a_call_that_is_alone_always_fits() {
    let mut bench = Bench::new(limits(1));
    bench.accept(call_with(1, 10_000));
    assert_eq!(dispatched(&bench), 1);
    bench.accept(call_with(3, 0));
    assert_eq!(bench.sent(), [busy(3)]);
    bench.returns(THEIRS, 1);
    bench.write();
    bench.accept(long_call(1, 50_000, 5, &[]));
    bench.accept(part(1, 50_000));
    assert_eq!(dispatched(&bench), 2);
    bench.returns(THEIRS, 5);
    is_at_rest(&mut bench);
}

#[test]
fn a_long_call_is_charged_from_its_first_part_on() {
    let mut bench = Bench::new(limits(60_000));
    bench.accept(long_call(1, 50_000, 1, &[]));
    let head = bench.session.memory();
    assert!((REQUEST..REQUEST + 100).contains(&head), "{head}");
    bench.accept(part(1, 1));
    assert_eq!(bench.session.memory(), head + 50_000);
    bench.accept(part(1, 49_999));
    assert_eq!((bench.session.memory(), dispatched(&bench)), (head + 50_000, 1));
    // One more is refused when it is whole, and its bytes are not kept until then.
    bench.accept(long_call(2, 50_000, 3, &[]));
    bench.accept(part(2, 49_000));
    assert!(bench.session.arrivals().kept() == 0, "nobody will want it");
    bench.accept(part(2, 1000));
    assert_eq!((bench.sent(), dispatched(&bench)), (vec![busy(3)], 1));
    bench.session.check_memory();
    // What is forgotten is kept no longer.
    bench.accept(long_call(3, 50_000, 5, &[]));
    bench.accept(part(3, 1));
    bench.accept(Frame::Forget { number: 3 });
    bench.session.check_memory();
    bench.returns(THEIRS, 1);
    is_at_rest(&mut bench);
}

#[test]
fn a_cancelled_call_is_charged_until_its_handler_has_ended() {
    let mut bench = Bench::new(limits(1 << 20));
    bench.accept(call_with(1, 5000));
    bench.accept(Frame::Cancel { connection: THEIRS, request: RequestId(1) });
    assert_eq!(bench.session.kept_of_peer(), cost(5000));
    bench.change(|session| session.handler_ended(THEIRS, RequestId(1), HandlerEnd::Aborted));
    is_at_rest(&mut bench);
}

#[test]
fn handlers_that_run_on_are_charged_whatever_became_of_their_connection_and_session() {
    let ends: [fn(&mut Bench); 2] =
        [|bench| bench.accept(Frame::Shut { connection: THEIRS }), |bench| bench.change(|session| session.goodbye(""))];
    for end in ends {
        let mut bench = Bench::new(limits(1 << 20));
        bench.accept(call_with(1, 5000));
        bench.accept(call_of(PERSIST, THEIRS, 3, &[]));
        bench.accept(call_of(PERSIST, THEIRS, 5, &[]));
        bench.change(|session| session.detach(THEIRS, RequestId(3), HandlerEnd::Failed(Failure::Cancelled)));
        let kept = bench.session.kept_of_peer();
        bench.change(|session| session.unwant(THEIRS, RequestId(3)));
        end(&mut bench);
        bench.session.check_memory();
        assert_eq!(bench.session.kept_of_peer(), kept);
        for (request, of) in [(1, cost(5000)), (3, cost(0)), (5, cost(0))] {
            let before = bench.session.kept_of_peer();
            bench.change(|session| session.handler_ended(THEIRS, RequestId(request), HandlerEnd::Aborted));
            assert_eq!(before - bench.session.kept_of_peer(), of, "request {request}");
        }
        is_at_rest(&mut bench);
    }
}

/// A call with one channel, and items of 3 and 400 bytes on it.
fn with_items() -> Bench {
    let mut bench = Bench::new(limits(1 << 20));
    bench.accept(call(THEIRS, 1, &[(1, CallerSends)]));
    bench.accept(run(&[3, 400]));
    bench
}

const ITEMS: usize = 2 * ITEM + 403;

#[test]
fn items_are_charged_until_they_are_consumed() {
    let mut bench = with_items();
    let call = bench.session.kept_of_peer() - ITEMS;
    bench.change(|session| assert!(session.bind(THEIRS, ChannelId(1), Token(1))));
    assert_eq!(bench.session.kept_of_peer(), call + ITEMS);
    bench.change(|session| session.consumed(THEIRS, (ChannelId(1), Token(1)), 1, 3));
    assert_eq!(bench.session.kept_of_peer(), call + ITEM + 400);
    bench.change(|session| session.consumed(THEIRS, (ChannelId(1), Token(1)), 1, 400));
    assert_eq!(bench.session.kept_of_peer(), call);
    bench.session.check_memory();
    bench.returns(THEIRS, 1);
    bench.accept(close(1));
    is_at_rest(&mut bench);
}

#[test]
fn items_that_nobody_takes_are_charged_until_their_call_is_over() {
    for ends in [false, true] {
        let mut bench = with_items();
        if ends {
            bench.accept(close(1));
        }
        let before = bench.session.kept_of_peer();
        bench.returns(THEIRS, 1);
        assert!(before > ITEMS + REQUEST);
        is_at_rest(&mut bench);
    }
}

#[test]
fn items_of_a_channel_that_has_ended_are_charged_until_their_holder_lets_go() {
    let ends: [fn(&mut Bench); 4] = [
        |bench| bench.accept(close(1)),
        |bench| bench.accept(Frame::Reset { connection: THEIRS, channel: ChannelId(1), why: Reset::Gone }),
        |bench| bench.accept(Frame::Shut { connection: THEIRS }),
        |bench| bench.change(|session| session.goodbye("")),
    ];
    for (index, end) in ends.iter().enumerate() {
        for before in [false, true] {
            // Taken up before it ended, or after.
            let mut bench = with_items();
            if !before && index >= 2 {
                continue;
            }
            if before {
                bench.change(|session| session.bind(THEIRS, ChannelId(1), Token(1)));
            }
            end(&mut bench);
            if !before {
                bench.change(|session| session.bind(THEIRS, ChannelId(1), Token(1)));
            }
            bench.change(|session| session.handler_ended(THEIRS, RequestId(1), HandlerEnd::Aborted));
            bench.session.check_memory();
            assert_eq!(bench.session.kept_of_peer(), ITEMS, "end {index}");
            bench.change(|session| session.consumed(THEIRS, (ChannelId(1), Token(1)), 1, 3));
            assert_eq!(bench.session.kept_of_peer(), ITEM + 400, "end {index}");
            bench.session.check_memory();
            bench.change(|session| session.let_go(Token(1)));
            is_at_rest(&mut bench);
        }
    }
}

#[test]
fn a_receiver_that_is_dropped_keeps_nothing() {
    let mut bench = with_items();
    bench.change(|session| session.bind(THEIRS, ChannelId(1), Token(1)));
    bench.change(|session| session.reset_channel(THEIRS, ChannelId(1), Reset::Gone));
    bench.returns(THEIRS, 1);
    is_at_rest(&mut bench);
}

#[test]
fn replies_are_held_until_they_are_written_or_acknowledged() {
    let reply = |bench: &mut Bench, len: usize| {
        bench.accept(call_with(1, 0));
        let mut payload = vec![0; len].into();
        bench.change(|session| session.handler_ended(THEIRS, RequestId(1), HandlerEnd::Returned(&mut payload)));
    };
    for len in [100, WHOLE + 1000] {
        let mut bench = Bench::new(limits(1 << 20));
        reply(&mut bench, len);
        assert!((len..len + 100).contains(&bench.session.memory()), "{} for {len}", bench.session.memory());
        is_at_rest(&mut bench);

        let mut bench = Bench::resumable(limits(1 << 20));
        reply(&mut bench, len);
        bench.write();
        let held = bench.session.memory();
        assert!((len..len + 200).contains(&held), "{held} for {len}");
        let taken = bench.session.outbox().taken();
        bench.accept(Frame::Ack { received: taken - 10 });
        assert_eq!(bench.session.memory(), 10);
        bench.accept(Frame::Ack { received: taken });
        is_at_rest(&mut bench);
    }
}

/// A client that sends much is served all the same.
#[test]
fn calls_of_this_ends_own_do_not_count() {
    let mut bench = Bench::new(limits(100_000));
    bench.call_with(1, &[], None, 3 << 20);
    bench.accept(call_with(1, 10));
    bench.accept(call_with(3, 10));
    assert_eq!(dispatched(&bench), 2);
    bench.change(|session| session.abandon(OURS, RequestId(2)));
    bench.returns(THEIRS, 1);
    bench.returns(THEIRS, 3);
    is_at_rest(&mut bench);
}

/// A peer that opens, calls and shuts in turns has all of it charged.
#[test]
fn the_arguments_of_handlers_of_connections_that_are_gone_are_charged() {
    let mut bench = Bench::new(limits(30_000));
    let mut refused = 0;
    for n in 0..10 {
        let connection = ConnectionId(2 * n + 3);
        bench.accept(open(connection.0, "alpha"));
        let Frame::Call { mut head, payload } = call_with(1, 10_000) else { panic!("a call") };
        head.connection = connection;
        bench.accept(Frame::Call { head, payload });
        refused += bench.sent().iter().filter(|frame| matches!(frame, Frame::Reply { .. })).count();
        bench.accept(Frame::Shut { connection });
        assert!(bench.session.memory() <= 30_000);
        bench.session.check_memory();
    }
    assert_eq!(refused, 8);
}
