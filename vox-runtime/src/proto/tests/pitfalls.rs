//! Faults that earlier designs had, where they concern the core: one test each, by number.

use std::time::Duration;

use bytes::Bytes;

use super::testing::{Bench, OURS, PERSIST, THEIRS, VOLATILE, call, call_of, items, open, two_of_each};
use super::{CallEnd, ChannelEnd, Gate, HandlerEnd, NewCall, Output, Run, Sent, Token};
use crate::error::{EndReason, Refusal, RefusalCode, Scarce, Short};
use crate::ids::{ChannelId, ConnectionId, RequestId};
use crate::limits::Limits;
use crate::metadata::Metadata;
use crate::wire::{ChannelDirection, Failure, Frame, Payload, Reset};
use ChannelDirection::{CallerSends, HandlerSends};

#[test]
fn pitfall_15_an_abandoned_call_is_cancelled_and_its_slot_is_free_after_the_answer() {
    let mut bench = Bench::new(two_of_each());
    let (first, _) = bench.call(1, &[]);
    bench.call(2, &[]);
    bench.sent();
    bench.change(|session| session.abandon(OURS, first));
    bench.change(|session| session.abandon(OURS, first));
    assert_eq!(bench.sent(), [Frame::Cancel { connection: OURS, request: first }]);
    assert_eq!(bench.session.gate(OURS, 0), Gate::Wait, "the peer's handler may still run");

    bench.accept(Frame::Reply { connection: OURS, request: first, payload: vec![1, 4].into() });
    assert_eq!(bench.session.gate(OURS, 0), Gate::Open);
    assert!(matches!(bench.outputs[..], [Output::Room]), "nobody waits for it: {:?}", bench.outputs);
}

// proves: call.cancel.reply
#[test]
fn pitfall_15_a_cancelled_handler_is_answered_for_when_it_has_ended() {
    let mut bench = Bench::new(two_of_each());
    bench.accept(call(THEIRS, 1, &[]));
    bench.accept(Frame::Cancel { connection: THEIRS, request: RequestId(1) });
    bench.accept(Frame::Cancel { connection: THEIRS, request: RequestId(1) });
    let aborts = |bench: &Bench| bench.outputs.iter().filter(|o| matches!(o, Output::AbortHandler { .. })).count();
    assert_eq!(aborts(&bench), 1);
    assert_eq!(bench.sent(), [], "the handler runs");
    // It returned before it noticed: the caller wanted no answer, and learns that it has none.
    bench.returns(THEIRS, 1);
    assert_eq!(bench.sent(), [answer(1, &Failure::Cancelled)]);
    bench.returns(THEIRS, 1);
    assert_eq!(bench.sent(), [], "one answer");
}

/// The rest of it, parity and reuse and the limit on the serving side, is in the table of violations.
#[test]
fn pitfall_16_a_caller_waits_at_the_peers_limit() {
    let mut bench = Bench::new(two_of_each());
    let (first, _) = bench.call(1, &[CallerSends]);
    assert_eq!(bench.session.gate(OURS, 2), Gate::Wait, "one channel more than there is room for");
    assert_eq!(bench.session.gate(OURS, 1), Gate::Open);
    bench.call(2, &[HandlerSends]);
    assert_eq!(bench.session.gate(OURS, 0), Gate::Wait);
    bench.accept(Frame::Reply { connection: OURS, request: first, payload: vec![0].into() });
    assert_eq!(bench.session.gate(OURS, 0), Gate::Open);
    assert_eq!(bench.session.gate(OURS, 1), Gate::Wait, "channels outlive their calls");

    bench.change(|session| session.open("alpha", Metadata::new(), None, None, Token(9))).expect("a second connection");
    let third = bench.change(|session| session.open("alpha", Metadata::new(), None, None, Token(10)));
    assert_eq!(third.map_err(|refusal| refusal.code), Err(RefusalCode::Busy));
}

/// Writes are reported after they are made: the peer may have read a reply that is not yet known to be written.
// proves: violation.honest
#[test]
fn pitfall_16_a_caller_is_not_accused_for_being_quick() {
    let mut bench = Bench::new(two_of_each());
    bench.accept(call(THEIRS, 1, &[]));
    bench.accept(call(THEIRS, 3, &[]));
    bench.returns(THEIRS, 1);
    let mut batch = super::Batch::default();
    bench.session.take(&mut batch);
    bench.accept(call(THEIRS, 5, &[]));
    let over = bench.receive(&call(THEIRS, 7, &[])).map_err(|violation| violation.rule);
    assert_eq!(over, Err(crate::error::Rule::TooManyCalls));
}

