//! The vectors in `tests/golden/`, written and read.

use std::time::Duration;

use bytes::Bytes;

use super::super::{
    CallHead, ChannelDirection, ChannelOpen, Failure, Frame, Greeting, Hello, Kind, LongHead, Named, Open, Recalls,
    Reset, Resume, Resumed, Secret, SessionId, Telling, Ticket, Welcome, features_of,
};
use crate::error::{ProtocolViolation, Ran, Refusal, RefusalCode, Rule, Scarce, Short};
use crate::ids::{ChannelId, ConnectionId, MethodId, RequestId};
use crate::limits::{AnnouncedLimits, Limits};
use crate::metadata::Metadata;
use crate::operation::OperationId;
use crate::schema::SchemaHash;

const HANDSHAKE: &str = include_str!("../../../tests/golden/handshake.txt");
const FRAMES: &str = include_str!("../../../tests/golden/frames.txt");
const OUTCOMES: &str = include_str!("../../../tests/golden/outcomes.txt");
const REJECTED: &str = include_str!("../../../tests/golden/rejected.txt");

const BALANCE: MethodId = MethodId(0xe3b5_bca8_71d7_b8c9);
const TRANSFER: MethodId = MethodId(0x303e_92c0_60d7_ef10);
const HASH: SchemaHash = SchemaHash([0xcc; 32]);
const OPERATION: OperationId = OperationId::from_u128(0x018b_cfe5_687b_7abc_8def_0123_4567_89ab);

#[test]
fn frames_are_written_and_read_as_the_golden_vectors_say() {
    let vectors = vectors(FRAMES);
    let frames = frames();
    check_names(&vectors, frames.iter().map(|(name, _)| *name));
    for ((name, bytes), (_, frame)) in vectors.iter().zip(&frames) {
        let mut written = Vec::new();
        frame.put(&mut written);
        assert_eq!(&written, bytes, "writing {name}");
        assert_eq!(Frame::parse(body(bytes), &Limits::default()).as_ref(), Ok(frame), "reading {name}");
    }
}

#[test]
fn greetings_are_written_and_read_as_the_golden_vectors_say() {
    let vectors = vectors(HANDSHAKE);
    let greetings = greetings();
    check_names(&vectors, greetings.iter().map(|(name, _)| *name));
    for ((name, bytes), (_, greeting)) in vectors.iter().zip(&greetings) {
        let mut written = Vec::new();
        greeting.put(&mut written);
        assert_eq!(&written, bytes, "writing {name}");
        assert_eq!(Greeting::parse(&body(bytes)).as_ref(), Ok(greeting), "reading {name}");
    }
}

// proves: handshake.later
#[test]
fn bytes_past_the_end_of_a_greeting_are_a_later_versions() {
    for (name, bytes) in vectors(HANDSHAKE) {
        let mut longer = body(&bytes).to_vec();
        longer.extend_from_slice(b"later");
        assert_eq!(Greeting::parse(&longer.into()), Greeting::parse(&body(&bytes)), "{name}");
    }
}

#[test]
fn outcomes_are_written_and_read_as_the_golden_vectors_say() {
    let vectors = vectors(OUTCOMES);
    let failures = failures();
    assert_eq!(vectors.len(), failures.len());
    for ((name, bytes), failure) in vectors.iter().zip(&failures) {
        let mut written = Vec::new();
        failure.put(&mut written);
        assert_eq!(&written, bytes, "writing {name}");
        assert_eq!(Failure::read(&bytes[1..]).as_ref(), Ok(failure), "reading {name}");
    }
}

#[test]
fn every_frame_kind_has_a_vector() {
    let covered: Vec<u8> = vectors(FRAMES).iter().chain(&vectors(HANDSHAKE)).map(|(_, bytes)| bytes[4]).collect();
    for kind in Kind::ALL {
        assert!(covered.contains(&(*kind as u8)), "no golden vector of {kind:?}");
    }
}

// proves: frame.length.zero, varint.fits, varint.narrow, frame.end, frame.flags, frame.kind, call.timeout.zero
#[test]
fn frames_that_must_be_refused_are_refused_by_name() {
    for (name, bytes) in vectors(REJECTED) {
        let rule = Frame::parse(body(&bytes), &Limits::default()).map_err(|violation| violation.rule.name());
        assert_eq!(rule, Err(name.split(' ').next().unwrap_or_default()), "{name}");
    }
}

