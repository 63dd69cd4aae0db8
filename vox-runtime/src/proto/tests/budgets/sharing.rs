//! Sessions have memory in common.

use super::*;

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
