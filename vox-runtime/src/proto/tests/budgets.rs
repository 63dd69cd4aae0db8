//! What is kept because of the peer is charged as long as it is kept, and no longer; and what comes of too much.

mod arguments;
mod items;
mod replies;
mod sharing;
mod waiting;

use std::time::{Duration, Instant};

use super::memory_ledger::{CHANNEL, ITEM, REQUEST};
use super::testing::{Bench, OURS, PERSIST, Pot, THEIRS, call, call_of, long, long_call, open, part, two_of_each};
use super::{Batch, ChannelEnd, HandlerEnd, Output, Token};
use crate::error::{EndReason, Rule, Scarce, Short};
use crate::ids::{ChannelId, ConnectionId, RequestId};
use crate::limits::{Limits, Refused};
use crate::metadata::Metadata;
use crate::wire::{CallHead, ChannelDirection, Failure, Frame, LongHead, Reset, WHOLE};
use ChannelDirection::{CallerSends, HandlerSends};
use Scarce::{ServerMemory, SessionMemory};

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

fn busy(request: u64, of: Scarce, needed: usize, limit: usize) -> Frame {
    let mut payload = Vec::new();
    Failure::Busy(Short::new(of, needed, limit)).put(&mut payload);
    Frame::Reply { connection: THEIRS, request: RequestId(request), payload: payload.into() }
}

