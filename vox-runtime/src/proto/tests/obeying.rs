//! Every frame that a session sends is one that its peer takes.

use super::serving::HandlerEnd;
use super::testing::{Bench, OURS, THEIRS, call, two_of_each};
use super::{Session, Token};
use crate::error::{ProtocolViolation, Refusal, RefusalCode, Rule};
use crate::ids::{ConnectionId, RequestId};
use crate::limits::Limits;
use crate::metadata::Metadata;
use crate::wire::{ChannelDirection, Failure, Frame, LENGTH_BYTES, Open, Reset};

fn len(frame: &Frame) -> usize {
    let mut bytes = Vec::new();
    frame.put(&mut bytes);
    bytes.len() - LENGTH_BYTES
}

fn long_metadata() -> Metadata {
    let mut metadata = Metadata::new();
    metadata.insert("why", "x".repeat(1000));
    metadata
}

fn refused() -> Frame {
    let open = Open { service: "nobody's".to_owned(), metadata: Metadata::new(), contract: None };
    Frame::Open { connection: ConnectionId(3), open }
}

/// All frames with words in them, of a session whose peer takes so many bytes.
fn wordy(limit: usize) -> Vec<Frame> {
    let limits = || Limits { max_message_bytes: limit, ..two_of_each() };
    let words = || "né".repeat(50_000);
    let mut frames = Vec::new();
    let changes: [&dyn Fn(&mut Session); 7] = [
        &|session| session.goodbye(&words()),
        &|session| session.on_violation(&ProtocolViolation::new(Rule::Flood, words())),
        &|session| {
            assert!(session.handle(super::testing::epoch(), frame_body(&refused())).is_ok());
            let _offered = session.poll_output();
            session.refuse(ConnectionId(3), Refusal::new(RefusalCode::Other, words()));
        },
        &|session| {
            let end = HandlerEnd::Failed(Failure::InvalidPayload(words()));
            session.handler_ended(THEIRS, RequestId(1), end);
        },
        &|session| {
            let end = HandlerEnd::Failed(Failure::InvalidResponse(words()));
            session.handler_ended(THEIRS, RequestId(1), end);
        },
        &|session| session.reset_channel(OURS, crate::ids::ChannelId(2), Reset::Aborted(words().into())),
        &|session| session.close_channel(OURS, crate::ids::ChannelId(2), long_metadata()),
    ];
    for change in changes {
        let mut bench = Bench::new(limits());
        bench.accept(call(THEIRS, 1, &[]));
        bench.call(7, &[ChannelDirection::CallerSends]);
        let _ = bench.sent();
        bench.change(change);
        let sent = bench.sent();
        assert_eq!(sent.len(), 1, "{sent:?}");
        frames.extend(sent);
    }
    frames
}

fn frame_body(frame: &Frame) -> bytes::Bytes {
    let mut bytes = Vec::new();
    frame.put(&mut bytes);
    bytes::Bytes::from(bytes.split_off(LENGTH_BYTES))
}

// proves: text.cut
#[test]
fn words_are_cut_to_what_the_peer_takes_and_keeps() {
    for limit in [80, 100, 256, 1000] {
        for frame in wordy(limit) {
            assert!(
                ((limit / 2 - 20).min(60)..=limit).contains(&len(&frame)),
                "{} bytes for {limit}: {frame:?}",
                len(&frame)
            );
        }
    }
    // Of more than a reader keeps nothing is sent.
    for frame in wordy(4 << 20) {
        assert!(len(&frame) < 1100, "{} bytes: {frame:?}", len(&frame));
    }
}

#[test]
fn a_connection_that_the_peer_could_not_read_of_is_not_asked_for() {
    let mut bench = Bench::new(Limits { max_message_bytes: 1000, ..two_of_each() });
    let refusal =
        bench.change(|session| session.open("alpha", long_metadata(), None, None, Token(1))).expect_err("too long");
    assert!(refusal.reason.contains("`Limits::max_message_bytes`"), "{refusal}");
    assert_eq!(bench.sent(), []);
    bench.change(|session| session.open("alpha", Metadata::new(), None, None, Token(1))).expect("it is short");
}

#[test]
fn refusals_that_nobody_reads_are_bounded_in_bytes() {
    let mut bench = Bench::new(Limits::default());
    let mut kept = 0;
    let violation = loop {
        let connection = ConnectionId(3 + 2 * kept);
        let open = Open { service: "x".to_owned(), metadata: Metadata::new(), contract: None };
        let opened = bench.session.handle(bench.now, frame_body(&Frame::Open { connection, open }));
        if let Err(violation) = opened {
            break violation;
        }
        kept += 1;
        let _offered = bench.session.poll_output();
        bench.session.refuse(connection, Refusal::new(RefusalCode::Other, "名".repeat(10_000)));
        assert!(kept < 1000, "{kept} refusals wait");
    };
    assert_eq!(violation.rule, Rule::Flood);
    assert!(bench.session.outbox().pending() < 260 << 10, "{}", bench.session.outbox().pending());
    // Those that are read count no more.
    let mut bench = Bench::new(Limits::default());
    for n in 0..2000 {
        let open = Open { service: "x".to_owned(), metadata: Metadata::new(), contract: None };
        let connection = ConnectionId(3 + 2 * n);
        bench.session.handle(bench.now, frame_body(&Frame::Open { connection, open })).expect("all before it are read");
        let _offered = bench.session.poll_output();
        bench.change(|session| session.refuse(connection, Refusal::new(RefusalCode::Other, "名".repeat(1000))));
        bench.write();
    }
}
