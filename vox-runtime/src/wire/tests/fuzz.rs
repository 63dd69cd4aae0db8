//! Bytes that no honest peer sends: parsing them is an error with a name, never a panic, and never makes room
//! for what a number in them claims.

use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use proptest::test_runner::{FileFailurePersistence, RngSeed};

use super::super::{
    CallHead, ChannelDirection, ChannelOpen, Failure, Frame, Greeting, Kind, LongHead, Named, Open, Reader, Recalls,
    Reset, Telling, put_varint,
};
use super::golden;
use crate::error::{ProtocolViolation, Refusal, RefusalCode, Rule};
use crate::escaped::cleaned;
use crate::ids::{ChannelId, ConnectionId, MethodId, RequestId};
use crate::limits::Limits;
use crate::metadata::Metadata;
use crate::operation::OperationId;
use crate::schema::SchemaHash;

/// What a byte of a frame may cost in memory: an entry of metadata takes three bytes or more, a channel two.
const WEIGHT_PER_BYTE: usize = 64;

proptest! {
    #![proptest_config(config())]

    #[test]
    fn arbitrary_bytes_are_a_frame_or_a_named_violation(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check(&bytes);
    }

    #[test]
    fn arbitrary_bodies_of_every_kind_are_a_frame_or_a_named_violation(
        kind in prop::sample::select(Kind::ALL),
        bytes in prop::collection::vec(prop_oneof![0u8..6, any::<u8>()], 0..60),
    ) {
        let mut body = vec![kind as u8];
        body.extend(bytes);
        check(&body);
    }

    #[test]
    fn mutated_frames_are_a_frame_or_a_named_violation(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut all = golden::bodies();
        all.extend(golden::greeting_bodies());
        let mut body = all[which.index(all.len())].1.to_vec();
        for (at, byte) in changes {
            let at = at.index(body.len());
            body[at] = byte;
        }
        check(&body);
        body.truncate(cut.index(body.len()));
        check(&body);
    }

    #[test]
    fn frames_survive_being_written_and_read(frame in frame()) {
        let mut bytes = Vec::new();
        frame.put(&mut bytes);
        let (length, body) = bytes.split_first_chunk().expect("a length");
        prop_assert_eq!(u32::from_le_bytes(*length) as usize, body.len());
        let parsed = Frame::parse(Bytes::copy_from_slice(body), &Limits::default());
        prop_assert_eq!(parsed, Ok(frame));
    }

    #[test]
    fn integers_survive_being_written_and_read(value in any::<u64>(), shift in 0u32..64) {
        let value = value >> shift;
        let mut bytes = Vec::new();
        put_varint(&mut bytes, value);
        prop_assert_eq!(bytes.len(), (64 - value.leading_zeros()).div_ceil(7).max(1) as usize);
        let mut reader = Reader::new(&bytes);
        prop_assert_eq!(reader.varint("value"), Ok(value));
        prop_assert_eq!(reader.remaining(), 0);
    }

    #[test]
    fn arbitrary_outcomes_are_an_outcome_or_a_named_violation(bytes in prop::collection::vec(0u8..12, 0..20)) {
        if let Err(violation) = Failure::read(&bytes) {
            prop_assert_eq!(violation.rule, Rule::MalformedFrame);
        }
    }
}

#[test]
fn integers_at_the_bounds_of_each_length_take_as_few_bytes_as_they_can() {
    let bounds = (1..=9).flat_map(|len| [(len, (1 << (7 * len)) - 1), (len + 1, 1 << (7 * len))]);
    for (len, value) in bounds.chain([(1, 0), (10, u64::MAX)]) {
        let mut bytes = vec![0xff];
        put_varint(&mut bytes, value);
        assert_eq!(bytes.len() - 1, len, "{value:#x}");
        assert_eq!(Reader::new(&bytes[1..]).varint("value"), Ok(value));
    }
}

