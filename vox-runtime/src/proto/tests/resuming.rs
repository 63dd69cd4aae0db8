//! Sessions that lose their link, one step at a time. What all steps together promise is the simulator's.

use std::time::Duration;

use super::testing::{Bench, OURS, THEIRS, VOLATILE, call, two_of_each};
use super::{CallEnd, Gate, HandlerEnd, NewCall, Output, Sent, Token};
use crate::error::{EndReason, Rule};
use crate::ids::{ConnectionId, RequestId};
use crate::limits::Limits;
use crate::metadata::Metadata;
use crate::wire::{ChannelDirection, Frame, Payload};

fn cut() -> EndReason {
    EndReason::LinkLost("cut".into())
}

impl Bench {
    fn cut(&mut self) {
        let now = self.now;
        self.change(|session| session.link_lost(now, cut()));
    }

    fn resume(&mut self, received: u64) {
        let now = self.now;
        self.change(|session| session.resume(now, received)).expect("it has what was received");
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        let now = self.now;
        self.change(|session| session.handle_timeout(now));
    }

    fn ends(&self) -> Vec<(Token, CallEnd)> {
        let end = |output: &Output| match output {
            Output::Finish { token, end } => Some((*token, end.clone())),
            _ => None,
        };
        self.outputs.iter().filter_map(end).collect()
    }

    fn taken(&mut self) -> u64 {
        self.session.outbox().taken()
    }
}

fn called(frames: &[Frame]) -> Vec<u64> {
    let request = |frame: &Frame| match frame {
        Frame::Call { head, .. } => Some(head.request.0),
        _ => None,
    };
    frames.iter().filter_map(request).collect()
}

// proves: resume.nothing-lost
#[test]
fn the_peer_gets_what_it_has_not_received_and_nothing_twice() {
    let mut bench = Bench::resumable(Limits { max_calls: 8, ..two_of_each() });
    bench.call(1, &[]);
    assert_eq!(called(&bench.sent()), [2]);
    let received = bench.taken();
    bench.call(2, &[]);
    assert_eq!(called(&bench.sent()), [4]);
    bench.cut();
    bench.call(3, &[]);
    assert_eq!(called(&bench.sent()), [], "there is no link");
    bench.resume(received);
    assert_eq!(called(&bench.sent()), [4, 6]);
    bench.cut();
    bench.resume(received);
    assert_eq!(called(&bench.sent()), [4, 6], "the second time like the first");
}

/// A payload whose last piece is empty leaves nothing behind to be written again once the rest is acknowledged.
#[test]
fn an_empty_piece_of_a_payload_is_not_written_again() {
    let mut bench = Bench::resumable(two_of_each());
    bench.accept(call(THEIRS, 1, &[]));
    bench.change(|session| {
        let mut payload = Payload { encoded: vec![0, 0], last: Some(bytes::Bytes::new()) };
        session.handler_ended(THEIRS, RequestId(1), HandlerEnd::Returned(&mut payload));
    });
    assert_eq!(bench.sent().len(), 1);
    let received = bench.taken();
    bench.accept(Frame::Ack { received });
    bench.cut();
    bench.resume(received);
    assert!(!bench.session.has_output());
}

#[test]
fn the_session_is_lost_where_the_peer_has_more_than_was_sent_or_less_than_it_said() {
    for (received, fine) in [(0, false), (1, true), (14, true), (15, false)] {
        let mut bench = Bench::resumable(two_of_each());
        assert_eq!(bench.taken(), 14, "the frame that opened a connection");
        bench.accept(Frame::Ack { received: 1 });
        bench.call(1, &[]);
        bench.cut();
        let now = bench.now;
        assert_eq!(bench.change(|session| session.resume(now, received)).is_ok(), fine, "{received}");
        let lost = matches!(bench.outputs.last(), Some(Output::Ended(EndReason::Lost(_))));
        assert_eq!(lost, !fine, "{received}");
    }
}

#[test]
fn a_session_without_a_link_in_time_is_lost_and_knows_what_never_left() {
    let mut bench = Bench::resumable(two_of_each());
    bench.call(1, &[]);
    bench.write();
    bench.cut();
    bench.call(2, &[]);
    bench.wait(Duration::from_millis(9_999));
    assert_eq!(bench.ends(), []);
    bench.wait(Duration::from_millis(1));
    let Some(Output::Ended(EndReason::Lost(why))) = bench.outputs.last() else { panic!("{:?}", bench.outputs) };
    assert!(why.contains("cut"), "{why}");
    let never_left = CallEnd::NeverLeft(EndReason::Lost(why.clone()));
    assert_eq!(bench.ends(), [(Token(1), CallEnd::Indeterminate), (Token(2), never_left)]);
    assert!(!bench.session.has_output());
}

