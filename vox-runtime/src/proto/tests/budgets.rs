//! What is kept because of the peer is charged as long as it is kept, and no longer; and what comes of too much.

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
    bench.consumed(1, 3);
    assert_eq!(bench.session.kept_of_peer(), call + ITEM + 400);
    bench.consumed(1, 400);
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
            bench.consumed(1, 3);
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

// proves: memory.arguments
#[test]
fn what_arguments_decode_to_is_charged_up_to_the_last_byte() {
    for (room, fits) in [(2 * cost(1000) + 5000, true), (2 * cost(1000) + 4999, false)] {
        let mut bench = Bench::new(limits(room));
        bench.accept(call_with(1, 1000));
        bench.accept(call_with(3, 1000));
        let more = bench.change(|session| session.keep_decoded(THEIRS, RequestId(3), 5000, 0));
        let short = Short::new(SessionMemory, room + 1, room);
        assert_eq!(more, if fits { Ok(()) } else { Err(short) });
        assert_eq!(bench.session.kept_of_peer(), 2 * cost(1000) + if fits { 5000 } else { 0 });
        bench.session.check_memory();
        bench.returns(THEIRS, 1);
        let alone = bench.change(|session| session.keep_decoded(THEIRS, RequestId(3), 1 << 20, 0));
        assert_eq!(alone, Ok(()), "one that is alone always fits");
        bench.returns(THEIRS, 3);
        is_at_rest(&mut bench);
    }
}

// proves: memory.call
#[test]
fn a_call_that_is_alone_decodes_to_no_more_than_one_message_may_with_all_that_is_kept_beside() {
    for unread in [0, 15_000] {
        let mut bench = Bench::new(Limits { max_decoded_bytes: 100_000, ..limits(20_000) });
        if unread > 0 {
            bench.accept(call_with(1, 0));
            let end = HandlerEnd::Returned(&mut vec![0; unread].into());
            bench.change(|session| session.handler_ended(THEIRS, RequestId(1), end));
        }
        bench.accept(call_with(3, 1000));
        let most = 100_000;
        let left = most - 7 - bench.session.memory();
        assert!(left + unread < most - cost(1000) + 50, "{left} is left");
        let mut decode = |bytes| bench.change(|session| session.keep_decoded(THEIRS, RequestId(3), bytes, 7));
        assert_eq!(decode(left + 1), Err(Short::new(SessionMemory, most + 1 - 7, 20_000)), "the frame is there too");
        assert_eq!(decode(left), Ok(()));
        assert_eq!(decode(1), Err(Short::new(SessionMemory, most + 1 - 7, 20_000)));
        bench.returns(THEIRS, 3);
        is_at_rest(&mut bench);
    }
}

#[test]
fn what_arguments_decode_to_is_charged_wherever_their_handler_is() {
    let mut bench = Bench::new(limits(1 << 20));
    bench.accept(call_with(1, 5000));
    bench.accept(call_of(PERSIST, THEIRS, 3, &[]));
    bench.accept(Frame::Shut { connection: THEIRS });
    for request in [1, 3] {
        let before = bench.session.kept_of_peer();
        assert_eq!(bench.change(|session| session.keep_decoded(THEIRS, RequestId(request), 700, 0)), Ok(()));
        assert_eq!(bench.session.kept_of_peer(), before + 700, "request {request}");
        bench.session.check_memory();
        bench.change(|session| session.handler_ended(THEIRS, RequestId(request), HandlerEnd::Aborted));
    }
    assert_eq!(bench.change(|session| session.keep_decoded(THEIRS, RequestId(1), 700, 0)), Ok(()), "it is over");
    is_at_rest(&mut bench);
}

/// A call with two channels, of which the first has items past all memory.
fn filled(bind: bool) -> Bench {
    let mut bench = Bench::new(limits(ITEMS + REQUEST + 2 * CHANNEL + 100));
    bench.accept(call(THEIRS, 1, &[(1, CallerSends), (3, CallerSends)]));
    if bind {
        bench.change(|session| (1..=3).step_by(2).for_each(|n| assert!(session.bind(THEIRS, ChannelId(n), Token(n)))));
    }
    bench.accept(run(&[3, 400]));
    assert_eq!(bench.sent(), []);
    bench.accept(run(&[300]));
    assert_eq!(bench.sent(), [], "what passes the limit is taken, as any item that overdraws a window");
    bench
}

