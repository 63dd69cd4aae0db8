//! Long replies are charged until their callers take them. One for which there is no room is dropped.

use super::memory_ledger::REPLY;
use super::testing::{Bench, OURS, two_of_each};
use super::{CallEnd, Output, Token};
use crate::ids::RequestId;
use crate::limits::{Limits, Refused};
use crate::wire::{Failure, Frame, LongHead};

fn bench(session_memory: usize) -> Bench {
    let mut bench = Bench::new(Limits { session_memory, ..two_of_each() });
    for token in [1, 2] {
        bench.call(token, &[]);
    }
    bench.write();
    bench.outputs.clear();
    bench
}

fn reply(request: u64, len: usize) -> Frame {
    Frame::Reply { connection: OURS, request: RequestId(request), payload: vec![0; len].into() }
}

/// How calls ended, by their tokens and the lengths of their replies; those that were told that there is no memory, with 0.
fn ends(bench: &Bench) -> Vec<(u64, usize)> {
    let end = |output: &Output| match output {
        Output::Finish { token, end: CallEnd::Reply(payload) } if payload[0] == 0 => Some((token.0, payload.len())),
        Output::Finish { token, end: CallEnd::Reply(payload) } => match Failure::read(&payload[1..]) {
            Ok(Failure::InvalidResponse(why)) if why.contains("`Limits::session_memory`") => Some((token.0, 0)),
            other => panic!("{other:?}"),
        },
        _ => None,
    };
    bench.outputs.iter().filter_map(end).collect()
}

fn take(bench: &mut Bench, token: u64) {
    bench.change(|session| session.reply_taken(Token(token)));
    bench.session.check_memory();
}

#[test]
fn a_long_reply_counts_until_it_is_taken() {
    let mut bench = bench(1 << 20);
    bench.accept(reply(2, REPLY + 1));
    bench.accept(reply(4, REPLY));
    assert_eq!((bench.session.memory(), ends(&bench)), (REPLY + 1, vec![(1, REPLY + 1), (2, REPLY)]));
    bench.session.check_memory();
    take(&mut bench, 2);
    assert_eq!(bench.session.memory(), REPLY + 1, "a short one did not count");
    take(&mut bench, 1);
    take(&mut bench, 1);
    assert_eq!(bench.session.memory(), 0);
}

// proves: memory.reply.comes
#[test]
fn a_reply_past_the_sessions_memory_is_not_kept_unless_it_is_alone() {
    let mut bench = bench(100_000);
    bench.accept(reply(2, 200_000));
    bench.accept(reply(4, 5_000));
    assert_eq!(ends(&bench), [(1, 200_000), (2, 0)]);
    assert_eq!((bench.session.memory(), refusals(&bench)), (200_000, 1));
    bench.session.check_memory();
    // Its place is free, and there is room once the first is taken.
    take(&mut bench, 1);
    bench.call(3, &[]);
    bench.write();
    bench.accept(reply(6, 5_000));
    assert_eq!((ends(&bench).last(), bench.session.memory()), (Some(&(3, 5_000)), 5_000));
}

#[test]
fn a_short_reply_is_always_kept() {
    let mut bench = bench(100_000);
    bench.accept(reply(2, 200_000));
    bench.accept(reply(4, REPLY));
    assert_eq!((ends(&bench), refusals(&bench)), (vec![(1, 200_000), (2, REPLY)], 0));
}

// proves: memory.reply.comes
#[test]
fn of_a_reply_in_parts_that_begins_past_the_sessions_memory_nothing_is_kept() {
    let mut bench = bench(100_000);
    bench.accept(reply(2, 200_000));
    let head = LongHead::Reply { connection: OURS, request: RequestId(4) };
    bench.accept(Frame::Long { number: 1, total: 20_000, head });
    assert_eq!(ends(&bench).len(), 1);
    bench.accept(Frame::Part { number: 1, bytes: vec![0; 10_000].into() });
    assert_eq!((ends(&bench), bench.session.memory()), (vec![(1, 200_000), (2, 0)], 200_000));
    bench.session.check_memory();
    bench.accept(Frame::Part { number: 1, bytes: vec![0; 10_000].into() });
    assert_eq!((ends(&bench).len(), bench.session.memory()), (2, 200_000));
    assert_eq!(bench.session.calls_in_flight(OURS), 0, "its place is free");
    bench.session.check_memory();
}

#[test]
fn the_peer_is_read_no_further_while_replies_wait_that_take_three_quarters() {
    let mut bench = bench(8 << 20);
    bench.accept(reply(2, 3 << 20));
    assert!(!bench.session.holds_off(bench.now));
    bench.accept(reply(4, 4 << 20));
    assert!(bench.session.holds_off(bench.now));
    take(&mut bench, 2);
    assert!(!bench.session.stays_held_off() && !bench.session.holds_off(bench.now));
}

fn refusals(bench: &Bench) -> usize {
    bench.outputs.iter().filter(|output| matches!(output, Output::Refused { what: Refused::Reply, .. })).count()
}
