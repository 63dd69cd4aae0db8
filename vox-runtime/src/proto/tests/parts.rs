//! Long messages, one step at a time. What all steps together promise is the simulator's.

mod patience;
mod unwanted;

use std::time::Duration;

use super::reassembly::STRAY;
use super::testing::{Bench, OURS, THEIRS, VOLATILE, call, items, long, long_call, open, part};
use super::{CallEnd, ChannelEnd, Gate, HandlerEnd, NewCall, Output, Patience, Sent, Token};
use crate::error::{EndReason, Refusal, RefusalCode, Rule};
use crate::ids::{ChannelId, ConnectionId, RequestId};
use crate::limits::Limits;
use crate::metadata::Metadata;
use crate::wire::{ChannelDirection, Failure, Frame, LongHead, PART, Reset, WHOLE};

fn roomy() -> Limits {
    Limits { max_calls: 40, max_channels: 8, channel_items: 100, channel_bytes: 1 << 20, ..Limits::default() }
}

/// What each frame is about, in short: a long message's number, or a letter.
fn told(frames: &[Frame]) -> String {
    let word = |frame: &Frame| match frame {
        Frame::Long { number, .. } => format!("L{number}"),
        Frame::Part { number, .. } => format!("{number}"),
        Frame::Forget { number } => format!("F{number}"),
        Frame::Call { .. } => "call".into(),
        Frame::Reply { .. } => "reply".into(),
        Frame::Items { .. } => "items".into(),
        Frame::Close { .. } => "close".into(),
        Frame::Reset { .. } => "reset".into(),
        Frame::Cancel { .. } => "cancel".into(),
        Frame::Goodbye { .. } => "goodbye".into(),
        Frame::Shut { .. } => "shut".into(),
        Frame::Violation(_) => "violation".into(),
        other => panic!("{other:?}"),
    };
    frames.iter().map(word).collect::<Vec<_>>().join(" ")
}

fn finished(bench: &Bench) -> Vec<(Token, CallEnd)> {
    let end = |output: &Output| match output {
        Output::Finish { token, end } => Some((*token, end.clone())),
        _ => None,
    };
    bench.outputs.iter().filter_map(end).collect()
}

fn dispatched(bench: &Bench) -> Vec<(u64, usize)> {
    let request = |output: &Output| match output {
        Output::Dispatch(request) => Some((request.request.0, request.payload.len())),
        _ => None,
    };
    bench.outputs.iter().filter_map(request).collect()
}

#[test]
fn a_payload_of_a_little_over_a_part_is_one_frame_and_a_longer_one_is_not() {
    for (len, expected) in [(WHOLE, "call"), (WHOLE + 1, "L1 1 1"), (3 * PART, "L1 1 1 1")] {
        let mut bench = Bench::new(roomy());
        bench.call_with(1, &[], None, len);
        assert_eq!(told(&bench.sent()), expected);
    }
}

// proves: long.turns
#[test]
fn long_messages_take_turns_and_what_is_short_goes_between() {
    let mut bench = Bench::new(roomy());
    for token in 0..3 {
        bench.call_with(token, &[], None, 3 * PART);
    }
    bench.write_parts(2 * PART);
    assert_eq!(told(&bench.seen()), "L1 L2 L3 1 2");
    bench.call(7, &[]);
    bench.write_parts(2 * PART);
    assert_eq!(told(&bench.seen()), "call 3 1");
    assert_eq!(told(&bench.sent()), "2 3 1 2 3");
    assert!(!bench.session.has_output());
}