fn on_second(len: u8) -> Frame {
    super::testing::items(THEIRS, 3, &[len])
}

fn is_full(end: &ChannelEnd) -> bool {
    matches!(end, ChannelEnd::Reset(Reset::Full(why)) if why.contains("(`Limits::session_memory`)"))
}

// proves: memory.item
#[test]
fn items_past_the_sessions_memory_end_their_channel_and_both_ends_are_told() {
    for bind in [false, true] {
        let mut bench = filled(bind);
        let kept = bench.session.kept_of_peer();
        bench.accept(on_second(7));
        let sent = bench.sent();
        let [Frame::Reset { connection: THEIRS, channel: ChannelId(3), why: Reset::Full(why) }] = &sent[..] else {
            panic!("{sent:?}")
        };
        let numbers =
            format!("{} bytes are kept of the peer, over the limit of {}", kept, ITEMS + REQUEST + 2 * CHANNEL + 100);
        assert!(why.contains(&numbers), "{why}");
        // Who has taken it up is told, and it has no entry any more.
        let of_entry = if bind { CHANNEL } else { 0 };
        assert_eq!(bench.session.kept_of_peer(), kept - of_entry);
        // What its sender could not know of is ignored, whatever it is.
        bench.accept(on_second(7));
        bench.accept(long(1, 100_000, LongHead::Items { connection: THEIRS, channel: ChannelId(3) }));
        bench.accept(part(1, 1000));
        bench.accept(part(1, 99_000));
        bench.accept(close(3));
        bench.accept(close(3));
        assert_eq!((bench.sent(), bench.session.kept_of_peer()), (vec![], kept - of_entry));
        if !bind {
            bench.change(|session| assert!(session.bind(THEIRS, ChannelId(3), Token(3))));
        }
        let ended = |output: &Output| matches!(output, Output::ReceiverEnded { token: Token(3), end } if is_full(end));
        assert_eq!(bench.outputs.iter().filter(|output| ended(output)).count(), 1, "{:?}", bench.outputs);
        bench.session.check_memory();
        // The other is as it was.
        if !bind {
            bench.change(|session| assert!(session.bind(THEIRS, ChannelId(1), Token(1))));
        }
        bench.consumed(3, 703);
        bench.accept(run(&[9]));
        bench.returns(THEIRS, 1);
        bench.consumed(1, 9);
        bench.accept(close(1));
        bench.change(|session| (1..=3).for_each(|token| session.let_go(Token(token))));
        is_at_rest(&mut bench);
    }
}

// proves: memory.item
#[test]
fn what_came_before_memory_was_short_is_received_before_the_end() {
    let mut bench = filled(false);
    bench.accept(run(&[5]));
    assert!(matches!(bench.sent()[..], [Frame::Reset { channel: ChannelId(1), why: Reset::Full(_), .. }]));
    bench.change(|session| assert!(session.bind(THEIRS, ChannelId(1), Token(1))));
    let delivered = bench.outputs.iter().filter(|output| matches!(output, Output::Deliver { .. })).count();
    assert_eq!(delivered, 2);
    assert!(matches!(bench.outputs.last(), Some(Output::ReceiverEnded { end, .. }) if is_full(end)));
    bench.session.check_memory();
    bench.returns(THEIRS, 1);
    bench.change(|session| session.let_go(Token(1)));
    is_at_rest(&mut bench);
}

