//! What nobody wants any more is not sent on, and what comes of it is not kept.

use super::*;

#[test]
fn an_item_that_its_receiver_does_not_want_is_not_sent_on() {
    let mut bench = Bench::new(roomy());
    let (_, ids) = bench.call(1, &[ChannelDirection::CallerSends]);
    bench.change(|session| session.send_item(OURS, ids[0], &mut vec![7; 5 * PART]));
    bench.write_parts(PART);
    bench.accept(Frame::Reset { connection: OURS, channel: ids[0], why: Reset::Gone });
    assert_eq!(told(&bench.sent()), "call L1 1 F1");
    assert_eq!(bench.session.outbox().pending_long(), 0);
}

#[test]
fn a_reply_that_its_caller_does_not_want_is_not_sent_on() {
    let mut bench = Bench::new(roomy());
    bench.accept(call(THEIRS, 1, &[]));
    bench.change(|session| {
        session.handler_ended(THEIRS, RequestId(1), HandlerEnd::Returned(&mut vec![0; 5 * PART].into()));
    });
    bench.write_parts(PART);
    bench.accept(Frame::Cancel { connection: THEIRS, request: RequestId(1) });
    let sent = bench.sent();
    assert_eq!(told(&sent), "L1 1 F1 reply");
    let mut cancelled = Vec::new();
    Failure::Cancelled.put(&mut cancelled);
    assert!(matches!(sent.last(), Some(Frame::Reply { payload, .. }) if *payload == cancelled));
}

// proves: long.ends
#[test]
fn what_is_on_a_connection_that_is_shut_is_forgotten() {
    for ours in [true, false] {
        let mut bench = Bench::new(roomy());
        let (_, ids) = bench.call(1, &[ChannelDirection::CallerSends]);
        bench.call_with(2, &[], None, 3 * PART);
        bench.change(|session| session.send_item(OURS, ids[0], &mut vec![7; 5 * PART]));
        bench.write_parts(PART);
        match ours {
            true => bench.change(|session| session.shut(OURS)),
            false => bench.accept(Frame::Shut { connection: OURS }),
        }
        let expected = if ours { "call L1 L2 1 F2 F1 shut" } else { "call L1 L2 1 F2 F1" };
        assert_eq!(told(&bench.sent()), expected);
    }
}

// proves: long.call.forgotten
#[test]
fn a_forgotten_call_leaves_nothing_but_its_id() {
    let mut bench = Bench::new(Limits { max_calls: 1, ..roomy() });
    bench.accept(long_call(1, 20, 1, &[(1, ChannelDirection::CallerSends)]));
    bench.accept(items(THEIRS, 1, &[3]));
    bench.accept(part(1, 19));
    bench.accept(Frame::Forget { number: 1 });
    assert_eq!(told(&bench.sent()), "reset");
    assert!(!bench.session.is_live());
    assert_eq!(bench.session.reassembly().sums(), (0, 0, 0));
    bench.accept(call(THEIRS, 3, &[]));
    assert_eq!(dispatched(&bench), [(3, 0)]);
}

/// What nobody waits for is counted and not kept.
// proves: long.unwanted
#[test]
fn parts_of_what_nobody_wants_are_taken_and_dropped() {
    let mut bench = Bench::new(roomy());
    let (request, _) = bench.call(1, &[]);
    bench.write();
    bench.accept(long(1, 30, LongHead::Reply { connection: OURS, request }));
    bench.accept(part(1, 10));
    bench.change(|session| session.abandon(OURS, request));
    bench.accept(part(1, 10));
    bench.session.reassembly().check_sums();
    bench.accept(part(1, 10));
    assert_eq!(bench.session.calls_in_flight(OURS), 0);
    bench.accept(call(THEIRS, 1, &[]));
    bench.accept(long_call(2, 20, 3, &[]));
    bench.accept(Frame::Shut { connection: THEIRS });
    bench.accept(part(2, 20));
    assert_eq!(dispatched(&bench), [(1, 0)]);
    assert_eq!(bench.session.reassembly().sums(), (0, 0, 0));
}

/// Announces a call of 64 entries of metadata on a connection.
fn laden_call(number: u64, connection: ConnectionId, request: u64) -> Frame {
    let Frame::Call { mut head, .. } = call(connection, request, &[]) else { panic!("a call") };
    for entry in 0..64 {
        head.metadata.insert(format!("{entry}"), "v".repeat(100));
    }
    long(number, 9, LongHead::Call(head))
}