/// The same cases every time, unless proptest's own variables say otherwise, and no persistence file: a failure
/// prints its value, and belongs into a test of its own.
fn config() -> ProptestConfig {
    let standard = ProptestConfig::default();
    ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        cases: standard.cases.max(1000),
        rng_seed: match standard.rng_seed {
            RngSeed::Random => RngSeed::Fixed(1),
            fixed @ RngSeed::Fixed(_) => fixed,
        },
        ..standard
    }
}

#[test]
fn every_truncation_of_a_golden_frame_is_a_named_violation() {
    for (name, body) in golden::bodies() {
        // What follows a payload's head has no length of its own, so such a frame is whole from there on.
        let payload = match Frame::parse(body.clone(), &Limits::default()) {
            Ok(Frame::Call { payload, .. } | Frame::Reply { payload, .. }) => payload.len(),
            Ok(Frame::Items { items, .. }) => items.len(),
            Ok(Frame::Contract { contract, .. }) => contract.len(),
            Ok(Frame::Part { bytes, .. }) => bytes.len(),
            _ => 0,
        };
        for len in 0..body.len() - payload {
            let parsed = Frame::parse(body.slice(..len), &Limits::default());
            assert_eq!(parsed.map_err(|v| v.rule), Err(Rule::MalformedFrame), "{name} cut to {len} bytes");
        }
    }
    for (name, body) in golden::greeting_bodies() {
        for len in 0..body.len() {
            let parsed = Greeting::parse(&body.slice(..len));
            assert_eq!(parsed.map_err(|v| v.rule), Err(Rule::MalformedFrame), "{name} cut to {len} bytes");
        }
    }
}

/// A claim that was believed would ask for more memory than there is, and abort.
// proves: frame.counts
#[test]
fn pitfall_34_no_number_in_a_frame_is_believed() {
    for (_, body) in golden::bodies().into_iter().chain(golden::greeting_bodies()) {
        for claim in [1 << 20, 1 << 32, 1 << 42, u64::MAX] {
            for at in 1..body.len() {
                let mut lie = body[..at].to_vec();
                put_varint(&mut lie, claim);
                lie.extend_from_slice(&body[at + 1..]);
                check(&lie);
            }
        }
    }
}

// proves: metadata.limits
#[test]
fn metadata_past_any_limit_is_refused_alike_before_sending_and_after() {
    let limits = Limits::default();
    let entries = |count: usize, key: usize, value: usize| {
        let mut metadata = Metadata::new();
        for _ in 0..count {
            metadata.insert("k".repeat(key), "v".repeat(value));
        }
        metadata
    };
    let (most, longest, bytes) = (Metadata::MAX_ENTRIES, Metadata::MAX_KEY, Metadata::MAX_BYTES);
    for (metadata, fits) in [
        (entries(0, 0, 0), true),
        (entries(most, 1, 1), true),
        (entries(most + 1, 1, 1), false),
        (entries(1, longest, bytes - longest), true),
        (entries(1, longest + 1, 0), false),
        (entries(1, 0, 1), false),
        (entries(1, longest, bytes - longest + 1), false),
        (entries(2, 8, bytes / 2 - 8), true),
        (entries(2, 8, bytes / 2 - 7), false),
    ] {
        assert_eq!(metadata.check().is_ok(), fits, "{metadata:?}");
        let frame = Frame::Close { connection: ConnectionId(1), channel: ChannelId(1), metadata };
        let mut bytes = Vec::new();
        frame.put(&mut bytes);
        let parsed = Frame::parse(bytes.split_off(4).into(), &limits).map_err(|violation| violation.rule);
        assert_eq!(parsed, if fits { Ok(frame) } else { Err(Rule::MetadataTooLarge) });
    }
}

/// Reads `body` as both rooms would.
fn check(body: &[u8]) {
    let limits = Limits::default();
    let rules = [Rule::MalformedFrame, Rule::TooManyChannels, Rule::MetadataTooLarge];
    match Frame::parse(Bytes::copy_from_slice(body), &limits) {
        Ok(frame) => assert!(weight(&frame) <= WEIGHT_PER_BYTE * body.len(), "{frame:?} of {} bytes", body.len()),
        Err(violation) => {
            assert!(rules.contains(&violation.rule), "{violation}");
            assert!(!violation.detail.is_empty() && violation.detail.len() < 200, "{violation}");
        }
    }
    if let Err(violation) = Greeting::parse(&Bytes::copy_from_slice(body)) {
        assert!(rules.contains(&violation.rule), "{violation}");
    }
}

