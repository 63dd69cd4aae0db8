//! Bytes that mean harm.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use vox_runtime::codec::{Budget, DecodeErrorKind};

use super::support::{check_bytes, decode, decode_within, encode, fewer};
use super::types::*;

/// The kind of error that decoding `bytes` gives.
#[track_caller]
fn error<T: facet::Facet<'static> + std::fmt::Debug>(bytes: &[u8]) -> DecodeErrorKind {
    decode::<T>(bytes).unwrap_err().kind
}

/// The encoding of a length.
fn length(len: u64) -> Vec<u8> {
    encode(&len)
}

#[test]
fn pitfall_33_recursive_types_compile_and_decode() {
    let list = List { value: 1, next: Some(Box::new(List { value: 2, next: None })) };
    assert_eq!(decode::<List>(&encode(&list)), Ok(list));
}

#[test]
fn pitfall_33_nesting_ends_at_128() {
    const TOO_DEEP: DecodeErrorKind = DecodeErrorKind::TooDeep { limit: Budget::DEPTH };
    // A box and an option are two levels.
    let nested = |depth: usize| {
        let mut bytes = [7u8, 1].repeat(depth);
        bytes.extend([7, 0]);
        bytes
    };
    assert!(decode::<List>(&nested(64)).is_ok());
    assert_eq!(error::<List>(&nested(65)), TOO_DEEP);
    assert_eq!(error::<List>(&nested(fewer(50_000, 200))), TOO_DEEP);
    assert_eq!(error::<Tree>(&[1, 1].repeat(fewer(50_000, 200))), TOO_DEEP);
}

