//! What one frame ends, it ends in pieces, whatever was open. Meanwhile this end's user goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

use super::testing::{Bench, OURS, THEIRS, call, items};
use super::{HandlerEnd, Output, Token};
use crate::error::EndReason;
use crate::ids::{ChannelId, RequestId};
use crate::limits::Limits;
use crate::wire::{ChannelDirection, Frame, LENGTH_BYTES, Payload, Reset};
use ChannelDirection::{CallerSends, HandlerSends};

const CALLS: u64 = 20;

/// Calls each way, with a channel each way that somebody holds and one that nobody does, and with items on them.
fn full() -> Bench {
    let mut bench = Bench::new(Limits::default());
    for n in 0..CALLS {
        let (request, first) = (2 * n + 1, 6 * n + 1);
        bench.accept(call(
            THEIRS,
            request,
            &[(first, CallerSends), (first + 2, HandlerSends), (first + 4, CallerSends)],
        ));
        for channel in [first, first + 4] {
            bench.accept(items(THEIRS, channel, &[1, 2]));
        }
        bench.change(|session| {
            assert!(session.bind(THEIRS, ChannelId(first), Token(1000 + first)));
            assert!(session.bind(THEIRS, ChannelId(first + 2), Token(1002 + first)));
        });
        let (_, channels) = bench.call(n, &[CallerSends, HandlerSends]);
        bench.accept(Frame::Items { connection: OURS, channel: channels[1], items: vec![1, 7].into() });
    }
    bench.sent();
    bench.outputs.clear();
    bench
}

/// A frame arrives, and its first piece is done.
fn handle(bench: &mut Bench, frame: &Frame) {
    let mut bytes = Vec::new();
    frame.put(&mut bytes);
    bench.session.handle(bench.now, Bytes::from(bytes).slice(LENGTH_BYTES..)).expect("a frame that breaks no rule");
}

/// What is said until all is done, a piece at a time.
fn pieces(bench: &mut Bench) -> Vec<Output> {
    let mut said = Vec::new();
    loop {
        let before = said.len();
        said.extend(std::iter::from_fn(|| bench.session.poll_output()));
        let ends =
            said[before..].iter().filter(|output| !matches!(output, Output::ConnectionEnded { .. } | Output::Ended(_)));
        assert!(ends.count() <= 2, "too much at once: {:?}", &said[before..]);
        bench.session.check_memory();
        if !bench.session.is_behind() {
            return said;
        }
        bench.session.go_on();
    }
}

fn count(said: &[Output], what: impl Fn(&Output) -> bool) -> usize {
    said.iter().filter(|output| what(output)).count()
}

#[test]
fn a_connection_that_is_shut_ends_in_pieces() {
    for connection in [THEIRS, OURS] {
        let mut bench = full();
        handle(&mut bench, &Frame::Shut { connection });
        assert!(bench.session.is_behind());
        let said = pieces(&mut bench);
        let is_theirs = connection == THEIRS;
        let [aborted, finished] = [
            count(&said, |output| matches!(output, Output::AbortHandler { .. })),
            count(&said, |output| matches!(output, Output::Finish { .. })),
        ];
        assert_eq!((aborted, finished), if is_theirs { (CALLS as usize, 0) } else { (0, CALLS as usize) });
        for sends in [true, false] {
            let ends = |output: &Output| match output {
                Output::SenderEnded { .. } => sends,
                Output::ReceiverEnded { .. } => !sends,
                _ => false,
            };
            assert_eq!(count(&said, ends), CALLS as usize);
        }
        assert!(matches!(said.last(), Some(Output::ConnectionEnded { connection: ended }) if *ended == connection));
        if is_theirs {
            assert_eq!(bench.session.handlers_running(), CALLS as usize);
            for n in 0..CALLS {
                bench.session.handler_ended(THEIRS, RequestId(2 * n + 1), HandlerEnd::Aborted);
            }
        }
        assert_eq!(bench.session.handlers_running(), if is_theirs { 0 } else { CALLS as usize });
        assert_eq!(bench.sent(), [], "nothing is said of what is gone");
    }
}

