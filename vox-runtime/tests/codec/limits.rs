//! What encoding and decoding may cost.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use vox_runtime::codec::{Budget, DecodeErrorKind, EncodeError, Encoder, Plan};

use super::support::{decode_within, encode, fewer};
use super::types::*;

/// The least budget under which the value can be decoded, in bytes.
#[track_caller]
fn cost<T>(value: &T) -> usize
where
    T: facet::Facet<'static> + std::fmt::Debug,
{
    let bytes = encode(value);
    let fits = |max| match decode_within::<T>(&bytes, Budget::new(max, 64)) {
        Ok(_) => true,
        Err(error) => {
            let DecodeErrorKind::OverBudget { needed, limit } = error.kind else { panic!("{error}") };
            assert!(limit == max && needed > max, "{needed} and {limit}");
            false
        }
    };
    (0..1 << 10).find(|max| fits(*max)).unwrap()
}

#[test]
fn memory_is_charged_by_its_size_in_memory() {
    assert_eq!(cost(&7u64), 0);
    assert_eq!(cost(&"abc".to_owned()), 3);
    assert_eq!(cost(&vec![1u8, 2, 3]), 3);
    assert_eq!(cost(&vec![1u64, 2, 3]), 24);
    assert_eq!(cost(&vec!["ab".to_owned()]), size_of::<String>() + 2);
    assert_eq!(cost(&Box::new(Point { x: 1, y: 2 })), 8);
    assert_eq!(cost(&Arc::new(Point { x: 1, y: 2 })), 8 + 8 + 16);
    assert_eq!(cost(&Some(Box::new(7u64))), 8);
    assert_eq!(cost(&None::<Box<u64>>), 0);
    assert_eq!(cost::<Box<[u32]>>(&vec![1, 2].into()), 8);
    assert_eq!(cost(&bytes::Bytes::from_static(b"free")), 0);
    assert_eq!(cost(&BTreeMap::<u8, u64>::new()), 0);
    assert_eq!(cost(&HashMap::<u8, u64>::new()), 0);
}

#[test]
fn containers_are_charged_for_what_they_take_beside_their_contents() {
    // A node has room for eleven.
    assert_eq!(cost(&BTreeMap::from([(1u8, 2u64)])), 11 * 9 + 32 + 9);
    assert_eq!(cost(&BTreeSet::from([1u64])), 11 * 8 + 32 + 8);
    // Four buckets, four bytes that say what is in them, some more, and the pair before it is moved there.
    assert_eq!(cost(&HashMap::from([(1u64, 2u64)])), 16 + 4 * 17 + 32);
    assert_eq!(cost(&HashSet::from([1u64])), 4 * 9 + 32 + 8);
}

#[test]
fn items_of_no_bytes_are_charged_for_the_work() {
    assert_eq!(cost(&vec![(), ()]), 128);
    assert_eq!(cost(&vec![[(); 3]; 5]), 320);
}

#[test]
fn a_value_past_the_budget_is_refused_with_both_numbers_and_the_setting() {
    // Each item takes one byte on the wire and hundreds in memory.
    let count = fewer(100_000, 200);
    let wide = encode(&vec![None::<[u64; 100]>; count]);
    let budget = Budget::new(count * 100, 64);
    let error = decode_within::<Vec<Option<[u64; 100]>>>(&wide, budget).unwrap_err();
    let DecodeErrorKind::OverBudget { needed, limit } = error.kind else { panic!("{error}") };
    assert!(needed >= count * 808 && limit == count * 100);
    let text = DecodeErrorKind::OverBudget { needed: 808, limit: 100 }.to_string();
    assert_eq!(
        text,
        "the value takes 808 bytes of memory or more, over the limit of 100 bytes; `Limits::max_decoded_bytes` of the \
         end that decodes it raises it"
    );
}

#[test]
fn an_encoding_past_the_limit_leaves_nothing() {
    let mut out = vec![1, 2, 3];
    let value = vec!["four".to_owned(); 10];
    let exact = 3 + encode(&value).len();
    for limit in (0..exact).step_by(fewer(1, 7)) {
        let result = Plan::new().encode(&value, &mut Encoder::new(&mut out, limit));
        let Err(EncodeError::TooLarge { needed, limit: told }) = result else { panic!("{result:?}") };
        assert!(told == limit && needed > limit && needed <= exact, "{needed} and {limit}");
        assert_eq!(out, [1, 2, 3]);
    }
    Plan::new().encode(&value, &mut Encoder::new(&mut out, exact)).unwrap();
    assert_eq!(out.len(), exact);
}