/// The memory that a frame owns beside the bytes it came in.
fn weight(frame: &Frame) -> usize {
    let of_metadata = |metadata: &Metadata| {
        metadata.iter().map(|(key, value)| size_of::<(String, String, bool)>() + key.len() + value.len()).sum()
    };
    match frame {
        Frame::Call { head, .. } | Frame::Long { head: LongHead::Call(head), .. } => {
            head.channels.len() * size_of::<ChannelOpen>() + of_metadata(&head.metadata)
        }
        Frame::Open { open, .. } => open.service.capacity() + of_metadata(&open.metadata),
        Frame::Close { metadata, .. } => of_metadata(metadata),
        Frame::Goodbye { reason } => reason.capacity(),
        Frame::Violation(violation) => violation.detail.capacity(),
        Frame::Refuse { refusal, .. } => refusal.reason.capacity(),
        Frame::Reset { why: Reset::Aborted(reason) | Reset::Full(reason), .. } => reason.len(),
        Frame::Reset { why: Reset::Gone | Reset::Dropped, .. } => 0,
        Frame::Ping { .. }
        | Frame::Pong { .. }
        | Frame::Ack { .. }
        | Frame::Forget { .. }
        | Frame::Long { .. }
        | Frame::Part { .. }
        | Frame::Accept { .. }
        | Frame::Shut { .. }
        | Frame::Contract { .. }
        | Frame::Reply { .. }
        | Frame::Cancel { .. }
        | Frame::Acknowledge { .. }
        | Frame::Items { .. }
        | Frame::Credit { .. } => 0,
    }
}

/// Words for a person, which are read without what cannot be seen.
fn words() -> impl Strategy<Value = String> {
    "\\PC{0,20}".prop_map(|words| cleaned(&words, 1 << 10))
}

fn frame() -> impl Strategy<Value = Frame> {
    let connection = || any::<u64>().prop_map(ConnectionId);
    let channel = || any::<u64>().prop_map(ChannelId);
    let request = || any::<u64>().prop_map(RequestId);
    let text = || "\\PC{0,20}";
    let rule = prop::sample::select(Rule::ALL);
    let code = prop::sample::select(vec![
        RefusalCode::UnknownService,
        RefusalCode::Busy,
        RefusalCode::ShuttingDown,
        RefusalCode::Unauthorized,
        RefusalCode::Other,
    ]);
    prop_oneof![
        any::<u64>().prop_map(|nonce| Frame::Ping { nonce }),
        any::<u64>().prop_map(|nonce| Frame::Pong { nonce }),
        any::<u64>().prop_map(|number| Frame::Forget { number }),
        (any::<u64>(), any::<u64>(), long_head()).prop_map(|(number, total, head)| Frame::Long { number, total, head }),
        (any::<u64>(), payload()).prop_map(|(number, bytes)| Frame::Part { number, bytes }),
        words().prop_map(|reason| Frame::Goodbye { reason }),
        (rule, words()).prop_map(|(rule, detail)| Frame::Violation(ProtocolViolation::new(rule, detail))),
        (connection(), text(), metadata(), hash()).prop_map(|(connection, service, metadata, hash)| {
            let recalls = match hash.0[1] % 3 {
                0 => Recalls::Nothing,
                1 => Recalls::Own,
                _ => Recalls::Both(SchemaHash([hash.0[2]; 32])),
            };
            let contract = (hash.0[0] < 128).then_some(Named { hash, recalls });
            Frame::Open { connection, open: Open { service, metadata, contract } }
        }),
        (connection(), any::<Option<(bool, bool)>>()).prop_map(|(connection, differs)| {
            let differs = differs.map(|(acceptors, openers)| Telling { acceptors, openers });
            Frame::Accept { connection, differs }
        }),
        (connection(), hash(), payload()).prop_map(|(connection, hash, contract)| Frame::Contract {
            connection,
            hash,
            contract
        }),
        (connection(), code, words())
            .prop_map(|(connection, code, why)| Frame::Refuse { connection, refusal: Refusal::new(code, why) }),
        connection().prop_map(|connection| Frame::Shut { connection }),
        (head(), payload()).prop_map(|(head, payload)| Frame::Call { head, payload }),
        (connection(), request(), payload()).prop_map(|(connection, request, payload)| Frame::Reply {
            connection,
            request,
            payload
        }),
        (connection(), request()).prop_map(|(connection, request)| Frame::Cancel { connection, request }),
        (connection(), operation()).prop_map(|(connection, operation)| Frame::Acknowledge { connection, operation }),
        (connection(), channel(), payload()).prop_map(|(connection, channel, items)| Frame::Items {
            connection,
            channel,
            items
        }),
        (connection(), channel(), metadata()).prop_map(|(connection, channel, metadata)| Frame::Close {
            connection,
            channel,
            metadata
        }),
        (connection(), channel(), reset()).prop_map(|(connection, channel, why)| Frame::Reset {
            connection,
            channel,
            why
        }),
        (connection(), channel(), any::<u32>(), any::<u32>())
            .prop_map(|(connection, channel, items, bytes)| Frame::Credit { connection, channel, items, bytes }),
    ]
}