#[test]
fn deadlines_and_cancels_go_on_without_a_link() {
    let mut bench = Bench::resumable(two_of_each());
    let deadline = Some(bench.now + Duration::from_secs(1));
    let now = bench.now;
    let new = NewCall {
        method: VOLATILE,
        operation: None,
        deadline,
        patience: None,
        metadata: Metadata::new(),
        channels: Vec::new(),
    };
    bench.change(|session| session.call(now, OURS, Token(1), new, &mut Payload::default())).expect("open");
    bench.call(2, &[]);
    bench.write();
    bench.cut();
    let received = bench.taken();
    bench.change(|session| session.abandon(OURS, RequestId(4)));
    bench.wait(Duration::from_secs(1));
    assert_eq!(bench.ends(), [(Token(1), CallEnd::DeadlineExceeded)]);
    bench.sent();
    bench.resume(received);
    let cancel = |request| Frame::Cancel { connection: OURS, request: RequestId(request) };
    assert_eq!(bench.sent(), [cancel(4), cancel(2)]);
}

// proves: keepalive.lost
#[test]
fn a_missed_keepalive_is_a_lost_link_and_none_is_sent_without_one() {
    let mut bench = Bench::resumable(two_of_each());
    bench.call(1, &[]);
    bench.wait(Limits::default().keepalive);
    assert!(bench.sent().contains(&Frame::Ping { nonce: 0 }));
    bench.wait(Limits::default().keepalive_timeout);
    assert!(matches!(bench.outputs.last(), Some(Output::LinkDown(EndReason::KeepaliveTimeout))));
    assert_eq!(bench.session.poll_timeout(), Some(bench.now + Duration::from_secs(10)), "the wait for a link");
    let received = bench.taken();
    bench.resume(received);
    assert_eq!(bench.session.poll_timeout(), Some(bench.now + Limits::default().keepalive));
}

// proves: ack.replay
#[test]
fn who_keeps_too_much_waits_until_it_is_acknowledged() {
    let mut bench = Bench::resumable(Limits {
        replay_bytes: Limits::LEAST_REPLAY,
        channel_bytes: 4 << 20,
        channel_items: 1000,
        ..two_of_each()
    });
    let (_, ids) = bench.call(1, &[ChannelDirection::CallerSends]);
    let mut sent = 0;
    let send = |bench: &mut Bench| bench.change(|session| session.send_item(OURS, ids[0], &mut vec![7; 20_000]));
    while send(&mut bench) == Sent::Yes {
        bench.write();
        sent += 1;
        assert!(sent < 120, "nothing bounds what is kept");
    }
    assert_eq!(bench.session.gate(OURS, 0), Gate::Wait);
    let received = bench.taken();
    bench.accept(Frame::Ack { received });
    assert!(bench.session.outbox_has_room());
    assert_eq!(send(&mut bench), Sent::Yes);
}

/// A reply that a handler made is kept, whatever is kept already. So what is kept of replies is `replay_bytes` at most and one reply of each
/// handler that runs by then; none is started after that.
#[test]
fn replies_are_kept_past_replay_bytes_by_one_of_each_handler_that_runs() {
    const CALLS: usize = 6;
    const SMALL: usize = 60_000;
    let mut bench = Bench::resumable(Limits {
        replay_bytes: Limits::LEAST_REPLAY,
        max_message_bytes: 1 << 20,
        max_calls: CALLS,
        outbox_bytes: 1 << 30,
        outbox_long_bytes: 1 << 30,
        ..two_of_each()
    });
    let mut requests = (1..).step_by(2);
    let mut start = |bench: &mut Bench| {
        assert!(bench.session.may_answer_more());
        let request = requests.next().expect("there is no end of them");
        bench.accept(call(THEIRS, request, &[]));
        request
    };
    let end = |bench: &mut Bench, request: u64, len: usize| {
        let mut payload = vec![7; len].into();
        bench.change(|session| {
            session.handler_ended(THEIRS, RequestId(request), HandlerEnd::Returned(&mut payload));
        });
    };
    while bench.session.outbox().kept() + 2 * SMALL < Limits::LEAST_REPLAY {
        let request = start(&mut bench);
        end(&mut bench, request, SMALL);
        bench.write();
    }
    let before = bench.session.outbox().kept();
    let running: Vec<u64> = (0..CALLS).map(|_| start(&mut bench)).collect();
    let longest = bench.session.max_payload();
    for request in running {
        end(&mut bench, request, longest);
    }
    assert!(!bench.session.may_answer_more(), "what waits to be written will be kept");
    bench.write();
    let kept = bench.session.outbox().kept();
    let heads = CALLS << 10;
    assert!((before + CALLS * longest..=before + CALLS * longest + heads).contains(&kept), "{kept}");
    assert!(kept <= Limits::LEAST_REPLAY + CALLS * (1 << 20) + heads);
    assert!(!bench.session.may_answer_more());
    let received = bench.taken();
    bench.accept(Frame::Ack { received });
    start(&mut bench);
}