#[test]
fn what_this_end_does_meanwhile_is_done_and_nothing_is_left() {
    let mut bench = full();
    handle(&mut bench, &Frame::Goodbye { reason: "enough".to_owned() });
    let (mut said, mut let_go) = (Vec::new(), Vec::new());
    for piece in 0.. {
        said.extend(std::iter::from_fn(|| bench.session.poll_output()));
        bench.session.check_memory();
        if !bench.session.is_behind() {
            break;
        }
        bench.session.go_on();
        // From the other end of what is open.
        let Some(n) = CALLS.checked_sub(piece + 1) else { continue };
        let (request, first, now) = (RequestId(2 * n + 1), 6 * n + 1, bench.now);
        bench.session.handler_ended(THEIRS, request, HandlerEnd::Returned(&mut Payload::from(vec![0, 0])));
        assert!(!bench.session.bind(THEIRS, ChannelId(first + 4), Token(7)));
        bench.session.abandon(OURS, RequestId(2 * n + 2));
        if n % 2 == 0 {
            bench.session.consumed(now, THEIRS, (ChannelId(first), Token(1000 + first)), 1, 1);
            continue;
        }
        for (channel, token) in [(first, Token(1000 + first)), (first + 2, Token(1002 + first))] {
            let is_told = said.iter().any(|output| ended(output) == Some(token));
            bench.session.let_go(token);
            bench.session.reset_channel(THEIRS, ChannelId(channel), Reset::Gone);
            let_go.extend((!is_told).then_some(token));
        }
    }
    assert!(matches!(said.last(), Some(Output::Ended(EndReason::Goodbye(_)))), "{:?}", said.last());
    assert!(!let_go.is_empty() && !said.iter().filter_map(ended).any(|token| let_go.contains(&token)));
    said.iter().filter_map(ended).for_each(|token| bench.session.let_go(token));
    for n in 0..CALLS {
        bench.session.handler_ended(THEIRS, RequestId(2 * n + 1), HandlerEnd::Aborted);
    }
    bench.session.check_memory();
    assert_eq!((bench.session.handlers_running(), bench.session.memory()), (0, 0));
    assert_eq!(bench.sent(), [], "nothing is said of what is gone");
}

/// Whose half this says the end of.
fn ended(output: &Output) -> Option<Token> {
    match output {
        Output::ReceiverEnded { token, .. } | Output::SenderEnded { token, .. } => Some(*token),
        _ => None,
    }
}

#[test]
fn a_session_can_be_ended_at_once() {
    let mut bench = full();
    bench.session.desert(EndReason::LinkLost("gone".into()), "gone");
    bench.session.end_rest();
    assert!(!bench.session.has_connections());
    let said: Vec<_> = std::iter::from_fn(|| bench.session.poll_output()).collect();
    assert!(matches!(said.last(), Some(Output::Ended(_))));
    assert_eq!(count(&said, |output| matches!(output, Output::Ended(_))), 1);
}

/// A block of memory that says when it is freed.
struct Block(Vec<u8>, Arc<AtomicUsize>);

impl AsRef<[u8]> for Block {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        self.1.fetch_add(1, Ordering::Relaxed);
    }
}

/// How the replies go, whether they have left before, and what lets go of them.
type End<'a> = (&'a str, bool, &'a dyn Fn(&mut Bench));

/// Replies that were kept until they were acknowledged, and those whose callers take them no more, are freed one by one.
#[test]
fn long_replies_that_are_not_needed_any_more_are_freed_in_pieces() {
    const REPLIES: usize = 8;
    let cancel = |bench: &mut Bench| {
        for n in 0..REPLIES as u64 {
            handle(bench, &Frame::Cancel { connection: THEIRS, request: RequestId(2 * n + 1) });
        }
    };
    let acknowledge = |bench: &mut Bench| {
        let received = bench.session.outbox().end();
        handle(bench, &Frame::Ack { received });
    };
    let shut = |bench: &mut Bench| handle(bench, &Frame::Shut { connection: THEIRS });
    let end = |bench: &mut Bench| bench.session.lost("it is");
    // Whether they have left before, one after the other.
    let ends: [End<'_>; 5] = [
        ("cancels", false, &cancel),
        ("an acknowledgement", true, &acknowledge),
        ("a shut", false, &shut),
        ("an end", false, &end),
        ("an end of a session that keeps them", true, &end),
    ];
    for (what, leave, end) in ends {
        let mut bench = Bench::resumable(Limits::default());
        let freed = Arc::new(AtomicUsize::new(0));
        for n in 0..REPLIES as u64 {
            bench.accept(call(THEIRS, 2 * n + 1, &[]));
            let last = Bytes::from_owner(Block(vec![7; 1 << 20], Arc::clone(&freed)));
            let mut payload = Payload { encoded: vec![0], last: Some(last) };
            bench.change(|session| {
                session.handler_ended(THEIRS, RequestId(2 * n + 1), HandlerEnd::Returned(&mut payload));
            });
            if leave {
                bench.write();
            }
        }
        assert_eq!(freed.load(Ordering::Relaxed), 0);
        end(&mut bench);
        let mut before = freed.load(Ordering::Relaxed);
        assert!(before <= 1, "{before} are freed at once by {what}");
        while bench.session.is_behind() {
            bench.session.go_on();
            while bench.session.poll_output().is_some() {}
            let now = freed.load(Ordering::Relaxed);
            assert!(now - before <= 1, "{} are freed at once by {what}", now - before);
            before = now;
        }
        assert_eq!(before, REPLIES, "all are freed by {what}");
    }
}