#[test]
fn a_long_item_past_the_sessions_memory_ends_its_channel_as_it_begins() {
    for bind in [false, true] {
        let mut bench = Bench::new(limits(60_000));
        bench.accept(call(THEIRS, 1, &[(1, CallerSends), (3, CallerSends)]));
        if bind {
            bench.change(|session| session.bind(THEIRS, ChannelId(1), Token(1)));
        }
        bench.accept(run(&[3]));
        let head = |channel| LongHead::Items { connection: THEIRS, channel: ChannelId(channel) };
        bench.accept(long(1, 59_000, head(1)));
        bench.accept(long(2, 59_000, head(3)));
        bench.accept(part(2, 1));
        let kept = bench.session.memory();
        assert!(kept > 60_000, "what passes the limit is taken");
        bench.accept(part(1, 1));
        assert!(matches!(bench.sent()[..], [Frame::Reset { channel: ChannelId(1), why: Reset::Full(_), .. }]));
        bench.accept(part(1, 58_999));
        bench.accept(Frame::Forget { number: 2 });
        assert_eq!(bench.session.memory(), kept - 59_000 - if bind { CHANNEL } else { 0 });
        bench.returns(THEIRS, 1);
        bench.change(|session| session.let_go(Token(1)));
        is_at_rest(&mut bench);
    }
}

/// Fifty items of 60 are read, which is half of the window; the last ten are read later.
// proves: memory.credit
#[test]
fn who_has_not_read_all_it_got_is_granted_nothing_where_memory_is_short() {
    let credit = |items| Frame::Credit { connection: THEIRS, channel: ChannelId(1), items, bytes: 3 * items };
    for (others, expected) in [(0, [vec![credit(50)], vec![]]), (21_000, [vec![], vec![credit(60)]])] {
        let mut bench = Bench::new(limits(30_000));
        bench.accept(call(THEIRS, 1, &[(1, CallerSends)]));
        bench.accept(call_with(3, others));
        bench.change(|session| session.bind(THEIRS, ChannelId(1), Token(1)));
        let _ = bench.sent();
        (0..60).for_each(|_| bench.accept(run(&[3])));
        for (items, granted) in [50, 10].into_iter().zip(expected) {
            bench.consumed(items, 3 * u64::from(items));
            assert_eq!(bench.sent(), granted, "beside {others} bytes");
        }
        [1, 3].into_iter().for_each(|request| bench.returns(THEIRS, request));
        bench.accept(close(1));
        is_at_rest(&mut bench);
    }
}

// proves: memory.reply.made
#[test]
fn replies_past_the_sessions_memory_are_not_kept_and_their_callers_are_told_why() {
    let reply = |bench: &mut Bench, request: u64, len: usize| {
        let mut payload = vec![0; len].into();
        bench.change(|session| {
            session.handler_ended(THEIRS, RequestId(request), HandlerEnd::Returned(&mut payload));
        });
    };
    let mut bench = Bench::new(Limits { outbox_long_bytes: 1 << 30, ..limits(100_000) });
    (1..=9).step_by(2).for_each(|request| bench.accept(call_with(request, 0)));
    reply(&mut bench, 1, 50_000);
    assert!(bench.session.memory() < 100_000);
    reply(&mut bench, 3, 50_000);
    let held = bench.session.memory();
    assert!(held > 100_000, "what passes the limit is kept");
    reply(&mut bench, 5, 50_000);
    assert!(bench.session.memory() < held, "{}", bench.session.memory());
    // What is short is kept all the same, and when the peer has read there is room again.
    reply(&mut bench, 7, 100);
    bench.write();
    reply(&mut bench, 9, 50_000);
    let lens: Vec<_> = bench
        .sent()
        .iter()
        .map(|frame| match frame {
            Frame::Reply { payload, .. } => payload.len(),
            other => panic!("{other:?}"),
        })
        .collect();
    let refused = lens[2];
    assert_eq!((lens[0], lens[1], lens[3], lens[4]), (50_000, 50_000, 100, 50_000));
    assert!((50..512).contains(&refused), "{refused}");
    is_at_rest(&mut bench);
}