#[test]
fn pitfall_22_a_refusal_reaches_the_opener() {
    let mut bench = Bench::new(two_of_each());
    bench.change(|session| session.open("beta", Metadata::new(), None, None, Token(9))).expect("there is room");
    let refusal = Refusal::new(RefusalCode::UnknownService, "no beta here");
    bench.accept(Frame::Refuse { connection: ConnectionId(4), refusal: refusal.clone() });
    assert!(matches!(&bench.outputs[..], [Output::Opened { token: Token(9), result: Err(why) }] if *why == refusal));
    assert!(matches!(bench.session.gate(ConnectionId(4), 0), Gate::Closed(_)));
}

// proves: goodbye.end
#[test]
fn pitfall_25_the_peer_is_told_of_the_end_and_every_handler_is_counted_until_it_has_ended() {
    let mut bench = Bench::new(two_of_each());
    bench.accept(call(THEIRS, 1, &[]));
    bench.accept(call_of(PERSIST, THEIRS, 3, &[]));
    bench.change(|session| session.goodbye("shutting down"));
    assert_eq!(bench.sent(), [Frame::Goodbye { reason: "shutting down".into() }]);
    assert_eq!(aborted(&bench), [1], "the method that runs to its end runs on");
    assert_eq!(bench.session.handlers_running(), 2);
    bench.change(|session| session.handler_ended(THEIRS, RequestId(1), HandlerEnd::Aborted));
    bench.returns(THEIRS, 3);
    assert_eq!(bench.session.handlers_running(), 0);
    assert_eq!(bench.sent(), [], "nobody is left to answer");
}

/// Opening, calling and shutting in turns must not run more handlers than the limits allow together.
// proves: shut.room
#[test]
fn pitfall_25_handlers_of_connections_that_are_gone_still_take_their_room() {
    let mut bench = Bench::new(two_of_each());
    for n in 0..10 {
        let connection = ConnectionId(2 * n + 3);
        bench.accept(open(connection.0, "alpha"));
        bench.accept(call(connection, 1, &[]));
        bench.accept(Frame::Shut { connection });
        assert!(bench.session.handlers_running() <= 4, "{} handlers", bench.session.handlers_running());
    }
    bench.sent();
    bench.accept(call(THEIRS, 1, &[]));
    assert_eq!(bench.sent(), [answer(1, &Failure::Busy(Short::new(Scarce::Handlers, 5, 4)))]);
    for n in 0..10 {
        let key = (ConnectionId(2 * n + 3), RequestId(1));
        bench.change(|session| session.handler_ended(key.0, key.1, HandlerEnd::Aborted));
    }
    assert_eq!(bench.session.handlers_running(), 0);
    bench.accept(call(THEIRS, 3, &[]));
    assert!(matches!(bench.outputs.last(), Some(Output::Dispatch(_))));
}

/// What serves a connection alone is kept for as long.
#[test]
fn a_connection_is_served_until_the_last_handler_that_came_with_it_has_ended() {
    let mut bench = Bench::new(two_of_each());
    bench.accept(call(THEIRS, 1, &[]));
    bench.accept(call_of(PERSIST, THEIRS, 3, &[]));
    bench.accept(Frame::Shut { connection: THEIRS });
    for id in [1, 3] {
        assert!(bench.session.serves(THEIRS), "handler {id} runs");
        bench.change(|session| session.handler_ended(THEIRS, RequestId(id), HandlerEnd::Aborted));
    }
    assert!(!bench.session.serves(THEIRS));
}

