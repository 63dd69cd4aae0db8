//! The peer is not read while there is no memory for what it sends.

use super::*;

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