/// A box of many enums around one another is as many levels. The stack is that of a runtime's thread, and this is a build
/// without optimisation.
#[test]
fn nesting_of_enums_and_options_cannot_overflow_a_stack() {
    type Wraps<T> = Wrap<Wrap<Wrap<Option<Wrap<Option<Result<Wrap<Wrap<Wrap<Wrap<Wrap<Wrap<T>>>>>>, u8>>>>>>>;
    #[derive(facet::Facet, Debug)]
    #[repr(u8)]
    enum Wrap<T> {
        Of(T),
    }
    #[derive(facet::Facet, Debug)]
    #[repr(u8)]
    #[allow(dead_code)]
    enum Chain {
        End,
        Next(#[facet(recursive_type)] Box<Wraps<Chain>>),
    }
    let thread = std::thread::Builder::new().stack_size(2 << 20);
    let run = thread.spawn(|| {
        let level = [1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0];
        let chain = |levels: usize| [&level.repeat(levels)[..], &[0]].concat();
        // A level has a variant, a box, and twelve enums, options and results.
        let deepest = (0..200).take_while(|levels| decode::<Chain>(&chain(*levels)).is_ok()).last();
        let deepest = deepest.expect("the end alone is fine");
        assert_eq!(deepest, Budget::DEPTH as usize / 15);
        assert_eq!(error::<Chain>(&chain(10_000)), DecodeErrorKind::TooDeep { limit: Budget::DEPTH });
        let value = decode::<Chain>(&chain(deepest)).unwrap();
        assert_eq!(encode(&value), chain(deepest));
    });
    run.expect("a thread").join().unwrap();
}

#[test]
fn pitfall_33_array_lengths_are_part_of_the_type() {
    let bytes = encode(&[1u8, 2, 3]);
    assert!(decode::<[u8; 3]>(&bytes).is_ok());
    assert_eq!(error::<[u8; 4]>(&bytes), DecodeErrorKind::UnexpectedEnd);
    assert_eq!(error::<[u8; 2]>(&bytes), DecodeErrorKind::TrailingBytes);
}

#[test]
fn pitfall_34_a_vector_of_2_to_the_42_is_refused() {
    let bytes = length(1 << 42);
    assert_eq!(bytes.len(), 7);
    assert_eq!(error::<Vec<u64>>(&bytes), DecodeErrorKind::BadLength(1 << 42));
    assert_eq!(error::<Vec<Record>>(&bytes), DecodeErrorKind::BadLength(1 << 42));
    assert_eq!(error::<Vec<u8>>(&bytes), DecodeErrorKind::BadLength(1 << 42));
    assert_eq!(error::<String>(&bytes), DecodeErrorKind::UnexpectedEnd);
    assert_eq!(error::<Box<[u32]>>(&bytes), DecodeErrorKind::BadLength(1 << 42));
    assert_eq!(error::<HashMap<u8, u8>>(&bytes), DecodeErrorKind::BadLength(1 << 42));
    assert_eq!(error::<BTreeSet<u8>>(&bytes), DecodeErrorKind::BadLength(1 << 42));
    assert_eq!(error::<Vec<u8>>(&length(u64::MAX)), DecodeErrorKind::BadLength(u64::MAX));
}

#[test]
fn pitfall_34_a_length_must_leave_room_for_its_items() {
    // Ten bytes are left, and a record is longer than five.
    let mut bytes = length(2);
    bytes.extend([0; 10]);
    assert_eq!(error::<Vec<Record>>(&bytes), DecodeErrorKind::BadLength(2));
    assert_eq!(error::<Vec<f64>>(&bytes), DecodeErrorKind::BadLength(2));
}

#[test]
fn pitfall_34_a_u16_of_65537_is_refused() {
    let bytes = encode(&65_537u32);
    assert_eq!(error::<u16>(&bytes), DecodeErrorKind::BadVarint);
    assert_eq!(error::<(u16, [u8; 16])>(&[&bytes[..], &[0; 16]].concat()), DecodeErrorKind::BadVarint);
    check_bytes::<u16>(&bytes);
    check_bytes::<i16>(&bytes);
    check_bytes::<u32>(&encode(&(1u64 << 32)));
    check_bytes::<u64>(&encode(&(1u128 << 64)));
}

#[test]
fn pitfall_34_trailing_bytes_are_refused() {
    assert_eq!(error::<u8>(&[1, 2]), DecodeErrorKind::TrailingBytes);
    assert_eq!(error::<()>(&[0]), DecodeErrorKind::TrailingBytes);
}

#[test]
fn overlong_numbers_are_taken_as_postcard_takes_them() {
    for bytes in [
        &[0x80, 0x00][..],
        &[0x80, 0x80, 0x00],
        &[0x80, 0x80, 0x80, 0x00],
        &[0x80, 0x80, 0x80, 0x80, 0x00],
        &[0x80, 0x80, 0x80, 0x80, 0x80, 0x00],
        &[0x80; 8],
        &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00],
        &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00],
        &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
        &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02],
        &[0x80; 19],
        &[0xff; 30],
    ]
    .into_iter()
    .step_by(fewer(1, 4))
    {
        check_bytes::<u16>(bytes);
        check_bytes::<u32>(bytes);
        check_bytes::<u64>(bytes);
        check_bytes::<u128>(bytes);
        check_bytes::<i64>(bytes);
        // With bytes behind, so that the fast way is taken.
        let padded = [bytes, &[0; 16]].concat();
        check_bytes::<(u16, [u8; 16])>(&padded);
        check_bytes::<(u32, [u8; 16])>(&padded);
        check_bytes::<(u64, [u8; 16])>(&padded);
        check_bytes::<(u128, [u8; 16])>(&padded);
        check_bytes::<(Level, [u8; 16])>(&padded);
    }
}