/// What such an answer takes.
fn busy_len() -> usize {
    let mut bytes = Vec::new();
    busy(11, SessionMemory, 20_001, 20_000).put(&mut bytes);
    bytes.len()
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

// proves: memory.call
#[test]
fn calls_are_taken_up_to_the_last_byte_of_the_sessions_memory_and_those_beyond_did_not_run() {
    for (room, fits) in [(2 * cost(10_000), true), (2 * cost(10_000) - 1, false)] {
        let mut bench = Bench::new(limits(room));
        bench.accept(call_with(1, 10_000));
        assert_eq!(bench.session.memory(), cost(10_000));
        bench.accept(call_with(3, 10_000));
        assert_eq!(dispatched(&bench), 1 + usize::from(fits), "in {room} bytes");
        assert_eq!(bench.sent(), if fits { vec![] } else { vec![busy(3, SessionMemory, room + 1, room)] });
        bench.session.check_memory();
        bench.returns(THEIRS, 1);
        bench.write();
        bench.accept(call_with(5, 10_000));
        assert!(matches!(bench.outputs.last(), Some(Output::Dispatch(_))), "there is room again");
        (1..=5).step_by(2).for_each(|request| bench.returns(THEIRS, request));
        is_at_rest(&mut bench);
    }
}

#[test]
fn each_refusal_is_told_once_with_what_is_short() {
    let mut bench = Bench::new(limits(20_000));
    let told = |bench: &mut Bench| -> Vec<_> {
        let told = std::mem::take(&mut bench.outputs).into_iter();
        told.filter_map(|output| if let Output::Refused { what, short } = output { Some((what, short)) } else { None })
            .collect()
    };
    bench.accept(call(THEIRS, 1, &[(1, CallerSends)]));
    bench.accept(call_with(3, 15_000));
    let before = bench.session.memory();
    assert_eq!(told(&mut bench), []);
    bench.accept(call_with(5, 10_000));
    let short = |needed| Short::new(SessionMemory, needed, 20_000);
    assert_eq!(told(&mut bench), [(Refused::Call, short(before + cost(10_000)))]);
    bench.write();
    // Of the call in parts it is told when it is whole.
    bench.accept(long_call(1, 30_000, 7, &[]));
    let begun = bench.session.memory();
    bench.accept(part(1, 29_999));
    assert_eq!(told(&mut bench), []);
    bench.accept(part(1, 1));
    assert_eq!(told(&mut bench), [(Refused::Call, short(begun + 30_000))]);
    bench.write();
    bench.accept(run(&[5000]));
    let kept = bench.session.memory();
    assert!(kept > 20_000);
    assert_eq!(told(&mut bench), []);
    bench.accept(run(&[5000]));
    bench.accept(run(&[5000]));
    assert_eq!(told(&mut bench), [(Refused::Channel, short(kept))], "a channel ends once");
    let mut payload = vec![0; 5000].into();
    bench.change(|session| session.handler_ended(THEIRS, RequestId(3), HandlerEnd::Returned(&mut payload)));
    assert_eq!(told(&mut bench).len(), 0, "its own arguments are gone, so it fits");
}

/// Metadata, and what it has allocated.
fn metadata() -> (Metadata, usize) {
    let mut metadata = Metadata::new();
    (0..20).for_each(|n| metadata.insert(format!("key-{n}"), "v".repeat(100)));
    // As the peer's is read, which allocates no less.
    let least = 20 * (size_of::<(String, String)>() + 105);
    (metadata, least)
}

#[test]
fn channels_are_charged_while_they_have_an_entry_and_their_ends_until_somebody_is_told() {
    let mut bench = Bench::new(limits(1 << 20));
    bench.accept(call(THEIRS, 1, &[(1, CallerSends), (3, HandlerSends), (5, CallerSends)]));
    let request = bench.session.charge_of(THEIRS, 1);
    let beside = |bench: &Bench| {
        bench.session.check_memory();
        bench.session.kept_of_peer() - bench.session.charge_of(THEIRS, 1)
    };
    assert!(request < REQUEST + 100 && beside(&bench) == 3 * CHANNEL);
    // One that is taken up costs the same; one that has ended has no entry.
    bench.change(|session| assert!(session.bind(THEIRS, ChannelId(1), Token(1))));
    assert_eq!(beside(&bench), 3 * CHANNEL);
    let (metadata, least) = metadata();
    let close = |id| Frame::Close { connection: THEIRS, channel: ChannelId(id), metadata: metadata.clone() };
    bench.accept(close(1));
    let end = beside(&bench) - 2 * CHANNEL;
    assert!((least..2 * least + 200).contains(&end), "{end} bytes for {least}");
    // Nobody has taken this one up, so that both are kept.
    bench.accept(close(5));
    assert_eq!(beside(&bench), 2 * CHANNEL + 2 * end);
    bench.change(|session| session.let_go(Token(1)));
    assert_eq!(beside(&bench), 2 * CHANNEL + end);
    bench.change(|session| assert!(session.bind(THEIRS, ChannelId(5), Token(5))));
    assert_eq!(beside(&bench), CHANNEL + end, "it is told, and has an end to keep");
    bench.change(|session| session.let_go(Token(5)));
    assert_eq!(beside(&bench), CHANNEL);
    bench.returns(THEIRS, 1);
    is_at_rest(&mut bench);
}

#[test]
fn the_metadata_of_a_request_is_charged_until_its_handler_has_ended() {
    let mut bench = Bench::new(limits(1 << 20));
    let (metadata, least) = metadata();
    for (request, long) in [(1, false), (3, true)] {
        let Frame::Call { head, .. } = call(THEIRS, request, &[]) else { panic!("a call") };
        let head = CallHead { metadata: metadata.clone(), ..head };
        match long {
            true => bench.accept(Frame::Long { number: 1, total: 100_000, head: LongHead::Call(head) }),
            false => bench.accept(Frame::Call { head, payload: vec![7].into() }),
        }
        let charged = bench.session.kept_of_peer() - REQUEST;
        // What is read is in the frame as well.
        assert!((2 * least - 2000..3 * least).contains(&charged), "{charged} for {least}");
        bench.session.check_memory();
        if long {
            bench.accept(Frame::Forget { number: 1 });
        }
        bench.returns(THEIRS, request);
        is_at_rest(&mut bench);
    }
}

#[test]
fn calls_with_channels_are_refused_for_their_channels_too_and_one_that_is_alone_is_not() {
    let mut bench = Bench::new(limits(2 * REQUEST + CHANNEL + 300));
    bench.accept(call(THEIRS, 1, &[1, 3, 5, 7].map(|id| (id, CallerSends))));
    assert_eq!((dispatched(&bench), bench.sent()), (1, vec![]), "it is alone");
    let decoded = bench.change(|session| session.keep_decoded(THEIRS, RequestId(1), 1 << 20, 0));
    assert_eq!(decoded, Ok(()), "and stays so");
    bench.returns(THEIRS, 1);
    bench.write();
    bench.accept(call(THEIRS, 3, &[(9, CallerSends)]));
    bench.accept(call(THEIRS, 5, &[(11, CallerSends)]));
    assert_eq!(dispatched(&bench), 2, "with its channel, the second is one too many");
    [3, 5].into_iter().for_each(|request| bench.returns(THEIRS, request));
    is_at_rest(&mut bench);
}

// proves: memory.call
#[test]
fn a_call_that_is_alone_always_fits() {
    let mut bench = Bench::new(limits(1));
    bench.accept(call_with(1, 10_000));
    assert_eq!(dispatched(&bench), 1);
    bench.accept(call_with(3, 0));
    assert_eq!(bench.sent(), [busy(3, SessionMemory, cost(10_000) + cost(0), 1)]);
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
    assert!(bench.session.reassembly().kept() == 0, "nobody will want it");
    bench.accept(part(2, 1000));
    assert_eq!((bench.sent(), dispatched(&bench)), (vec![busy(3, SessionMemory, 2 * (head + 50_000), 60_000)], 1));
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
