//! Replies are held until they have left, and not kept where there is no memory for them.

use super::*;

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