/// A call that runs and takes nearly all memory, and one more that waits.
fn held_off() -> Bench {
    let mut bench = Bench::new(Limits { max_message_bytes: 4000, ..limits(20_000) });
    for request in (1..=9).step_by(2) {
        assert!(!bench.session.holds_off(bench.now));
        bench.accept(call_with(request, 2500));
    }
    assert!(bench.session.memory() > 16_000);
    assert!(bench.session.holds_off(bench.now));
    bench
}

#[test]
fn the_peer_is_not_read_where_the_next_message_may_not_fit_until_a_handler_has_ended() {
    let mut bench = held_off();
    assert!(bench.session.stays_held_off());
    bench.returns(THEIRS, 1);
    assert!(!bench.session.stays_held_off() && !bench.session.holds_off(bench.now));
    // It was not asked for a sign of life meanwhile, and is not taken for dead now.
    assert!(bench.session.poll_timeout().is_none_or(|at| at >= bench.now + Limits::default().keepalive));
}

// proves: memory.wait
#[test]
fn what_was_left_for_later_is_read_after_a_second_in_which_nothing_was_given_back() {
    let mut bench = held_off();
    let due = bench.session.poll_timeout().expect("a time");
    assert_eq!(due, bench.now + Duration::from_secs(1));
    bench.now = due;
    bench.change(|session| session.handle_timeout(due));
    assert!(!bench.session.stays_held_off() && !bench.session.holds_off(due));
    // The calls that follow are refused as before, and none waits again until there is room.
    for request in (11..=19).step_by(2) {
        bench.accept(call_with(request, 2500));
        assert!(!bench.session.holds_off(due));
    }
    let kept = 6 * cost(2500);
    let refused = |n: usize| busy(11 + 2 * n as u64, SessionMemory, kept + n * busy_len(), 20_000);
    assert_eq!(bench.sent(), [0, 1, 2, 3, 4].map(refused));
}

#[test]
fn who_cancels_is_waited_for_again() {
    let mut bench = held_off();
    let due = bench.now + Duration::from_secs(1);
    bench.change(|session| session.handle_timeout(due));
    assert!(!bench.session.holds_off(due));
    bench.accept(Frame::Cancel { connection: THEIRS, request: RequestId(3) });
    assert!(bench.session.holds_off(due), "its handler is about to end");
    bench.change(|session| session.handler_ended(THEIRS, RequestId(3), HandlerEnd::Aborted));
    assert!(!bench.session.holds_off(due));
}

#[test]
fn a_silent_peer_that_is_not_read_is_not_dead() {
    let mut bench = Bench::new(Limits {
        max_message_bytes: 4000,
        keepalive: Duration::from_millis(300),
        keepalive_timeout: Duration::from_millis(300),
        ..limits(20_000)
    });
    (1..=9).step_by(2).for_each(|request| bench.accept(call_with(request, 2500)));
    bench.now += Duration::from_millis(300);
    let now = bench.now;
    bench.change(|session| session.handle_timeout(now));
    assert_eq!(bench.sent(), [Frame::Ping { nonce: 0 }]);
    assert!(bench.session.holds_off(now));
    for _ in 0..9 {
        bench.now += Duration::from_millis(100);
        let now = bench.now;
        bench.change(|session| session.handle_timeout(now));
        assert!(bench.session.end_reason().is_none() && bench.session.stays_held_off());
    }
    bench.returns(THEIRS, 1);
    let now = bench.now;
    assert!(!bench.session.holds_off(now));
    bench.change(|session| session.handle_timeout(now));
    assert!(bench.session.end_reason().is_none(), "it is heard before it is judged");
}

#[test]
fn what_handlers_do_not_give_back_is_no_reason_to_read_no_further() {
    let mut bench = Bench::resumable(Limits { outbox_long_bytes: 1 << 30, ..limits(20_000) });
    bench.accept(call_with(1, 0));
    let mut payload = vec![0; 30_000].into();
    bench.change(|session| session.handler_ended(THEIRS, RequestId(1), HandlerEnd::Returned(&mut payload)));
    bench.accept(call_with(3, 0));
    assert!(bench.session.memory() > 20_000);
    assert!(!bench.session.holds_off(bench.now), "an acknowledgement would never come");
}