// proves: ack.kept
#[test]
fn an_acknowledgement_lets_go_of_just_what_it_names() {
    let mut bench = Bench::resumable(two_of_each());
    bench.call(1, &[]);
    bench.write();
    let received = bench.taken();
    bench.call(2, &[]);
    bench.write();
    let left = bench.taken() - received;
    bench.accept(Frame::Ack { received });
    assert_eq!(bench.session.outbox().kept() as u64, left);
    assert!(bench.session.outbox().reaches(received));
}

// proves: ack.kept
#[test]
fn a_reply_acknowledges_what_came_before_it() {
    let mut bench = Bench::resumable(two_of_each());
    let (request, _) = bench.call(1, &[]);
    bench.write();
    assert!(bench.session.outbox().kept() > 0);
    bench.accept(Frame::Reply { connection: OURS, request, payload: vec![0].into() });
    assert_eq!(bench.session.outbox().kept(), 0);
}

#[test]
fn what_is_received_is_acknowledged_with_what_is_written_or_alone() {
    let mut bench = Bench::resumable(Limits { channel_bytes: 1 << 20, channel_items: 1000, ..two_of_each() });
    bench.accept(call(THEIRS, 1, &[(1, ChannelDirection::CallerSends)]));
    let item = |bench: &mut Bench, len: usize| {
        let mut items = Vec::new();
        crate::wire::put_varint(&mut items, len as u64);
        items.resize(items.len() + len, 7);
        bench.accept(Frame::Items { connection: THEIRS, channel: crate::ids::ChannelId(1), items: items.into() });
    };
    item(&mut bench, 9_000);
    assert!(!bench.session.has_output(), "not yet worth a write of its own");
    bench.accept(Frame::Ping { nonce: 1 });
    let received = bench.session.received();
    assert_eq!(bench.sent(), [Frame::Pong { nonce: 1 }, Frame::Ack { received }]);
    item(&mut bench, 17_000);
    assert!(bench.session.has_output());
    let received = bench.session.received();
    assert_eq!(bench.sent(), [Frame::Ack { received }]);
}

#[test]
fn a_long_frame_is_acknowledged_before_what_comes_of_it() {
    let mut bench = Bench::resumable(two_of_each());
    let Frame::Call { head, .. } = call(THEIRS, 1, &[]) else { panic!("a call") };
    bench.accept(Frame::Call { head, payload: vec![7; 20_000].into() });
    bench.change(|session| {
        session.handler_ended(THEIRS, RequestId(1), HandlerEnd::Returned(&mut vec![0; 20_000].into()));
    });
    let received = bench.session.received();
    let sent = bench.sent();
    assert!(matches!(&sent[..], [Frame::Ack { received: told }, Frame::Reply { .. }] if *told == received), "{sent:?}");
}

#[test]
fn a_goodbye_without_a_link_is_heard_by_nobody() {
    let mut bench = Bench::resumable(two_of_each());
    bench.cut();
    bench.call(1, &[]);
    bench.change(|session| session.goodbye("enough"));
    assert_eq!(bench.ends(), [(Token(1), CallEnd::NeverLeft(EndReason::ClosedHere))]);
    assert_eq!(bench.sent(), []);
    assert!(!bench.session.has_output());
}

// proves: resume.old-link
#[test]
fn frames_of_a_link_that_was_given_up_count_for_nothing() {
    let mut bench = Bench::resumable(two_of_each());
    bench.cut();
    let before = bench.session.received();
    bench.accept(call(ConnectionId(1), 1, &[]));
    assert_eq!(bench.session.received(), before);
    assert!(!bench.outputs.iter().any(|output| matches!(output, Output::Dispatch(_))));
}

/// A peer that asks this end for answers, again and again, and reads them.
fn flood(acknowledges: bool) -> (usize, Option<Rule>) {
    let mut bench = Bench::resumable(two_of_each());
    let mut most = 0;
    for request in 0..20_000 {
        let frames = match request % 4 {
            0 => Frame::Ping { nonce: request },
            1 => Frame::Open {
                connection: ConnectionId(2 * request + 1),
                open: crate::wire::Open { service: "none".into(), metadata: Metadata::new(), contract: None },
            },
            2 => call(THEIRS, 2 * request + 1, &[]),
            _ => Frame::Cancel { connection: THEIRS, request: RequestId(2 * request - 1) },
        };
        if let Err(violation) = bench.receive(&frames) {
            return (most, Some(violation.rule));
        }
        if request % 4 == 3 {
            bench.change(|session| session.handler_ended(THEIRS, RequestId(2 * request - 1), HandlerEnd::Aborted));
        }
        bench.write();
        most = most.max(bench.session.outbox().kept());
        if acknowledges && most >= 16 << 10 {
            let received = bench.taken();
            bench.accept(Frame::Ack { received });
        }
    }
    (most, None)
}

// proves: flood.unacknowledged
#[test]
fn a_peer_that_acknowledges_nothing_cannot_have_answers_kept_without_end() {
    let (most, rule) = flood(false);
    assert_eq!(rule, Some(Rule::Flood));
    assert!(most < 256 << 10, "{most} bytes");
    assert_eq!(flood(true).1, None);
}