#[test]
fn a_large_encoding_past_the_limit_is_not_made_first() {
    let mut out = Vec::new();
    let value = vec![0u8; 1 << 20];
    let result = Plan::new().encode(&value, &mut Encoder::new(&mut out, 1000));
    assert_eq!(result, Err(EncodeError::TooLarge { needed: 1 << 20, limit: 1000 }));
    assert!(out.capacity() < 10_000);
}

#[test]
fn pieces_of_the_runtime_keep_to_the_limit() {
    let mut out = Vec::new();
    let mut to = Encoder::new(&mut out, 5);
    to.str("abc").unwrap();
    assert_eq!(to.bytes(b"xy"), Err(EncodeError::TooLarge { needed: 7, limit: 5 }));
    assert_eq!(to.varint(1 << 20), Err(EncodeError::TooLarge { needed: 7, limit: 5 }));
    to.byte(9).unwrap();
    assert_eq!(to.len(), 5);
    assert_eq!(to.byte(9), Err(EncodeError::TooLarge { needed: 6, limit: 5 }));
    assert_eq!(out, b"\x03abc\x09");
}

#[test]
fn nesting_that_no_peer_accepts_is_not_sent() {
    let list = |depth: u32| (0..depth).fold(None, |next, value| Some(Box::new(List { value, next })));
    let result = |depth| {
        let value = List { value: 0, next: list(depth) };
        Plan::new().encode(&value, &mut Encoder::new(&mut Vec::new(), 10_000))
    };
    assert_eq!(result(64), Ok(()));
    assert_eq!(result(65), Err(EncodeError::TooDeep { limit: 128 }));
}

/// Whatever stands at the bottom, what can be encoded can be decoded, and nothing else is sent.
#[test]
fn both_ways_end_at_the_same_depth() {
    fn check<T: facet::Facet<'static> + Clone + std::fmt::Debug>(bottom: T) {
        let mut sent = 0;
        for depth in fewer(62, 64)..66 {
            let value = (0..depth).fold(Nest::Bottom(bottom.clone()), |inner, _| Nest::Deeper(Box::new(inner)));
            let mut out = Vec::new();
            let result = Plan::new().encode(&value, &mut Encoder::new(&mut out, 10_000));
            let mut bytes = vec![1; depth];
            bytes.push(0);
            bytes.extend(encode(&bottom));
            let budget = Budget::new(usize::MAX, Budget::DEPTH);
            assert_eq!(result.is_ok(), decode_within::<Nest<T>>(&bytes, budget).is_ok(), "{bottom:?} at {depth}");
            sent += u32::from(result.is_ok());
        }
        assert!(sent < 4 && (sent > 0 || cfg!(miri)), "{bottom:?}");
    }
    check(vec!["text".to_owned()]);
    if cfg!(miri) {
        return;
    }
    check(5u8);
    check(Some(7u64));
    check("text".to_owned());
    check(Vec::<u8>::new());
    check(vec![1u8]);
    check(vec![1u64]);
    check(vec![Point { x: 1, y: 2 }]);
    check(vec![vec![1u8]]);
    check::<Box<[u32]>>(vec![1].into());
    check(Arc::new(5u64));
    check([Box::new(1u8), Box::new(2)]);
    check(BTreeMap::<u8, u8>::new());
    check(BTreeMap::from([(1u8, 2u8)]));
    check(BTreeSet::<u8>::new());
    check(BTreeSet::from(["a".to_owned()]));
}

#[test]
fn encoding_into_room_does_not_allocate() {
    let value = (vec![Point { x: 1, y: -70_000 }; 3], "text".to_owned(), Some(Box::new(7u128)));
    let mut out = Vec::with_capacity(1024);
    let plan = Plan::new();
    plan.encode(&value, &mut Encoder::new(&mut out, 1024)).unwrap();
    out.clear();
    let allocations = super::support::allocations_of(|| {
        plan.encode(&value, &mut Encoder::new(&mut out, 1024)).unwrap();
    });
    assert_eq!(allocations, 0);
}