#[test]
fn handlers_wait_while_half_of_all_memory_is_replies_and_go_on_when_half_of_those_are_gone() {
    let mut bench = Bench::new(Limits { outbox_long_bytes: 1 << 30, ..limits(200_000) });
    let reply = |bench: &mut Bench, request: u64| {
        bench.accept(call_with(request, 0));
        let mut payload = vec![0; 45_000].into();
        bench.change(|session| {
            session.handler_ended(THEIRS, RequestId(request), HandlerEnd::Returned(&mut payload));
        });
    };
    (1..=3).step_by(2).for_each(|request| reply(&mut bench, request));
    assert!(!bench.session.holds_replies(bench.now));
    reply(&mut bench, 5);
    assert!(bench.session.is_laden_with_replies() && bench.session.holds_replies(bench.now));
    // A third is written, and then all.
    let mut batch = Batch::default();
    bench.change(|session| session.take(&mut batch));
    bench.change(|session| session.on_written(50_000));
    assert!(bench.session.stays_holding_replies());
    bench.change(|session| session.on_written(50_000));
    assert!(!bench.session.stays_holding_replies() && !bench.session.holds_replies(bench.now));
    // Who reads nothing is not waited for.
    (7..=9).step_by(2).for_each(|request| reply(&mut bench, request));
    assert!(bench.session.holds_replies(bench.now));
    let due = bench.session.poll_timeout().expect("a time");
    assert_eq!(due, bench.now + Duration::from_secs(1));
    bench.change(|session| session.handle_timeout(due));
    assert!(!bench.session.stays_holding_replies() && !bench.session.holds_replies(due));
}

/// Two sessions with a megabyte in common.
fn sharing() -> [Bench; 2] {
    let purse = Pot::purse(7, 1 << 20);
    [0, 1].map(|_| {
        let mut bench = Bench::new(limits(48 << 20));
        bench.session.takes_from(purse.clone());
        bench
    })
}

#[test]
fn sessions_take_what_they_keep_of_what_they_have_in_common_and_give_it_back() {
    let [mut one, mut other] = sharing();
    one.accept(call_with(1, 50_000));
    assert_eq!(Pot::taken(7), 0, "what is small is free");
    one.accept(call_with(3, 50_000));
    other.accept(call_with(1, 300_000));
    assert_eq!(Pot::taken(7), (64 << 10) + (256 << 10));
    one.session.check_lease();
    one.returns(THEIRS, 1);
    one.returns(THEIRS, 3);
    other.returns(THEIRS, 1);
    other.write();
    assert_eq!(Pot::taken(7), 0);
    is_at_rest(&mut one);
    // A session that is gone has taken nothing.
    other.accept(call_with(3, 300_000));
    drop(other);
    assert_eq!(Pot::taken(7), 0);
}

#[test]
fn past_what_sessions_have_in_common_calls_are_refused_and_small_ones_are_not() {
    let [mut one, mut other] = sharing();
    one.accept(call_with(1, 1_000_000));
    assert_eq!(Pot::taken(7), 15 << 16);
    other.accept(call_with(1, 200_000));
    assert_eq!(other.sent(), [busy(1, ServerMemory, 18 << 16, 1 << 20)]);
    assert_eq!(Pot::taken(7), 15 << 16);
    other.accept(call_with(3, 60_000));
    other.accept(long_call(1, 200_000, 5, &[]));
    other.accept(part(1, 100_000));
    other.accept(part(1, 100_000));
    assert_eq!((dispatched(&other), other.sent()), (1, vec![busy(5, ServerMemory, 18 << 16, 1 << 20)]));
    // What arguments decode to, items and replies as well, each with both numbers.
    assert!(other.change(|session| session.keep_decoded(THEIRS, RequestId(3), 200_000, 0)).is_err());
    other.accept(call(THEIRS, 7, &[(1, CallerSends)]));
    other.accept(Frame::Items { connection: THEIRS, channel: ChannelId(1), items: vec![0; 100].into() });
    assert_eq!(other.sent(), []);
    let mut payload = vec![0; 200_000].into();
    other.change(|session| session.handler_ended(THEIRS, RequestId(3), HandlerEnd::Returned(&mut payload)));
    let [Frame::Reply { payload, .. }] = &other.sent()[..] else { panic!("one reply") };
    let text = String::from_utf8_lossy(payload);
    assert!(text.contains("1048576 bytes are kept of all peers") && text.contains("than 1048576 may"), "{text}");
    one.returns(THEIRS, 1);
    other.accept(call_with(9, 200_000));
    assert_eq!(other.sent(), [], "there is room again");
    [7, 9].into_iter().for_each(|request| other.returns(THEIRS, request));
    other.accept(close(1));
    [&mut one, &mut other].into_iter().for_each(is_at_rest);
    assert_eq!(Pot::taken(7), 0);
}