fn hash() -> impl Strategy<Value = SchemaHash> {
    any::<[u8; 32]>().prop_map(SchemaHash)
}

fn reset() -> impl Strategy<Value = Reset> {
    prop_oneof![
        Just(Reset::Gone),
        Just(Reset::Dropped),
        words().prop_map(|reason| Reset::Aborted(reason.into())),
        words().prop_map(|reason| Reset::Full(reason.into())),
    ]
}

fn operation() -> impl Strategy<Value = OperationId> {
    any::<u128>().prop_map(OperationId::from_u128)
}

fn long_head() -> impl Strategy<Value = LongHead> {
    let ids = || (any::<u64>().prop_map(ConnectionId), any::<u64>());
    prop_oneof![
        head().prop_map(LongHead::Call),
        ids().prop_map(|(connection, id)| LongHead::Reply { connection, request: RequestId(id) }),
        ids().prop_map(|(connection, id)| LongHead::Items { connection, channel: ChannelId(id) }),
    ]
}

fn head() -> impl Strategy<Value = CallHead> {
    let ids = (any::<u64>(), any::<u64>(), any::<u64>());
    let timeout = prop::option::of(any::<u64>().prop_map(Duration::from_micros));
    let direction = prop::sample::select(vec![ChannelDirection::CallerSends, ChannelDirection::HandlerSends]);
    let channels = prop::collection::vec(
        (any::<u64>(), direction).prop_map(|(id, direction)| ChannelOpen { id: ChannelId(id), direction }),
        0..5,
    );
    let head = (ids, prop::option::of(operation()), (timeout, any::<bool>()), metadata(), channels);
    head.prop_map(|((connection, request, method), operation, (timeout, patient), metadata, channels)| CallHead {
        operation,
        patient,
        connection: ConnectionId(connection),
        request: RequestId(request),
        method: MethodId(method),
        timeout,
        metadata,
        channels: channels.into(),
    })
}

fn metadata() -> impl Strategy<Value = Metadata> {
    prop::collection::vec(("\\PC{1,20}", "\\PC{0,30}", any::<bool>()), 0..5).prop_map(|entries| {
        let mut metadata = Metadata::new();
        for (key, value, sensitive) in entries {
            metadata.push(&key, &value, sensitive);
        }
        metadata
    })
}

fn payload() -> impl Strategy<Value = Bytes> {
    prop::collection::vec(any::<u8>(), 0..50).prop_map(Bytes::from)
}