// proves: violation.unknown
#[test]
fn a_violation_code_that_is_not_known_reads_as_a_malformed_frame() {
    let parsed = Frame::parse(Bytes::from_static(&[0x0f, 200, 1, b'x']), &Limits::default());
    assert_eq!(parsed, Ok(Frame::Violation(ProtocolViolation::new(Rule::MalformedFrame, "x"))));
}

/// Every golden message of an established session, and its bytes without the length.
pub(super) fn bodies() -> Vec<(String, Bytes)> {
    vectors(FRAMES).into_iter().map(|(name, bytes)| (name, body(&bytes))).collect()
}

/// As [`bodies`], of the handshake.
pub(super) fn greeting_bodies() -> Vec<(String, Bytes)> {
    vectors(HANDSHAKE).into_iter().map(|(name, bytes)| (name, body(&bytes))).collect()
}

/// Every outcome of the runtime's own that travels, in the order of the vectors.
pub(super) fn failures() -> Vec<Failure> {
    vec![
        Failure::UnknownMethod,
        Failure::InvalidPayload("bad".into()),
        Failure::Busy(Short::new(Scarce::SessionMemory, 70_000, 65_536)),
        Failure::Cancelled,
        Failure::DeadlineExceeded,
        Failure::Panicked,
        Failure::Indeterminate,
        Failure::InvalidResponse(String::new()),
        Failure::OperationConflict,
        Failure::OperationExpired,
        Failure::StoreUnavailable(Ran::No),
        Failure::StoreUnavailable(Ran::Unknown),
    ]
}