#[test]
fn who_has_more_than_its_free_share_waits_where_others_have_nearly_all_and_who_has_not_does_not() {
    let [mut one, mut other] = sharing();
    one.accept(call_with(1, 1_060_000));
    assert!(one.session.holds_off(one.now), "{}", Pot::taken(7));
    other.accept(call_with(1, 1000));
    assert!(!other.session.holds_off(other.now));
    one.returns(THEIRS, 1);
    assert!(!one.session.stays_held_off());
    other.returns(THEIRS, 1);
}

/// What is kept already is taken at any rate, and in larger pieces.
#[test]
fn what_is_taken_beyond_all_that_there_is_makes_no_room_for_more() {
    let [mut one, mut other] = sharing();
    one.accept(call_with(1, 1_110_000));
    assert_eq!(Pot::taken(7), 1 << 20);
    other.accept(call(THEIRS, 1, &[(1, CallerSends)]));
    let free = (64 << 10) - 300 - other.session.memory();
    other.accept(call_with(3, free - cost(0)));
    // They are charged when they are there.
    other.accept(run(&[1; 100]));
    assert_eq!(Pot::taken(7), (1 << 20) + (64 << 10));
    other.accept(call_with(5, 40_000));
    assert!(matches!(other.sent()[..], [Frame::Reply { request: RequestId(5), .. }]), "it is refused");
    one.returns(THEIRS, 1);
    other.accept(call_with(7, 40_000));
    assert_eq!(other.sent(), [], "there is room again");
}

#[test]
fn a_frame_that_should_come_in_parts_counts_while_it_comes_in() {
    let [mut one, mut other] = sharing();
    assert_eq!(one.change(|session| session.keep_growing(900_000)), Ok(()));
    one.session.check_lease();
    assert_eq!((one.session.memory(), Pot::taken(7)), (900_000, 13 << 16));
    other.accept(call_with(1, 300_000));
    assert!(matches!(other.sent()[..], [Frame::Reply { request: RequestId(1), .. }]), "it is refused");
    // Less is kept, and as much, whatever others have.
    assert_eq!(one.change(|session| session.keep_growing(900_000)), Ok(()));
    let more = one.change(|session| session.keep_growing(1_200_000)).expect_err("there is no more");
    assert_eq!(more.rule, Rule::FrameTooLarge);
    assert!(more.to_string().contains("1200000 bytes of a frame that should have come in parts"), "{more}");
    assert_eq!(one.change(|session| session.keep_growing(0)), Ok(()));
    one.session.settle_lease_now();
    assert_eq!((one.session.memory(), Pot::taken(7)), (0, 0));
    // Of a session's own memory one that is alone may have as much as it needs, and nothing is left of it on a link that is gone.
    let mut alone = Bench::resumable(limits(60_000));
    let before = alone.session.memory();
    assert_eq!(alone.change(|session| session.keep_growing(400_000)), Ok(()));
    alone.change(|session| session.link_lost(Instant::now(), EndReason::LinkLost("cut".into())));
    assert_eq!(alone.session.memory(), before);
    let mut beside = Bench::new(limits(60_000));
    beside.accept(call_with(1, 10_000));
    assert!(beside.change(|session| session.keep_growing(400_000)).is_err());
}