/// Three take turns, and what is put together of the parts is each message as it was.
#[test]
fn every_part_names_the_message_whose_bytes_it_brings() {
    let mut bench = Bench::new(roomy());
    let payload = |request: u64| (0..3 * PART).map(|at| (at / 7 + request as usize) as u8).collect::<Vec<u8>>();
    for request in [1, 3, 5] {
        bench.accept(call(THEIRS, request, &[]));
        bench.change(|session| {
            let mut payload = payload(request).into();
            session.handler_ended(THEIRS, RequestId(request), HandlerEnd::Returned(&mut payload));
        });
    }
    let mut replies = std::collections::BTreeMap::new();
    bench.write_parts(2 * PART);
    for frame in bench.sent() {
        match frame {
            Frame::Long { number, head: LongHead::Reply { request, .. }, .. } => {
                replies.insert(number, (request.0, Vec::new()));
            }
            Frame::Part { number, bytes } => replies.get_mut(&number).expect("announced").1.extend_from_slice(&bytes),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(replies.len(), 3);
    for (request, bytes) in replies.into_values() {
        assert!(bytes == payload(request), "the reply to request {request} has other bytes");
    }
}

#[test]
fn a_part_is_longer_where_the_link_takes_more_at_once_and_shorter_where_it_takes_less() {
    let lengths = |messages: u64, budget: usize| {
        let mut bench = Bench::new(roomy());
        for token in 1..=messages {
            bench.call_with(token, &[], None, 5 * PART);
        }
        bench.write_parts(budget);
        let part = |frame: &Frame| match frame {
            Frame::Part { bytes, .. } => Some(bytes.len()),
            _ => None,
        };
        bench.seen().iter().filter_map(part).collect::<Vec<_>>()
    };
    assert_eq!(lengths(1, PART / 4), [PART / 4]);
    assert_eq!(lengths(1, 2 * PART), [2 * PART]);
    assert_eq!(lengths(1, 8 * PART), [5 * PART]);
    assert_eq!(lengths(2, 2 * PART), [PART, PART], "two take turns within a batch");
    assert_eq!(lengths(2, 8 * PART), [4 * PART, 4 * PART]);
    assert_eq!(lengths(2, 16 * PART), [4 * PART, 4 * PART], "what is short does not wait for more");
}

/// A value of a round size is a few bytes longer when it is encoded: these are no part of their own. Nor is a part cut because the link
/// has not taken all of the one before.
#[test]
fn a_message_that_is_alone_leaves_in_as_few_parts_as_the_link_takes() {
    let parts = |len: usize, budget: usize| {
        let mut bench = Bench::new(roomy());
        bench.call_with(1, &[], None, len);
        let mut lens = Vec::new();
        while bench.session.has_output() {
            bench.write_parts(budget);
            lens.extend(bench.seen().iter().filter_map(|frame| match frame {
                Frame::Part { bytes, .. } => Some(bytes.len()),
                _ => None,
            }));
        }
        lens
    };
    let slack = WHOLE - PART;
    assert_eq!(parts(16 * PART + slack, 16 * PART), [16 * PART + slack]);
    assert_eq!(parts(16 * PART + slack + 1, 16 * PART), [16 * PART, slack + 1]);
    assert_eq!(parts(3 * PART, PART), [PART; 3]);
}

// proves: limit.partial.messages
#[test]
fn no_more_is_begun_than_the_peer_puts_together() {
    let limits = Limits { max_partial_messages: 2, max_message_bytes: 5 * PART, ..roomy() };
    let mut bench = Bench::new(limits);
    for token in 0..4 {
        bench.call_with(token, &[], None, 2 * PART);
    }
    assert_eq!(told(&bench.sent()), "L1 L2 L3 L4 1 2 1 2 3 4 3 4");
    let limits = Limits { max_partial_bytes: 5 * PART, max_message_bytes: 5 * PART, ..roomy() };
    let mut bench = Bench::new(limits);
    for token in 0..3 {
        bench.call_with(token, &[], None, 2 * PART);
    }
    assert_eq!(told(&bench.sent()), "L1 L2 L3 1 2 1 2 3 3");
}

#[test]
fn a_call_that_is_abandoned_before_it_has_left_is_forgotten_and_frees_its_place() {
    let mut bench = Bench::new(Limits { max_calls: 1, ..roomy() });
    let (request, _) = bench.call_with(1, &[], None, 3 * PART);
    bench.write_parts(PART);
    bench.change(|session| session.abandon(OURS, request));
    assert_eq!(bench.session.calls_in_flight(OURS), 0);
    bench.call(2, &[]);
    assert_eq!(told(&bench.sent()), "L1 1 F1 call");
    // Whole, it is cancelled like any other.
    let mut bench = Bench::new(roomy());
    let (request, _) = bench.call_with(1, &[], None, 3 * PART);
    bench.write();
    bench.change(|session| session.abandon(OURS, request));
    assert_eq!(told(&bench.sent()), "L1 1 1 1 cancel");
    assert_eq!(bench.session.calls_in_flight(OURS), 1);
}

#[test]
fn a_call_whose_time_is_up_before_it_has_left_was_not_sent() {
    for (parts, expected) in [(2, CallEnd::NeverLeftInTime), (3, CallEnd::DeadlineExceeded)] {
        let mut bench = Bench::new(roomy());
        bench.call_with(1, &[], Some(Duration::from_secs(1)), 3 * PART);
        bench.write_parts(parts * PART);
        bench.now += Duration::from_secs(1);
        let now = bench.now;
        bench.change(|session| session.handle_timeout(now));
        assert_eq!(finished(&bench), [(Token(1), expected)]);
        let last = if parts == 2 { "F1" } else { "cancel" };
        assert!(told(&bench.sent()).ends_with(last));
    }
}

#[test]
fn a_session_that_is_lost_in_the_middle_of_a_call_has_not_sent_it() {
    for (parts, left) in [(2, false), (3, true)] {
        let mut bench = Bench::new(roomy());
        bench.call_with(1, &[], None, 3 * PART);
        bench.write_parts(parts * PART);
        let lost = EndReason::LinkLost("cut".into());
        bench.change(|session| session.abandoned(lost.clone()));
        let expected = if left { CallEnd::Indeterminate } else { CallEnd::NeverLeft(lost) };
        assert_eq!(finished(&bench), [(Token(1), expected)]);
        assert!(!bench.session.has_output() && bench.session.outbox().pending_long() == 0);
    }
}

// proves: goodbye.last
#[test]
fn a_goodbye_waits_for_long_replies_and_items_and_not_for_calls() {
    let mut bench = Bench::new(roomy());
    let (_, ids) = bench.call(1, &[ChannelDirection::CallerSends]);
    bench.accept(call(THEIRS, 1, &[]));
    bench.call_with(2, &[], None, 3 * PART);
    bench.change(|session| session.send_item(OURS, ids[0], &mut vec![7; 2 * PART]));
    bench.change(|session| session.close_channel(OURS, ids[0], Metadata::new()));
    bench.change(|session| {
        session.handler_ended(THEIRS, RequestId(1), HandlerEnd::Returned(&mut vec![0; 2 * PART].into()));
        session.goodbye("enough");
    });
    assert_eq!(told(&bench.sent()), "call L1 L2 L3 F1 2 3 2 close 3 goodbye");
    assert!(finished(&bench).contains(&(Token(2), CallEnd::NeverLeft(EndReason::ClosedHere))));
}

// proves: long.ends
#[test]
fn a_reply_that_leaves_after_a_goodbye_finds_room_though_a_call_was_under_way() {
    let mut bench = Bench::new(Limits { max_partial_messages: 1, ..roomy() });
    bench.accept(call(THEIRS, 1, &[]));
    bench.call_with(1, &[], None, 3 * PART);
    bench.write_parts(PART);
    bench.change(|session| {
        session.handler_ended(THEIRS, RequestId(1), HandlerEnd::Returned(&mut vec![0; 2 * PART].into()));
        session.goodbye("enough");
    });
    assert_eq!(told(&bench.sent()), "L1 1 L2 F1 2 2 goodbye");
}

// proves: long.item.alone
#[test]
fn what_follows_a_long_item_on_its_channel_waits_and_what_is_elsewhere_does_not() {
    let mut bench = Bench::new(roomy());
    let (_, ids) = bench.call(1, &[ChannelDirection::CallerSends, ChannelDirection::CallerSends]);
    let send = |bench: &mut Bench, channel: usize, len: usize| {
        bench.change(|session| session.send_item(OURS, ids[channel], &mut vec![7; len]))
    };
    assert_eq!(send(&mut bench, 0, 10), Sent::Yes);
    assert_eq!(send(&mut bench, 0, 2 * PART), Sent::Yes);
    assert_eq!(send(&mut bench, 0, 10), Sent::Wait);
    assert!(!bench.change(|session| session.may_send_item(OURS, ids[0])));
    assert_eq!(send(&mut bench, 1, 10), Sent::Yes);
    bench.outputs.clear();
    bench.write_parts(PART);
    assert_eq!(told(&bench.seen()), "call items L1 items 1");
    assert_eq!(send(&mut bench, 0, 10), Sent::Wait);
    bench.write();
    bench.change(|_| ());
    assert!(bench.outputs.iter().any(|output| matches!(output, Output::GrantPermits { token: Token(100) })));
    assert_eq!(send(&mut bench, 0, 10), Sent::Yes);
}

// proves: reset.after-items
#[test]
fn a_close_and_a_reset_come_after_the_item_that_is_under_way() {
    for close in [true, false] {
        let mut bench = Bench::new(roomy());
        let (_, ids) = bench.call(1, &[ChannelDirection::CallerSends]);
        bench.change(|session| session.send_item(OURS, ids[0], &mut vec![7; 2 * PART]));
        bench.change(|session| match close {
            true => session.close_channel(OURS, ids[0], Metadata::new()),
            false => session.reset_channel(OURS, ids[0], Reset::Gone),
        });
        let expected = if close { "call L1 1 1 close" } else { "call L1 1 1 reset" };
        assert_eq!(told(&bench.sent()), expected);
    }
}

#[test]
fn a_long_call_is_dispatched_once_it_is_whole_and_others_before_it() {
    let mut bench = Bench::new(roomy());
    bench.accept(long_call(1, 20, 1, &[]));
    bench.accept(long_call(2, 20, 3, &[]));
    bench.accept(part(2, 11));
    bench.accept(call(THEIRS, 5, &[]));
    bench.accept(part(1, 19));
    bench.accept(part(2, 9));
    bench.accept(part(1, 1));
    assert_eq!(dispatched(&bench), [(5, 0), (3, 20), (1, 20)]);
    assert_eq!(bench.session.handlers_running(), 3);
    assert_eq!(bench.session.reassembly().sums(), (0, 0, 0));
}

#[test]
fn a_channels_long_item_is_delivered_once_it_is_whole() {
    let mut bench = Bench::new(roomy());
    bench.accept(call(THEIRS, 1, &[(1, ChannelDirection::CallerSends)]));
    assert!(bench.change(|session| session.bind(THEIRS, ChannelId(1), Token(9))));
    bench.accept(long(1, 4, LongHead::Items { connection: THEIRS, channel: ChannelId(1) }));
    bench.accept(Frame::Part { number: 1, bytes: vec![3, 7].into() });
    let delivered = |bench: &Bench| bench.outputs.iter().filter(|o| matches!(o, Output::Deliver { .. })).count();
    assert_eq!(delivered(&bench), 0);
    bench.accept(Frame::Part { number: 1, bytes: vec![8, 9].into() });
    let Some(Output::Deliver { items, .. }) = bench.outputs.last() else { panic!("{:?}", bench.outputs) };
    assert_eq!(items[..], [3, 7, 8, 9]);
    bench.accept(Frame::Close { connection: THEIRS, channel: ChannelId(1), metadata: Metadata::new() });
    let end = ChannelEnd::Closed(Metadata::new());
    assert!(bench.outputs.iter().any(|o| matches!(o, Output::ReceiverEnded { end: seen, .. } if *seen == end)));
}

#[test]
fn a_resume_goes_on_after_the_last_part_that_was_received() {
    let mut bench = Bench::resumable(roomy());
    bench.call_with(1, &[], None, 5 * PART);
    bench.write_parts(PART);
    bench.write_parts(PART);
    let received = bench.session.outbox().taken();
    bench.write_parts(PART);
    bench.write_parts(PART);
    assert_eq!(told(&bench.seen()), "L1 1 1 1 1");
    let now = bench.now;
    bench.change(|session| session.link_lost(now, EndReason::LinkLost("cut".into())));
    bench.change(|session| session.resume(now, received)).expect("it has what was received");
    assert_eq!(told(&bench.sent()), "1 1 1");
}

#[test]
fn a_part_that_is_cut_off_counts_for_nothing_and_comes_again() {
    let mut bench = Bench::resumable(roomy());
    bench.accept(long_call(1, 30, 1, &[]));
    bench.accept(part(1, 10));
    let head = crate::wire::PartHead { number: 1, len: 10, at: 6 };
    let mut lent = bench.session.lend(head).expect("it fits").expect("it is wanted");
    assert_eq!((lent.bytes.len(), lent.start, lent.end, lent.total), (10, 10, 20, 30));
    lent.bytes.extend([9; 5]);
    let (now, received) = (bench.now, bench.session.received());
    bench.change(|session| session.link_lost(now, EndReason::LinkLost("cut".into())));
    bench.session.take_back(lent);
    let taken = bench.session.outbox().taken();
    bench.change(|session| session.resume(now, taken)).expect("all of it");
    assert_eq!(bench.session.received(), received);
    let mut lent = bench.session.lend(head).expect("it fits").expect("it is wanted");
    lent.bytes.extend([8; 10]);
    bench.change(|session| session.handle_part(now, lent, head)).expect("it fits");
    bench.accept(Frame::Part { number: 1, bytes: vec![6; 10].into() });
    let Some(Output::Dispatch(request)) = bench.outputs.last() else { panic!("{:?}", bench.outputs) };
    assert_eq!(request.payload[..], [[7; 10], [8; 10], [6; 10]].concat());
}

// proves: keepalive.moves
#[test]
fn bytes_that_move_are_a_sign_of_life() {
    let mut bench = Bench::resumable(roomy());
    bench.call(1, &[]);
    let wait = |bench: &mut Bench, time: Duration| {
        bench.now += time;
        let now = bench.now;
        bench.change(|session| session.handle_timeout(now));
    };
    let Limits { keepalive, keepalive_timeout, .. } = Limits::default();
    bench.write();
    // Bytes that were read, without a whole frame: no probe is due.
    for _ in 0..5 {
        wait(&mut bench, keepalive - Duration::from_secs(1));
        let now = bench.now;
        bench.session.heard(now);
    }
    assert!(!bench.sent().contains(&Frame::Ping { nonce: 0 }));
    // Nor is one missed while the link takes what was put before it.
    bench.call_with(2, &[], None, 40 * PART);
    wait(&mut bench, keepalive);
    for _ in 0..5 {
        wait(&mut bench, keepalive_timeout - Duration::from_secs(1));
        bench.write_parts(PART);
    }
    assert!(!bench.session.is_detached());
    wait(&mut bench, keepalive_timeout);
    wait(&mut bench, keepalive_timeout);
    assert!(matches!(bench.outputs.last(), Some(Output::LinkDown(EndReason::KeepaliveTimeout))));
}
