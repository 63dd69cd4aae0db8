//! Items are charged until nobody has them any more; past all memory their channel ends.

use super::*;

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
    crate::proto::testing::items(THEIRS, 3, &[len])
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