// proves: shut.detached
#[test]
fn detached_handlers_past_their_limit_are_refused_and_no_other_calls() {
    let mut bench = Bench::new(Limits { max_detached: 1, ..two_of_each() });
    bench.accept(call_of(PERSIST, THEIRS, 1, &[]));
    bench.accept(Frame::Cancel { connection: THEIRS, request: RequestId(1) });
    let Some(Output::Withdraw { connection, request, failure, runs_on: true, .. }) = bench.outputs.pop() else {
        panic!("its operation is told")
    };
    bench.change(|session| session.detach(connection, request, HandlerEnd::Failed(failure)));
    assert_eq!(bench.sent(), [answer(1, &Failure::Cancelled)], "at once: the handler runs on without its caller");
    bench.accept(call_of(PERSIST, THEIRS, 3, &[]));
    assert_eq!(bench.sent(), [answer(3, &Failure::Busy(Short::new(Scarce::Detached, 2, 1)))]);
    bench.accept(call_of(VOLATILE, THEIRS, 5, &[]));
    assert_eq!(bench.session.handlers_running(), 2);
    assert_eq!(bench.sent(), []);
}

#[test]
fn pitfall_27_a_dropped_receiver_fails_its_sender() {
    let mut bench = Bench::new(two_of_each());
    let (_, ids) = bench.call(1, &[CallerSends]);
    bench.accept(Frame::Reset { connection: OURS, channel: ids[0], why: Reset::Gone });
    let ended = |output: &Output| {
        matches!(output, Output::SenderEnded { token: Token(100), end: ChannelEnd::Reset(Reset::Gone) })
    };
    assert!(bench.outputs.iter().any(ended));
    assert_eq!(bench.change(|session| session.send_item(OURS, ids[0], &mut vec![1])), Sent::Gone);

    // On the handler's end the reset may come before the sender has a holder.
    bench.accept(call(THEIRS, 1, &[(1, HandlerSends)]));
    bench.accept(Frame::Reset { connection: THEIRS, channel: ChannelId(1), why: Reset::Gone });
    assert!(bench.change(|session| session.bind(THEIRS, ChannelId(1), Token(5))));
    let ended = |output: &Output| {
        matches!(output, Output::SenderEnded { token: Token(5), end: ChannelEnd::Reset(Reset::Gone) })
    };
    assert!(bench.outputs.last().is_some_and(ended));
}

// proves: close.clean
#[test]
fn pitfall_28_a_lost_link_is_never_a_clean_end() {
    let mut bench = Bench::new(two_of_each());
    bench.call(1, &[HandlerSends, CallerSends]);
    bench.accept(call(THEIRS, 1, &[(1, CallerSends)]));
    bench.change(|session| session.bind(THEIRS, ChannelId(1), Token(5)));
    let reason = EndReason::LinkLost("reset by peer".into());
    bench.change(|session| session.abandoned(reason.clone()));
    let lost = ChannelEnd::Lost(reason);
    for (receives, expected) in [(true, 100), (false, 101), (true, 5)] {
        let heard = bench.outputs.iter().filter(|output| match output {
            Output::ReceiverEnded { token, end } => receives && token.0 == expected && *end == lost,
            Output::SenderEnded { token, end } => !receives && token.0 == expected && *end == lost,
            _ => false,
        });
        assert_eq!(heard.count(), 1, "token {expected}");
    }
}