fn frames() -> Vec<(&'static str, Frame)> {
    let refuse = |name, connection, code, reason: &str| {
        (name, Frame::Refuse { connection: ConnectionId(connection), refusal: Refusal::new(code, reason) })
    };
    let (connection, channel, request) = (ConnectionId(1), ChannelId(5), RequestId(3));
    vec![
        ("ping", Frame::Ping { nonce: 300 }),
        ("ping-largest-nonce", Frame::Ping { nonce: u64::MAX }),
        ("pong", Frame::Pong { nonce: 0 }),
        ("ack", Frame::Ack { received: 16_384 }),
        ("forget", Frame::Forget { number: 2 }),
        ("long-call", {
            let head = CallHead { patient: true, ..head(1, 11, BALANCE) };
            Frame::Long { number: 1, total: 2_000_000, head: LongHead::Call(head) }
        }),
        ("long-reply", Frame::Long { number: 2, total: 65_537, head: LongHead::Reply { connection, request } }),
        ("long-items", Frame::Long { number: 300, total: 1, head: LongHead::Items { connection, channel } }),
        ("part", Frame::Part { number: 1, bytes: Bytes::from_static(&[7, 8, 9]) }),
        ("goodbye", Frame::Goodbye { reason: "bye".into() }),
        ("violation", Frame::Violation(ProtocolViolation::new(Rule::IdReused, "req3"))),
        ("open", open(3, "Bank", metadata(&[("token", "hünd", true)]), Some(named(Recalls::Nothing)))),
        ("open-told-before", open(3, "Bank", Metadata::new(), Some(named(Recalls::Own)))),
        ("open-recalls", open(3, "Bank", Metadata::new(), Some(named(Recalls::Both(SchemaHash([0xee; 32])))))),
        ("open-bare", open(2, "C", Metadata::new(), None)),
        ("accept", Frame::Accept { connection: ConnectionId(3), differs: None }),
        (
            "accept-other-contract",
            Frame::Accept { connection: ConnectionId(3), differs: Some(Telling { acceptors: true, openers: true }) },
        ),
        ("accept-recalled-contract", accept(Telling { acceptors: false, openers: true })),
        ("accept-known-contract", accept(Telling { acceptors: true, openers: false })),
        ("accept-contracts-told-before", accept(Telling { acceptors: false, openers: false })),
        refuse("refuse-unknown-service", 3, RefusalCode::UnknownService, "no Bank"),
        refuse("refuse-busy", 5, RefusalCode::Busy, ""),
        refuse("refuse-shutting-down", 5, RefusalCode::ShuttingDown, ""),
        refuse("refuse-unauthorized", 5, RefusalCode::Unauthorized, ""),
        refuse("refuse-other", 5, RefusalCode::Other, ""),
        ("shut", Frame::Shut { connection: ConnectionId(3) }),
        (
            "contract",
            Frame::Contract {
                connection: ConnectionId(3),
                hash: SchemaHash([0xee; 32]),
                contract: Bytes::from_static(&[1, 0]),
            },
        ),
        ("call-bare", call(head(1, 1, BALANCE), &[])),
        ("call-with-arguments", call(head(1, 3, BALANCE), &[7])),
        ("call-with-timeout", call(CallHead { timeout: Some(Duration::from_secs(1)), ..head(1, 5, BALANCE) }, &[7])),
        (
            "call-with-metadata",
            call(CallHead { metadata: metadata(&[("tenant", "acme", false)]), ..head(1, 7, BALANCE) }, &[]),
        ),
        (
            "call-with-channels",
            call(
                CallHead {
                    channels: [
                        channel_open(2, ChannelDirection::CallerSends),
                        channel_open(4, ChannelDirection::HandlerSends),
                    ]
                    .into(),
                    ..head(2, 4, TRANSFER)
                },
                &[1, 0],
            ),
        ),
        ("call-with-operation", call(CallHead { operation: Some(OPERATION), ..head(1, 9, TRANSFER) }, &[7])),
        (
            "call-with-everything",
            call(
                CallHead {
                    timeout: Some(Duration::from_micros(1)),
                    metadata: metadata(&[("k", "a", false), ("k", "", true)]),
                    channels: [channel_open(5, ChannelDirection::CallerSends)].into(),
                    operation: Some(OPERATION),
                    ..head(1, 129, TRANSFER)
                },
                &[],
            ),
        ),
        ("reply", Frame::Reply { connection, request, payload: Bytes::from_static(&[0, 7]) }),
        ("reply-empty", Frame::Reply { connection, request, payload: Bytes::new() }),
        ("cancel", Frame::Cancel { connection, request }),
        ("acknowledge", Frame::Acknowledge { connection, operation: OPERATION }),
        ("items", Frame::Items { connection, channel, items: Bytes::from_static(b"\x03abc") }),
        ("items-run", Frame::Items { connection, channel, items: Bytes::from_static(b"\x01a\x00\x02bc") }),
        ("close", Frame::Close { connection, channel, metadata: Metadata::new() }),
        ("close-with-metadata", Frame::Close { connection, channel, metadata: metadata(&[("rows", "42", false)]) }),
        ("reset", Frame::Reset { connection, channel, why: Reset::Gone }),
        ("reset-dropped", Frame::Reset { connection, channel, why: Reset::Dropped }),
        ("reset-aborted", Frame::Reset { connection, channel, why: Reset::aborted("the disk failed") }),
        (
            "reset-full",
            Frame::Reset {
                connection,
                channel,
                why: Reset::Full("65537 bytes are kept of the peer, over the limit of 65536".into()),
            },
        ),
        ("credit", Frame::Credit { connection, channel, items: 128, bytes: 4096 }),
        ("credit-largest", Frame::Credit { connection, channel, items: u32::MAX, bytes: u32::MAX }),
    ]
}