// proves: long.announced
#[test]
fn what_is_announced_for_nobody_is_counted_without_what_its_head_says_and_bounded() {
    let limits = Limits { max_connections: 2, max_calls: 3, max_channels: 2, ..Limits::default() };
    // Two connections, of three calls and two channels each, and as many of what ended meanwhile.
    let most = 20;
    let mut bench = Bench::new(limits);
    bench.accept(call(THEIRS, 1, &[(1, ChannelDirection::CallerSends)]));
    bench.accept(Frame::Reset { connection: THEIRS, channel: ChannelId(1), why: Reset::Gone });
    bench.accept(laden_call(1, THEIRS, 3));
    bench.accept(laden_call(2, THEIRS, 5));
    bench.accept(part(2, 1));
    assert!(bench.session.memory() > 3 * 6_000, "{}", bench.session.memory());
    let gone = ConnectionId(THEIRS.0 + 2);
    bench.accept(open(gone.0, "Nothing"));
    bench.change(|session| session.refuse(gone, Refusal::new(RefusalCode::UnknownService, "nothing")));
    bench.accept(Frame::Shut { connection: THEIRS });
    bench.write();
    let kept = |bench: &Bench| bench.session.reassembly().kept();
    // What has come of one that has begun goes with its next part.
    assert_eq!(kept(&bench), 2 * STRAY + 9);
    bench.accept(part(2, 1));
    assert_eq!(kept(&bench), 2 * STRAY);
    for number in 3..most {
        bench.accept(laden_call(number, gone, 2 * number + 1));
    }
    bench.accept(long(most, 9, LongHead::Items { connection: THEIRS, channel: ChannelId(1) }));
    bench.session.reassembly().check_sums();
    assert_eq!(kept(&bench), most as usize * STRAY);
    assert!(bench.session.reassembly().heads_are_short(), "nothing is kept of what they say");
    // One ends, and there is room for another. All may end.
    bench.accept(Frame::Forget { number: 1 });
    bench.accept(laden_call(most + 1, gone, 2 * most + 3));
    let another = bench.receive(&laden_call(most + 2, gone, 2 * most + 5)).expect_err("one too many");
    assert_eq!(another.rule, Rule::TooManyParts);
    assert_eq!(another.detail, "long message 22 is announced beside 20 others, which is the most there may be");
}

#[test]
fn what_was_announced_for_nobody_leaves_nothing_when_it_ends() {
    let mut bench = Bench::new(roomy());
    for number in 1..=10 {
        bench.accept(laden_call(number, THEIRS, 2 * number - 1));
    }
    bench.accept(Frame::Shut { connection: THEIRS });
    bench.accept(laden_call(11, THEIRS, 21));
    for number in 1..=11 {
        bench.accept(if number % 2 == 0 { Frame::Forget { number } } else { part(number, 9) });
        bench.session.reassembly().check_sums();
    }
    bench.write();
    assert_eq!((bench.session.reassembly().sums(), bench.session.memory()), ((0, 0, 0), 0));
}

/// The end of a channel is forgotten with the long item before it: a close alone would look like a clean end.
#[test]
fn a_close_does_not_leave_where_the_item_before_it_is_forgotten() {
    let mut bench = Bench::new(roomy());
    let (_, ids) = bench.call(1, &[ChannelDirection::CallerSends]);
    let _ = bench.sent();
    bench.change(|session| session.send_item(OURS, ids[0], &mut vec![7; 2 * PART]));
    bench.change(|session| session.close_channel(OURS, ids[0], Metadata::new()));
    bench.write_parts(PART);
    let _ = bench.seen();
    bench.change(|session| session.shut(OURS));
    let sent = bench.sent();
    assert!(sent.iter().any(|frame| matches!(frame, Frame::Forget { number: 1 })), "{sent:?}");
    assert!(!sent.iter().any(|frame| matches!(frame, Frame::Close { .. })), "{sent:?}");
}

/// The only channel that there may be, whose end waits for a long item, and a call that waits for its place.
fn ended_behind_an_item() -> (Bench, ChannelId) {
    let mut bench = Bench::new(Limits { max_channels: 1, ..roomy() });
    let (_, ids) = bench.call(1, &[ChannelDirection::CallerSends]);
    bench.change(|session| session.send_item(OURS, ids[0], &mut vec![7; 2 * PART]));
    bench.change(|session| session.close_channel(OURS, ids[0], Metadata::new()));
    bench.write_parts(PART);
    assert_eq!(bench.session.gate(OURS, 1), Gate::Wait);
    bench.outputs.clear();
    (bench, ids[0])
}

/// For the peer a channel is open until its end has come, and that waits for the item.
#[test]
fn a_channel_whose_end_waits_for_a_long_item_counts_as_open() {
    let (mut bench, _) = ended_behind_an_item();
    bench.write_parts(2 * PART);
    assert!(bench.outputs.iter().any(|output| matches!(output, Output::Room)), "{:?}", bench.outputs);
    assert_eq!(bench.session.gate(OURS, 1), Gate::Open);
}

/// Where the peer ends the channel first, there is nothing more to wait for, and those who wait for its place hear of it.
#[test]
fn a_channel_whose_end_is_forgotten_gives_its_place_to_who_waits() {
    let (mut bench, channel) = ended_behind_an_item();
    bench.accept(Frame::Reset { connection: OURS, channel, why: Reset::Gone });
    assert!(bench.outputs.iter().any(|output| matches!(output, Output::Room)), "{:?}", bench.outputs);
    assert_eq!(bench.session.gate(OURS, 1), Gate::Open);
}