// proves: channel.kept
#[test]
fn pitfall_29_what_arrives_before_binding_is_kept_in_order_with_its_end() {
    for closes in [true, false] {
        let mut bench = Bench::new(Limits { channel_items: 200, channel_bytes: 10_000, ..two_of_each() });
        bench.accept(call(THEIRS, 1, &[(1, CallerSends)]));
        // More than the 64 after which an earlier design dropped them.
        for len in 0..100 {
            bench.accept(items(THEIRS, 1, &[len]));
        }
        let (connection, channel) = (THEIRS, ChannelId(1));
        bench.accept(match closes {
            true => Frame::Close { connection, channel, metadata: Metadata::new() },
            false => Frame::Reset { connection, channel, why: Reset::Dropped },
        });
        bench.outputs.clear();
        assert!(bench.change(|session| session.bind(THEIRS, channel, Token(5))));
        let end = bench.outputs.pop();
        let expected = if closes { ChannelEnd::Closed(Metadata::new()) } else { ChannelEnd::Reset(Reset::Dropped) };
        assert!(matches!(end, Some(Output::ReceiverEnded { token: Token(5), end }) if end == expected));
        let lengths: Vec<u8> = bench
            .outputs
            .iter()
            .map(|output| match output {
                Output::Deliver { token: Token(5), items } => items[0],
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(lengths, (0..100).collect::<Vec<u8>>());
    }
}

#[test]
fn pitfall_30_an_item_is_kept_or_delivered_whenever_the_channel_is_bound() {
    let mut bench = Bench::new(two_of_each());
    bench.accept(call(THEIRS, 1, &[(1, CallerSends)]));
    bench.accept(items(THEIRS, 1, &[1]));
    bench.change(|session| session.bind(THEIRS, ChannelId(1), Token(5)));
    bench.accept(items(THEIRS, 1, &[2]));
    let delivered = |output: &Output| match output {
        Output::Deliver { token: Token(5), items } => Some(items[0]),
        _ => None,
    };
    assert_eq!(bench.outputs.iter().filter_map(delivered).collect::<Vec<_>>(), [1, 2]);
    // One entry, one holder: a second is refused, and the first stays.
    assert!(!bench.change(|session| session.bind(THEIRS, ChannelId(1), Token(6))));
    bench.accept(Frame::Reset { connection: THEIRS, channel: ChannelId(1), why: Reset::Gone });
    assert!(matches!(bench.outputs.last(), Some(Output::Room)));
    let ended = |output: &Output| {
        matches!(output, Output::ReceiverEnded { token: Token(5), end: ChannelEnd::Reset(Reset::Gone) })
    };
    assert!(bench.outputs.iter().any(ended));
}

#[test]
fn pitfall_31_a_close_brings_its_metadata() {
    let mut bench = Bench::new(two_of_each());
    let (_, ids) = bench.call(1, &[HandlerSends]);
    let mut metadata = Metadata::new();
    metadata.insert("rows", "42");
    bench.accept(Frame::Close { connection: OURS, channel: ids[0], metadata: metadata.clone() });
    let closed = |output: &Output| matches!(output, Output::ReceiverEnded { end: ChannelEnd::Closed(brought), .. } if *brought == metadata);
    assert!(bench.outputs.iter().any(closed));
}

#[test]
fn pitfall_31_nothing_is_remembered_of_what_is_gone() {
    let mut bench = Bench::new(two_of_each());
    let mut sizes = Vec::new();
    for n in 0..2000 {
        let (request, channel) = (2 * n + 1, ChannelId(2 * n + 1));
        bench.accept(call(THEIRS, request, &[(channel.0, CallerSends)]));
        bench.change(|session| session.bind(THEIRS, channel, Token(5)));
        bench.accept(items(THEIRS, channel.0, &[3]));
        bench.accept(Frame::Close { connection: THEIRS, channel, metadata: Metadata::new() });
        bench.returns(THEIRS, request);
        let (request, ids) = bench.call(1, &[CallerSends]);
        bench.change(|session| session.close_channel(OURS, ids[0], Metadata::new()));
        bench.accept(Frame::Reply { connection: OURS, request, payload: vec![0].into() });
        let connection = ConnectionId(2 * n + 3);
        bench.accept(open(connection.0, "alpha"));
        bench.accept(Frame::Shut { connection });
        bench.sent();
        bench.outputs.clear();
        assert!(!bench.session.is_live());
        // Everything that it holds is in what it prints.
        sizes.push(format!("{:?}", bench.session).len());
    }
    assert!(sizes[1999] < sizes[100] + 1000, "from {} to {} bytes", sizes[100], sizes[1999]);
}

#[test]
fn pitfall_32_a_send_that_waits_has_taken_no_credit() {
    let mut bench = Bench::new(Limits { channel_bytes: 1000, ..two_of_each() });
    let (_, ids) = bench.call(1, &[CallerSends]);
    let send = |bench: &mut Bench| bench.change(|session| session.send_item(OURS, ids[0], &mut vec![1]));
    assert_eq!([send(&mut bench), send(&mut bench)], [Sent::Yes; 2]);
    assert_eq!([send(&mut bench), send(&mut bench), send(&mut bench)], [Sent::Wait; 3]);
    bench.accept(Frame::Credit { connection: OURS, channel: ids[0], items: 1, bytes: 1 });
    assert!(matches!(bench.outputs.last(), Some(Output::GrantPermits { token: Token(100) })));
    assert_eq!([send(&mut bench), send(&mut bench)], [Sent::Yes, Sent::Wait]);
}

/// What was gathered leaves in the frame of what went before, charged as if each item had been sent by itself.
#[test]
fn a_run_joins_the_items_before_it_and_takes_their_credit() {
    let mut bench = Bench::new(Limits { channel_items: 7, channel_bytes: 1000, ..two_of_each() });
    let (_, ids) = bench.call(1, &[CallerSends]);
    let credit =
        |bench: &mut Bench| bench.change(|session| session.room_for_run(OURS, ids[0], 0)).map(|room| room.credit);
    bench.sent();
    let sent = bench.change(|session| session.send_item(OURS, ids[0], &mut vec![1]));
    assert_eq!((sent, credit(&mut bench)), (Sent::Yes, Some((6, 999))));
    let run = Run { items: &[1, 8, 0, 2, 9, 9], count: 3, bytes: 3 };
    assert!(bench.change(|session| session.send_run(OURS, ids[0], &run)));
    assert_eq!(credit(&mut bench), Some((3, 996)));
    let items = Bytes::from_static(&[1, 1, 1, 8, 0, 2, 9, 9]);
    assert_eq!(bench.sent(), [Frame::Items { connection: OURS, channel: ids[0], items }]);
    assert!(bench.change(|session| session.send_run(OURS, ids[0], &run)));
    assert!(matches!(&bench.sent()[..], [Frame::Items { items, .. }] if items == run.items), "a frame of its own");
    bench.change(|session| session.reset_channel(OURS, ids[0], Reset::Gone));
    assert!(!bench.change(|session| session.send_run(OURS, ids[0], &run)), "it is gone");
}

#[test]
fn nothing_is_gathered_while_a_long_item_is_under_way() {
    let mut bench = Bench::new(Limits { channel_bytes: 1 << 20, ..Limits::default() });
    let (_, ids) = bench.call(1, &[CallerSends]);
    bench.sent();
    let sent = bench.change(|session| session.send_item(OURS, ids[0], &mut vec![1; 100_000]));
    assert_eq!((sent, bench.change(|session| session.room_for_run(OURS, ids[0], 0))), (Sent::Yes, None));
    bench.sent();
    assert!(bench.change(|session| session.room_for_run(OURS, ids[0], 0)).is_some(), "it has left");
}

#[test]
fn the_outbox_has_room_for_all_runs_that_may_be_gathered() {
    let mut bench = Bench::new(Limits { outbox_bytes: 1 << 10, ..Limits::default() });
    let (_, ids) = bench.call(1, &[CallerSends]);
    let room = |bench: &mut Bench, others| bench.change(|session| session.room_for_run(OURS, ids[0], others));
    bench.sent();
    assert_eq!(room(&mut bench, 0).map(|room| room.len), Some(128), "an eighth of it");
    assert_eq!([7, 8].map(|others| room(&mut bench, others).is_some()), [true, false]);
    bench.change(|session| session.send_item(OURS, ids[0], &mut vec![1; 900]));
    assert_eq!(room(&mut bench, 0), None);
}

// proves: call.lost
#[test]
fn a_call_has_never_left_only_where_nobody_can_have_written_it() {
    enum Stage {
        Put,
        Taken,
        Written,
    }
    let lost = || EndReason::LinkLost("cut".into());
    for (stage, ends_here, never_left) in [
        (Stage::Put, false, true),
        (Stage::Taken, false, false),
        (Stage::Written, false, false),
        // What is put is still written where this end says goodbye after it.
        (Stage::Put, true, false),
        (Stage::Written, true, false),
    ] {
        let mut bench = Bench::new(two_of_each());
        bench.call(1, &[]);
        match stage {
            Stage::Put => {}
            Stage::Taken => bench.session.take(&mut super::Batch::default()),
            Stage::Written => bench.write(),
        }
        match ends_here {
            true => bench.change(|session| session.goodbye("")),
            false => bench.change(|session| session.abandoned(lost())),
        }
        assert!(ends_here || bench.session.outbox().is_empty(), "nothing leaves after the link is lost");
        let expected = if never_left { CallEnd::NeverLeft(lost()) } else { CallEnd::Indeterminate };
        assert!(matches!(&bench.outputs[0], Output::Finish { token: Token(1), end } if *end == expected));
    }
}

// proves: call.deadline
#[test]
fn a_deadline_ends_a_call_on_both_ends() {
    let mut bench = Bench::new(two_of_each());
    let deadline = bench.now + Duration::from_millis(50);
    let new = NewCall {
        method: VOLATILE,
        operation: None,
        deadline: Some(deadline),
        patience: None,
        metadata: Metadata::new(),
        channels: Vec::new(),
    };
    let now = bench.now;
    bench.change(|session| session.call(now, OURS, Token(1), new, &mut Payload::default()));
    let Some(Frame::Call { mut head, payload }) = bench.sent().pop() else { panic!("a call") };
    assert_eq!(head.timeout, Some(Duration::from_millis(50)));
    (head.connection, head.request) = (THEIRS, RequestId(1));
    bench.accept(Frame::Call { head, payload });
    assert_eq!(bench.session.poll_timeout(), Some(deadline));
    bench.outputs.clear();
    bench.change(|session| session.handle_timeout(deadline));
    assert!(matches!(
        bench.outputs[..],
        [
            Output::Finish { token: Token(1), end: CallEnd::DeadlineExceeded },
            Output::AbortHandler { connection: THEIRS, request: RequestId(1), nth: 0 },
        ]
    ));
    bench.change(|session| session.handler_ended(THEIRS, RequestId(1), HandlerEnd::Aborted));
    let cancel = Frame::Cancel { connection: OURS, request: RequestId(2) };
    assert_eq!(bench.sent(), [cancel, answer(1, &Failure::DeadlineExceeded)]);
}

// proves: keepalive.lost
#[test]
fn a_silent_peer_is_probed_and_then_given_up() {
    let mut bench = Bench::new(Limits::default());
    let idle = bench.now + Duration::from_secs(30 * 60);
    assert_eq!(bench.session.poll_timeout(), Some(idle), "nothing is under way");
    bench.call(1, &[]);
    bench.sent();
    let probe = bench.now + Duration::from_secs(30);
    assert_eq!(bench.session.poll_timeout(), Some(probe));
    bench.change(|session| session.handle_timeout(probe));
    assert_eq!(bench.sent(), [Frame::Ping { nonce: 0 }]);
    // Any frame is a sign of life.
    bench.now = probe;
    bench.accept(Frame::Pong { nonce: 0 });
    let probe = probe + Duration::from_secs(30);
    bench.change(|session| session.handle_timeout(probe));
    let end = probe + Duration::from_secs(20);
    assert_eq!(bench.session.poll_timeout(), Some(end));
    bench.change(|session| session.handle_timeout(end));
    assert_eq!(bench.session.end_reason(), Some(&EndReason::KeepaliveTimeout));
}

// proves: keepalive.idle
#[test]
fn an_idle_peer_that_is_gone_does_not_keep_its_session() {
    let mut bench = Bench::new(Limits::default());
    let idle = bench.now + Duration::from_secs(30 * 60);
    bench.change(|session| session.handle_timeout(idle));
    assert_eq!(bench.sent(), [Frame::Ping { nonce: 0 }]);
    bench.change(|session| session.handle_timeout(idle + Duration::from_secs(20)));
    assert_eq!(bench.session.end_reason(), Some(&EndReason::KeepaliveTimeout));
}

#[test]
fn a_keepalive_past_the_end_of_time_is_none() {
    let mut bench = Bench::new(Limits { keepalive: Duration::MAX, ..Limits::default() });
    bench.call(1, &[]);
    assert_eq!(bench.session.poll_timeout(), None);
    let later = bench.now + Duration::from_secs(1 << 30);
    bench.change(|session| session.handle_timeout(later));
    assert_eq!(bench.session.end_reason(), None);
}

#[test]
fn a_response_over_the_callers_limit_is_said_to_be_lost() {
    let mut bench = Bench::new(two_of_each());
    bench.accept(call(THEIRS, 1, &[]));
    let most = bench.session.max_payload();
    bench.change(|session| {
        session.handler_ended(THEIRS, RequestId(1), HandlerEnd::Returned(&mut vec![0; most + 1].into()));
    });
    assert_eq!(bench.sent(), [answer(1, &Failure::response_too_large(most + 1, most))]);
}

/// The reply that the runtime makes to a request on the peer's connection.
fn answer(request: u64, failure: &Failure) -> Frame {
    let mut payload = Vec::new();
    failure.put(&mut payload);
    Frame::Reply { connection: THEIRS, request: RequestId(request), payload: payload.into() }
}

fn aborted(bench: &Bench) -> Vec<u64> {
    let aborted = |output: &Output| match output {
        Output::AbortHandler { request, .. } => Some(request.0),
        _ => None,
    };
    bench.outputs.iter().filter_map(aborted).collect()
}