fn greetings() -> Vec<(&'static str, Greeting)> {
    let small = AnnouncedLimits {
        max_message_bytes: 1024,
        max_connections: 1,
        max_calls: 2,
        max_channels: 3,
        channel_items: 4,
        channel_bytes: 5,
        max_decoded_bytes: 6,
        max_partial_messages: 6,
        max_partial_bytes: 7,
    };
    vec![
        (
            "hello",
            Greeting::Hello(Hello {
                versions: (1, 1),
                features: 0,
                limits: Limits::default().announced(),
                time: 1_700_000_000_000,
                metadata: metadata(&[("app", "tour", false)]),
                service: None,
            }),
        ),
        (
            "hello-with-service",
            Greeting::Hello(Hello {
                versions: (1, 3),
                features: 5,
                limits: small,
                time: 1000,
                metadata: Metadata::new(),
                service: Some(Open {
                    service: "Bank".into(),
                    metadata: metadata(&[("k", "", true)]),
                    contract: Some(named(Recalls::Nothing)),
                }),
            }),
        ),
        (
            "welcome",
            Greeting::Welcome(Welcome {
                version: 1,
                features: 0,
                limits: small,
                time: 1_700_000_000_000,
                ticket: None,
            }),
        ),
        (
            "welcome-other-contract",
            Greeting::Welcome(Welcome {
                version: 1,
                features: features_of(Some(Telling { acceptors: true, openers: true })),
                limits: small,
                time: 0,
                ticket: None,
            }),
        ),
        (
            "welcome-contracts-told-before",
            Greeting::Welcome(Welcome {
                version: 1,
                features: features_of(Some(Telling { acceptors: false, openers: false })),
                limits: small,
                time: 0,
                ticket: None,
            }),
        ),
        (
            "welcome-to-resume",
            Greeting::Welcome(Welcome { version: 1, features: 0, limits: small, time: 1000, ticket: Some(ticket()) }),
        ),
        ("rejected", Greeting::Rejected(Refusal::new(RefusalCode::UnknownService, "no Bank"))),
        ("rejected-session-lost", Greeting::Rejected(Refusal::new(RefusalCode::SessionLost, "gone"))),
        (
            "resume",
            Greeting::Resume(Resume {
                versions: (1, 1),
                ticket: ticket(),
                received: 300,
                time: 1000,
                metadata: metadata(&[("app", "tour", false)]),
            }),
        ),
        ("resumed", Greeting::Resumed(Resumed { received: 0, time: 1000, secret: Secret([0xdd; 32]) })),
        ("confirm", Greeting::Confirm),
    ]
}

fn ticket() -> Ticket {
    Ticket { session: SessionId([0xaa; 16]), secret: Secret([0xbb; 32]) }
}

fn head(connection: u64, request: u64, method: MethodId) -> CallHead {
    CallHead {
        connection: ConnectionId(connection),
        request: RequestId(request),
        method,
        operation: None,
        timeout: None,
        patient: false,
        metadata: Metadata::new(),
        channels: Box::default(),
    }
}

fn call(head: CallHead, payload: &'static [u8]) -> Frame {
    Frame::Call { head, payload: Bytes::from_static(payload) }
}

fn channel_open(id: u64, direction: ChannelDirection) -> ChannelOpen {
    ChannelOpen { id: ChannelId(id), direction }
}

fn accept(telling: Telling) -> Frame {
    Frame::Accept { connection: ConnectionId(3), differs: Some(telling) }
}

fn named(recalls: Recalls) -> Named {
    Named { hash: HASH, recalls }
}

fn open(connection: u64, service: &str, metadata: Metadata, contract: Option<Named>) -> Frame {
    Frame::Open { connection: ConnectionId(connection), open: Open { service: service.into(), metadata, contract } }
}

fn metadata(entries: &[(&str, &str, bool)]) -> Metadata {
    let mut metadata = Metadata::new();
    for (key, value, sensitive) in entries {
        metadata.push(key, value, *sensitive);
    }
    metadata
}

/// The named vectors of a file: everything before a line's semicolon is hexadecimal bytes.
fn vectors(file: &str) -> Vec<(String, Vec<u8>)> {
    let mut vectors: Vec<(String, Vec<u8>)> = Vec::new();
    for line in file.lines().filter(|line| !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[') {
            vectors.push((name.trim_end_matches(']').to_owned(), Vec::new()));
            continue;
        }
        for byte in line.split(';').next().unwrap_or_default().split_whitespace() {
            let byte = u8::from_str_radix(byte, 16).expect("golden files hold hexadecimal bytes");
            vectors.last_mut().expect("a vector begins with its name").1.push(byte);
        }
    }
    vectors
}

fn check_names<'a>(vectors: &[(String, Vec<u8>)], names: impl Iterator<Item = &'a str>) {
    let listed: Vec<&str> = vectors.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(listed, names.collect::<Vec<_>>(), "the file and the test name the same vectors in the same order");
}

/// What follows the length, which must be right.
fn body(frame: &[u8]) -> Bytes {
    let (length, body) = frame.split_first_chunk().expect("a frame begins with its length");
    assert_eq!(u32::from_le_bytes(*length) as usize, body.len(), "the length of {frame:02x?}");
    Bytes::copy_from_slice(body)
}
