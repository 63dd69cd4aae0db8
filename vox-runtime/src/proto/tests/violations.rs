//! Every rule of the protocol, broken: the session that sees it says so once, by name, and ends.

use super::session::MAX_UNREAD_ANSWERS;
use super::testing::{Bench, OURS, THEIRS, call, items, long, long_call, open, part, two_of_each};
use super::{Output, Token};
use crate::error::{EndReason, ProtocolViolation, Refusal, RefusalCode, Rule};
use crate::ids::{ChannelId, ConnectionId, RequestId};
use crate::limits::Limits;
use crate::metadata::Metadata;
use crate::wire::{ChannelDirection, Frame, LongHead, PART, Reset, Telling};
use ChannelDirection::{CallerSends, HandlerSends};

/// What leads up to the last step, and the last step, which must be the violation.
enum Step {
    In(Frame),
    Raw(&'static [u8]),
    Do(fn(&mut Bench)),
}

use Step::{Do, In, Raw};

/// A call of this end's own, request 2, with channel 2 that it sends on and channel 4 that it receives on.
fn our_call(bench: &mut Bench) {
    bench.call(7, &[CallerSends, HandlerSends]);
}

fn reply(connection: ConnectionId, request: u64) -> Step {
    In(Frame::Reply { connection, request: RequestId(request), payload: bytes::Bytes::from_static(&[0]) })
}

fn cancel(connection: ConnectionId, request: u64) -> Step {
    In(Frame::Cancel { connection, request: RequestId(request) })
}

fn acknowledge(connection: ConnectionId) -> Step {
    In(Frame::Acknowledge { connection, operation: crate::operation::OperationId::from_u128(1) })
}

fn contract(connection: ConnectionId) -> Frame {
    let contract = crate::schema::Contract::new(Default::default());
    Frame::Contract { connection, hash: contract.hash(), contract: contract.bytes().clone() }
}

fn close(connection: ConnectionId, channel: u64) -> Step {
    In(Frame::Close { connection, channel: ChannelId(channel), metadata: Metadata::new() })
}

fn reset(connection: ConnectionId, channel: u64) -> Step {
    In(Frame::Reset { connection, channel: ChannelId(channel), why: Reset::Gone })
}

fn credit(connection: ConnectionId, channel: u64, items: u32, bytes: u32) -> Step {
    In(Frame::Credit { connection, channel: ChannelId(channel), items, bytes })
}

fn metadata(entries: usize) -> Metadata {
    let mut metadata = Metadata::new();
    for _ in 0..entries {
        metadata.insert("k", "v");
    }
    metadata
}

fn cases() -> Vec<(Rule, &'static str, Vec<Step>)> {
    let never = ConnectionId(5);
    vec![
        (Rule::MalformedFrame, "a frame of no bytes", vec![Raw(&[])]),
        (Rule::MalformedFrame, "an unknown kind", vec![Raw(&[0x7f])]),
        (Rule::MalformedFrame, "a handshake message", vec![Raw(b"\x01vox\x01")]),
        (Rule::MalformedFrame, "bytes past the end", vec![Raw(&[0x13, 1, 0])]),
        (
            Rule::MalformedFrame,
            "an item longer than its frame",
            vec![In(call(THEIRS, 1, &[(1, CallerSends)])), Raw(&[0x30, 1, 1, 2, 0])],
        ),
        (Rule::MalformedFrame, "a run of no items", vec![In(call(THEIRS, 1, &[(1, CallerSends)])), Raw(&[0x30, 1, 1])]),
        (
            Rule::FrameTooLarge,
            "a length past the limit, which the reader of the link sees",
            vec![Do(|bench| bench.change(|s| s.on_violation(&ProtocolViolation::new(Rule::FrameTooLarge, "long"))))],
        ),
        (Rule::WrongParity, "a connection", vec![In(open(4, "alpha"))]),
        (Rule::WrongParity, "connection 0", vec![In(open(0, "alpha"))]),
        (Rule::WrongParity, "a request", vec![In(call(THEIRS, 2, &[]))]),
        (Rule::WrongParity, "a channel", vec![In(call(THEIRS, 1, &[(2, CallerSends)]))]),
        (Rule::IdReused, "a connection that is open", vec![In(open(1, "alpha"))]),
        (Rule::IdReused, "a connection that was refused", vec![In(open(3, "beta")), In(open(3, "alpha"))]),
        (Rule::IdReused, "a request that runs", vec![In(call(THEIRS, 1, &[])), In(call(THEIRS, 1, &[]))]),
        (
            Rule::IdReused,
            "a request that was answered",
            vec![
                In(call(THEIRS, 3, &[])),
                Do(|bench| bench.returns(THEIRS, 3)),
                Do(Bench::write),
                In(call(THEIRS, 3, &[])),
            ],
        ),
        (Rule::IdReused, "a request that was skipped", vec![In(call(THEIRS, 5, &[])), In(call(THEIRS, 3, &[]))]),
        (
            Rule::IdReused,
            "a channel that was closed",
            vec![In(call(THEIRS, 1, &[(1, CallerSends)])), close(THEIRS, 1), In(call(THEIRS, 3, &[(1, CallerSends)]))],
        ),
        (
            Rule::IdReused,
            "a channel, twice in one call",
            vec![In(call(THEIRS, 1, &[(1, CallerSends), (1, CallerSends)]))],
        ),
        (
            Rule::TooManyCalls,
            "a third where two are allowed",
            vec![In(call(THEIRS, 1, &[])), In(call(THEIRS, 3, &[])), In(call(THEIRS, 5, &[]))],
        ),
        (
            Rule::TooManyCalls,
            "a cancelled call counts until its handler has ended",
            vec![In(call(THEIRS, 1, &[])), In(call(THEIRS, 3, &[])), cancel(THEIRS, 1), In(call(THEIRS, 5, &[]))],
        ),
        (
            Rule::TooManyCalls,
            "replies that are not read",
            vec![
                In(call(THEIRS, 1, &[])),
                In(call(THEIRS, 3, &[])),
                Do(|bench| bench.returns(THEIRS, 1)),
                Do(|bench| bench.returns(THEIRS, 3)),
                In(call(THEIRS, 5, &[])),
            ],
        ),
        (Rule::TooManyConnections, "a third", vec![In(open(3, "alpha")), In(open(5, "alpha"))]),
        (
            Rule::TooManyChannels,
            "a third in one call",
            vec![In(call(THEIRS, 1, &[(1, CallerSends), (3, HandlerSends), (5, CallerSends)]))],
        ),
        (
            Rule::TooManyChannels,
            "a third in a second call",
            vec![
                In(call(THEIRS, 1, &[(1, CallerSends), (3, HandlerSends)])),
                In(call(THEIRS, 3, &[(5, HandlerSends)])),
            ],
        ),
        (
            Rule::CreditOverrun,
            "a third item",
            vec![In(call(THEIRS, 1, &[(1, CallerSends)])), In(items(THEIRS, 1, &[1, 1])), In(items(THEIRS, 1, &[0]))],
        ),
        (
            Rule::CreditOverrun,
            "an item past the bytes",
            vec![In(call(THEIRS, 1, &[(1, CallerSends)])), In(items(THEIRS, 1, &[10, 1]))],
        ),
        (Rule::CreditOverrun, "on a channel of this end's call", vec![Do(our_call), In(items(OURS, 4, &[1, 1, 1]))]),
        (Rule::CreditOverflow, "items", vec![Do(our_call), credit(OURS, 2, u32::MAX, 0)]),
        (
            Rule::CreditOverflow,
            "bytes, in two grants",
            vec![
                In(call(THEIRS, 1, &[(1, HandlerSends)])),
                credit(THEIRS, 1, 0, 1 << 30),
                credit(THEIRS, 1, 0, 1 << 30),
            ],
        ),
        (Rule::UnknownConnection, "a call", vec![In(call(never, 1, &[]))]),
        (Rule::UnknownConnection, "a cancel", vec![cancel(never, 1)]),
        (Rule::UnknownConnection, "an acknowledgement", vec![acknowledge(never)]),
        (Rule::UnknownConnection, "a reply", vec![reply(ConnectionId(4), 2)]),
        (Rule::UnknownConnection, "items", vec![In(items(never, 1, &[1]))]),
        (Rule::UnknownConnection, "a reset on connection 0", vec![reset(ConnectionId(0), 1)]),
        (Rule::UnknownConnection, "a shut", vec![In(Frame::Shut { connection: never })]),
        (
            Rule::UnknownConnection,
            "an acceptance",
            vec![In(Frame::Accept { connection: ConnectionId(4), differs: None })],
        ),
        (Rule::UnknownConnection, "a second acceptance", vec![In(Frame::Accept { connection: OURS, differs: None })]),
        (
            Rule::UnknownConnection,
            "a refusal after an acceptance",
            vec![In(Frame::Refuse { connection: OURS, refusal: Refusal::new(RefusalCode::Busy, "") })],
        ),
        (Rule::UnknownConnection, "a contract that nobody waits for", vec![In(contract(OURS))]),
        (
            Rule::UnknownConnection,
            "a contract of a connection that was never opened",
            vec![In(contract(ConnectionId(4)))],
        ),
        (Rule::UnknownConnection, "a contract from an opener that was told none", vec![In(contract(THEIRS))]),
        (
            Rule::MalformedFrame,
            "an acceptance that differs from a contract that was not told",
            vec![
                Do(|bench| {
                    bench.change(|s| s.open("alpha", Metadata::new(), None, None, Token(1))).expect("there is room")
                }),
                In(Frame::Accept {
                    connection: ConnectionId(4),
                    differs: Some(Telling { acceptors: true, openers: true }),
                }),
            ],
        ),
        (
            Rule::MalformedFrame,
            "an acceptance by a contract that was not recalled",
            vec![
                Do(|bench| {
                    let ours = crate::schema::Contract::new(Default::default()).into();
                    bench
                        .change(|s| s.open("alpha", Metadata::new(), Some(ours), None, Token(1)))
                        .expect("there is room");
                }),
                In(Frame::Accept {
                    connection: ConnectionId(4),
                    differs: Some(Telling { acceptors: false, openers: true }),
                }),
            ],
        ),
        (Rule::UnknownChannel, "items", vec![In(items(THEIRS, 1, &[1]))]),
        (Rule::UnknownChannel, "credit", vec![Do(our_call), credit(OURS, 6, 1, 1)]),
        (Rule::UnknownChannel, "of the other parity", vec![Do(our_call), reset(OURS, 3)]),
        (
            Rule::UnknownChannel,
            "items after the end of a channel that is not bound",
            vec![In(call(THEIRS, 1, &[(1, CallerSends)])), close(THEIRS, 1), In(items(THEIRS, 1, &[1]))],
        ),
        (
            Rule::UnknownChannel,
            "a second end of a channel that is not bound",
            vec![In(call(THEIRS, 1, &[(1, CallerSends)])), close(THEIRS, 1), reset(THEIRS, 1)],
        ),
        (Rule::UnknownRequest, "a cancel of what was never called", vec![cancel(THEIRS, 1)]),
        (Rule::UnknownRequest, "a reply to what was never called", vec![reply(OURS, 2)]),
        (Rule::UnknownRequest, "a second reply", vec![Do(our_call), reply(OURS, 2), reply(OURS, 2)]),
        (Rule::WrongDirection, "a call from the server", vec![In(call(OURS, 1, &[]))]),
        (Rule::WrongDirection, "a cancel from the server", vec![Do(our_call), cancel(OURS, 2)]),
        (Rule::WrongDirection, "an acknowledgement from the server", vec![acknowledge(OURS)]),
        (Rule::WrongDirection, "a reply from the caller", vec![In(call(THEIRS, 1, &[])), reply(THEIRS, 1)]),
        (
            Rule::WrongDirection,
            "an acceptance of its own",
            vec![In(Frame::Accept { connection: THEIRS, differs: None })],
        ),
        (Rule::WrongDirection, "items from the receiver", vec![Do(our_call), In(items(OURS, 2, &[1]))]),
        (Rule::WrongDirection, "a close from the receiver", vec![Do(our_call), close(OURS, 2)]),
        (Rule::WrongDirection, "credit from the sender", vec![Do(our_call), credit(OURS, 4, 1, 1)]),
        (
            Rule::WrongDirection,
            "items from the receiver, before it is bound",
            vec![In(call(THEIRS, 1, &[(1, HandlerSends)])), In(items(THEIRS, 1, &[1]))],
        ),
        (
            Rule::MetadataTooLarge,
            "on a close",
            vec![
                In(call(THEIRS, 1, &[(1, CallerSends)])),
                In(Frame::Close { connection: THEIRS, channel: ChannelId(1), metadata: metadata(65) }),
            ],
        ),
        (
            Rule::Flood,
            "pings whose pongs are not read",
            vec![
                Do(|bench| (0..MAX_UNREAD_ANSWERS).for_each(|n| bench.accept(Frame::Ping { nonce: n as u64 }))),
                In(Frame::Ping { nonce: 0 }),
            ],
        ),
        (
            Rule::Flood,
            "opens whose refusals are not read",
            vec![
                Do(|bench| (1..=MAX_UNREAD_ANSWERS as u64).for_each(|n| bench.accept(open(2 * n + 1, "beta")))),
                In(Frame::Ping { nonce: 0 }),
            ],
        ),
        (
            Rule::Flood,
            "opens that are shut before their acceptance is read",
            vec![
                Do(|bench| {
                    for n in 1..=MAX_UNREAD_ANSWERS as u64 {
                        bench.accept(open(2 * n + 1, "alpha"));
                        bench.accept(Frame::Shut { connection: ConnectionId(2 * n + 1) });
                    }
                }),
                In(open(1_000_001, "alpha")),
            ],
        ),
        (Rule::FalseAck, "an ack where none is due", vec![In(Frame::Ack { received: 0 })]),
        (Rule::FalseAck, "an ack past the end", vec![Do(resumable), In(Frame::Ack { received: 1000 })]),
        (
            Rule::FalseAck,
            "an ack of what was not yet sent",
            vec![Do(resumable), Do(our_unsent_call), In(Frame::Ack { received: 20 })],
        ),
        (
            Rule::FalseAck,
            "an ack that goes back",
            vec![
                Do(resumable),
                Do(our_unsent_call),
                Do(Bench::write),
                In(Frame::Ack { received: 2 }),
                In(Frame::Ack { received: 1 }),
            ],
        ),
    ]
}

/// A long item on a channel that the peer sends on.
fn long_items(number: u64, total: u64, connection: ConnectionId, channel: u64) -> Step {
    In(long(number, total, LongHead::Items { connection, channel: ChannelId(channel) }))
}

fn long_reply(number: u64, total: u64, request: u64) -> Step {
    In(long(number, total, LongHead::Reply { connection: OURS, request: RequestId(request) }))
}

fn forget(number: u64) -> Step {
    In(Frame::Forget { number })
}

/// One long message at once, of a hundred bytes.
fn few_parts(bench: &mut Bench) {
    *bench = Bench::new(Limits {
        max_partial_messages: 2,
        max_partial_bytes: 100,
        max_message_bytes: 100,
        max_calls: 10,
        ..two_of_each()
    });
}

/// A long call of this end's own, request 2, that has not left.
fn our_upload(bench: &mut Bench) {
    bench.call_with(7, &[], None, 3 * PART);
}

fn long_cases() -> Vec<(Rule, &'static str, Vec<Step>)> {
    let begun = |request| In(long_call(1, 100, request, &[]));
    let channel = || In(call(THEIRS, 1, &[(1, CallerSends)]));
    vec![
        (Rule::WrongPart, "a part of no message", vec![In(part(1, 1))]),
        (Rule::WrongPart, "a part of another message", vec![begun(1), In(part(2, 1))]),
        (Rule::WrongPart, "an empty part", vec![begun(1), In(part(1, 0))]),
        (Rule::WrongPart, "a part past the total", vec![begun(1), In(part(1, 99)), In(part(1, 2))]),
        (Rule::WrongPart, "a part after the last", vec![begun(1), In(part(1, 100)), In(part(1, 1))]),
        (Rule::WrongPart, "a part after a cancel", vec![begun(1), In(part(1, 10)), forget(1), In(part(1, 10))]),
        (Rule::WrongPart, "a cancel after the last part", vec![begun(1), In(part(1, 100)), forget(1)]),
        (Rule::WrongPart, "a cancel of what never began", vec![forget(1)]),
        (
            Rule::WrongPart,
            "an item before the one that is in parts",
            vec![channel(), long_items(1, 3, THEIRS, 1), In(items(THEIRS, 1, &[1]))],
        ),
        (
            Rule::WrongPart,
            "a second item in parts at once",
            vec![channel(), long_items(1, 3, THEIRS, 1), long_items(2, 3, THEIRS, 1)],
        ),
        (
            Rule::WrongPart,
            "a close in the middle of an item",
            vec![channel(), long_items(1, 3, THEIRS, 1), In(part(1, 1)), close(THEIRS, 1)],
        ),
        (
            Rule::WrongPart,
            "a reset in the middle of an item",
            vec![channel(), long_items(1, 3, THEIRS, 1), reset(THEIRS, 1)],
        ),
        (Rule::MalformedFrame, "a long message of nothing", vec![In(long_call(1, 0, 1, &[]))]),
        (Rule::FrameTooLarge, "a long message past the limit", vec![In(long_call(1, (4 << 20) + 1, 1, &[]))]),
        (Rule::FrameTooLarge, "a total that lies", vec![In(long_call(1, u64::MAX, 1, &[]))]),
        (
            Rule::IdReused,
            "a long message's number again",
            vec![begun(1), In(part(1, 100)), In(long_call(1, 9, 3, &[]))],
        ),
        (Rule::IdReused, "a long call's request again", vec![begun(1), In(call(THEIRS, 1, &[]))]),
        (Rule::IdReused, "a cancelled long call's request again", vec![begun(1), forget(1), In(call(THEIRS, 1, &[]))]),
        (
            Rule::TooManyCalls,
            "long calls that are not whole",
            vec![In(long_call(1, 9, 1, &[])), In(long_call(2, 9, 3, &[])), In(call(THEIRS, 5, &[]))],
        ),
        (
            Rule::TooManyChannels,
            "channels of long calls that are not whole",
            vec![
                In(long_call(1, 9, 1, &[(1, CallerSends), (3, CallerSends)])),
                In(call(THEIRS, 3, &[(5, CallerSends)])),
            ],
        ),
        (
            Rule::TooManyParts,
            "too many long messages begun",
            vec![
                Do(few_parts),
                In(long_call(1, 9, 1, &[])),
                In(long_call(2, 9, 3, &[])),
                In(long_call(3, 9, 5, &[])),
                In(part(1, 1)),
                In(part(2, 1)),
                In(part(3, 1)),
            ],
        ),
        (
            Rule::TooManyParts,
            "too many bytes of long messages begun",
            vec![
                Do(few_parts),
                In(long_call(1, 60, 1, &[])),
                In(long_call(2, 60, 3, &[])),
                In(part(1, 1)),
                In(part(2, 1)),
            ],
        ),
        (Rule::UnknownRequest, "a long reply to no request", vec![long_reply(1, 9, 2)]),
        (Rule::UnknownRequest, "a second long reply", vec![Do(our_call), long_reply(1, 9, 2), long_reply(2, 9, 2)]),
        (Rule::UnknownRequest, "a reply beside a long one", vec![Do(our_call), long_reply(1, 9, 2), reply(OURS, 2)]),
        (Rule::UnknownRequest, "a reply to a call that is not whole", vec![Do(our_upload), reply(OURS, 2)]),
        (Rule::UnknownRequest, "a long reply to a call that is not whole", vec![Do(our_upload), long_reply(1, 9, 2)]),
        (
            Rule::UnknownConnection,
            "a long call on no connection",
            vec![In(long(
                1,
                9,
                match call(ConnectionId(5), 1, &[]) {
                    Frame::Call { head, .. } => LongHead::Call(head),
                    other => panic!("{other:?}"),
                },
            ))],
        ),
        (Rule::UnknownChannel, "a long item on no channel", vec![long_items(1, 9, THEIRS, 1)]),
        (
            Rule::WrongDirection,
            "a long item from a receiver",
            vec![In(call(THEIRS, 1, &[(1, HandlerSends)])), long_items(1, 9, THEIRS, 1)],
        ),
        (
            Rule::MalformedFrame,
            "a long item that is longer than it says",
            vec![channel(), long_items(1, 9, THEIRS, 1), In(part(1, 9))],
        ),
        (
            Rule::CreditOverrun,
            "a long item without credit",
            vec![
                In(call(THEIRS, 1, &[(1, CallerSends)])),
                In(items(THEIRS, 1, &[10])),
                long_items(1, 8, THEIRS, 1),
                In(part(1, 8)),
            ],
        ),
    ]
}

/// The session can be resumed, as if it had begun just now.
fn resumable(bench: &mut Bench) {
    *bench = Bench::resumable(two_of_each());
}

/// A call that is not written.
fn our_unsent_call(bench: &mut Bench) {
    bench.call(7, &[]);
}

// proves: contract.recalled, contract.unwaited, refuse.unasked, call.channels, call.reply.unasked, call.cancel.reply
// proves: call.unread, channel.direction, channel.second-end, items.empty, credit.overrun, credit.overflow
// proves: long.reply.alone, long.item.alone, long.part.fits, long.number, violation.named, violation.nothing
// proves: ack.false
#[test]
fn every_broken_rule_is_named_once_and_ends_the_session() {
    let mut cases = cases();
    cases.extend(long_cases());
    for rule in Rule::ALL {
        assert!(cases.iter().any(|(broken, ..)| broken == rule), "nothing breaks {}", rule.name());
    }
    for (rule, what, steps) in cases {
        check(rule, what, steps);
    }
}

fn check(rule: Rule, what: &str, mut steps: Vec<Step>) {
    let mut bench = Bench::new(two_of_each());
    let last = steps.pop().expect("a violation");
    for step in steps {
        match step {
            In(frame) => bench.accept(frame),
            Raw(body) => bench.receive_raw(body).expect("only the last step breaks a rule"),
            Do(change) => change(&mut bench),
        }
    }
    let seen = match last {
        In(frame) => bench.receive(&frame).map_err(|violation| violation.rule),
        Raw(body) => bench.receive_raw(body).map_err(|violation| violation.rule),
        Do(change) => {
            change(&mut bench);
            Err(rule)
        }
    };
    assert_eq!(seen, Err(rule), "{what}");

    let Some(Output::Ended(EndReason::PeerViolation(violation))) = bench.outputs.last() else {
        panic!("{what}: the session goes on: {:?}", bench.outputs.last());
    };
    assert_eq!(violation.rule, rule, "{what}");
    assert!(!violation.detail.is_empty(), "{what}");
    let sent = bench.sent();
    let named = |frame: &&Frame| matches!(frame, Frame::Violation(violation) if violation.rule == rule);
    assert_eq!(sent.iter().filter(named).count(), 1, "{what}");
    assert!(sent.last().is_some_and(|frame| named(&frame)), "{what}: something follows the violation");

    // Nothing is left, nothing more is said, and what still arrives is not looked at.
    let outputs = bench.outputs.len();
    bench.accept(Frame::Ping { nonce: 1 });
    assert_eq!(bench.receive_raw(&[0x7f]), Ok(()), "{what}");
    bench.change(|session| session.on_violation(&ProtocolViolation::new(Rule::FrameTooLarge, "late")));
    assert_eq!((bench.outputs.len(), bench.sent()), (outputs, Vec::new()), "{what}");
    assert!(!bench.session.has_connections() && !bench.session.is_live(), "{what}");
    assert_eq!(bench.session.poll_timeout(), None, "{what}");
}

/// What a late frame may be: for anything that was opened once, of either end.
// proves: id.late, shut.late, call.cancel.late
#[test]
fn frames_for_what_is_gone_are_ignored() {
    let mut bench = Bench::new(two_of_each());
    bench.accept(call(THEIRS, 1, &[(1, CallerSends), (3, HandlerSends)]));
    bench.returns(THEIRS, 1);
    our_call(&mut bench);
    bench.change(|session| session.reset_channel(OURS, ChannelId(4), Reset::Gone));
    bench.change(|session| session.close_channel(OURS, ChannelId(2), Metadata::new()));
    let late = || {
        let on = |connection, (sends, receives): (u64, u64)| {
            [items(connection, sends, &[1]), items(connection, sends, &[9, 9, 9])].map(In).into_iter().chain([
                close(connection, sends),
                reset(connection, sends),
                credit(connection, receives, 1, 1),
                reset(connection, receives),
            ])
        };
        on(THEIRS, (1, 3)).chain(on(OURS, (4, 2))).chain([cancel(THEIRS, 1)])
    };
    let accept = |bench: &mut Bench, step| {
        if let In(frame) = step {
            bench.accept(frame);
        }
    };
    late().for_each(|step| accept(&mut bench, step));

    bench.accept(Frame::Shut { connection: THEIRS });
    bench.change(|session| session.shut(OURS));
    late().for_each(|step| accept(&mut bench, step));
    accept(&mut bench, reply(OURS, 2));
    accept(&mut bench, In(call(THEIRS, 3, &[(5, CallerSends)])));
    for connection in [THEIRS, OURS] {
        bench.accept(Frame::Shut { connection });
    }
    bench.accept(Frame::Accept { connection: OURS, differs: None });
    assert!(!bench.session.has_connections());
}