#[test]
fn values_that_are_none_are_refused() {
    assert_eq!(error::<bool>(&[2]), DecodeErrorKind::BadBool);
    assert_eq!(error::<Option<u8>>(&[2, 0]), DecodeErrorKind::BadOption);
    assert_eq!(error::<Result<u8, u8>>(&[2, 0]), DecodeErrorKind::BadVariant(2));
    assert_eq!(error::<Level>(&[3]), DecodeErrorKind::BadVariant(3));
    assert_eq!(error::<String>(&[1, 0xff]), DecodeErrorKind::BadUtf8);
    assert_eq!(error::<Box<str>>(&[1, 0xff]), DecodeErrorKind::BadUtf8);
    assert_eq!(error::<bytestring::ByteString>(&[1, 0xff]), DecodeErrorKind::BadUtf8);
    assert_eq!(error::<std::num::NonZero<u32>>(&[0]), DecodeErrorKind::BadValue("NonZero"));
    assert_eq!(error::<Result<u8, std::convert::Infallible>>(&[1]), DecodeErrorKind::BadValue("Infallible"));
    let duration = encode(&(u64::MAX, 1_000_000_000u32));
    assert_eq!(error::<std::time::Duration>(&duration), DecodeErrorKind::BadValue("Duration"));
    check_bytes::<std::time::Duration>(&duration);
    check_bytes::<std::time::Duration>(&encode(&(5u64, u32::MAX)));
}

/// Short strings are looked at in pieces that overlap, by their length.
#[test]
fn a_byte_that_is_no_ascii_is_seen_wherever_it_stands() {
    for len in 0..=40 {
        let mut bytes = length(len);
        bytes.extend((0..len as u8).map(|at| b'a' + at % 26));
        assert_eq!(decode::<String>(&bytes).unwrap().as_bytes(), &bytes[1..]);
        for at in 1..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] = 0x80;
            assert_eq!(error::<String>(&bad), DecodeErrorKind::BadUtf8, "{len} bytes, byte {at}");
            check_bytes::<String>(&bad);
        }
        for at in 1..bytes.len().saturating_sub(1) {
            let mut other = bytes.clone();
            other[at..at + 2].copy_from_slice("é".as_bytes());
            assert_eq!(decode::<String>(&other).unwrap().as_bytes(), &other[1..], "{len} bytes, byte {at}");
        }
    }
}

#[test]
fn chars_are_taken_as_postcard_takes_them() {
    for bytes in [
        &[0][..],
        &[1, b'a'],
        &[2, b'a', b'b'],
        &[5, 1, 1, 1, 1, 1],
        &[3, 0xe2, 0x82, 0xac],
        &[3, 0xed, 0xa0, 0x80],
        &[4, 0xf4, 0x90, 0x80, 0x80],
        &[1, 0xff],
        &[2, b'a'],
        &[],
    ] {
        check_bytes::<char>(bytes);
    }
}

#[test]
fn items_of_no_size_cannot_be_had_for_nothing() {
    let billion = length(1_000_000_000);
    assert_eq!(billion.len(), 5);
    let limit = Budget::EMPTY_ITEMS;
    let too_many = DecodeErrorKind::TooManyEmptyItems { count: 1_000_000_000, limit };
    assert_eq!(error::<HashMap<(), ()>>(&billion), too_many);
    assert_eq!(error::<BTreeMap<(), ()>>(&billion), too_many);
    assert_eq!(error::<HashSet<()>>(&billion), too_many);
    assert_eq!(error::<Vec<()>>(&billion), too_many);
    assert_eq!(error::<Vec<[Unit; 3]>>(&billion), too_many);
    // Many small ones add up.
    let count = fewer(1000, 20);
    let mut many = length(count as u64);
    let each = fewer(1000, 50);
    many.extend(length(each as u64).repeat(count));
    let result = decode_within::<Vec<Vec<()>>>(&many, Budget::new(each * 32 * count, 64));
    assert!(matches!(result.unwrap_err().kind, DecodeErrorKind::OverBudget { .. }));
    // The most of one collection can be had.
    assert!(decode::<Vec<()>>(&length(if cfg!(miri) { 2_000 } else { limit as u64 })).is_ok());
}
