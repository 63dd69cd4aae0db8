//! A wide table of types: each is encoded as serde encodes it, and comes back.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::marker::PhantomData;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::num::NonZero;
use std::ops::Range;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;

use super::support::{check, check_bytes, decode, encode, fewer};
use super::types::*;

#[test]
fn numbers() {
    for value in [0u64, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), 1 << 55, 1 << 56, u64::MAX] {
        check(value);
        check(value as u8);
        check(value as u16);
        check(value as u32);
        check(value as usize);
        check(u128::from(value) << 64 | u128::from(value));
        check(value as i8);
        check(value as i16);
        check(value as i32);
        check(value as i64);
        check(-(value as i64 >> 1));
        check(value as isize);
        check(-(i128::from(value) << 63));
        check(vec![value; 3]);
        check(vec![value as i16; 3]);
        check(vec![value as i64; 3]);
    }
    for value in [0.0f64, -0.0, 1.5, f64::MAX, f64::INFINITY] {
        check(value);
        check(value as f32);
        check(vec![value; 3]);
        check(vec![value as f32; 3]);
    }
    check(true);
    check(vec![false, true]);
    for value in ['a', 'ß', '€', '😀', '\0'] {
        check(value);
        check(vec![value, value]);
    }
}

#[test]
fn all_numbers_in_one_struct() {
    check(Numbers {
        a: 200,
        b: 300,
        c: 70_000,
        d: 1 << 60,
        e: 1 << 100,
        f: 9,
        g: -100,
        h: -300,
        i: -70_000,
        j: i64::MIN,
        k: i128::MIN,
        l: -9,
        m: 0.5,
        n: -0.25,
        o: true,
        p: 'é',
    });
}

#[test]
fn text_and_bytes() {
    for text in ["", "a", "grüße", &"x".repeat(fewer(300, 130))] {
        check(text.to_owned());
        check::<Box<str>>(text.into());
        check::<Arc<str>>(text.into());
        check::<Rc<str>>(text.into());
        check::<Cow<'static, str>>(Cow::Owned(text.to_owned()));
        check(PathBuf::from(text));
        check(vec![text.to_owned(); 3]);
        check(text.as_bytes().to_vec());
        check::<Box<[u8]>>(text.as_bytes().into());
        check::<Arc<[u8]>>(text.as_bytes().into());
        assert_eq!(encode(&Bytes::from(text.to_owned())), encode(&text.to_owned()));
        assert_eq!(encode(&ByteString::from(text)), encode(&text.to_owned()));
    }
}

#[test]
fn bytes_are_slices_of_the_frame() {
    let value = (Bytes::from_static(b"abc"), ByteString::from_static("déf"), [Bytes::new()]);
    let bytes = encode(&value);
    assert_eq!(decode(&bytes), Ok(value));
    let frame = Bytes::from(bytes);
    let mut from = vox_runtime::codec::Decoder::new(&frame, vox_runtime::codec::Budget::new(0, 1));
    let plan = vox_runtime::codec::Plan::<(Bytes, ByteString, [Bytes; 1])>::new();
    let (bytes, text, _) = plan.decode(&mut from).unwrap();
    assert_eq!(bytes.as_ptr(), frame[1..].as_ptr());
    assert_eq!(text.as_bytes().as_ptr(), frame[5..].as_ptr());
}

#[test]
fn structs_and_tuples() {
    check(());
    check(Unit);
    check(Newtype("new".into()));
    check(Transparent(7));
    check(Generic { first: 1u8, rest: vec![2, 3] });
    check(Generic { first: "a".to_owned(), rest: vec!["b".to_owned()] });
    check(PhantomData::<String>);
    check((1u8,));
    check((1u8, "two".to_owned(), 3.0f32, Some('4')));
    check((1u8, 2u16, 3u32, 4u64, 5i8, 6i16, 7i32, 8i64, 9u8, 10u8, 11u8, 12u8));
    check(Range { start: 3u32, end: 9 });
}

#[test]
fn enums_of_every_repr() {
    check(vec![Level::Low, Level::Middle, Level::High]);
    check(vec![Sparse::Minus, Sparse::Zero, Sparse::Much]);
    check(vec![
        Event::Nothing,
        Event::One(5),
        Event::Two("x".into(), Some(3)),
        Event::Named { at: Point { x: -1, y: 1 }, tags: vec!["t".into()] },
        Event::Deep(Box::new(Event::Deep(Box::new(Event::Nothing)))),
    ]);
    macro_rules! all {
        ($($name:ident),*) => {$(
            check(vec![$name::A, $name::B(1, 1 << 40), $name::C { s: "c".into(), b: true }]);
        )*};
    }
    all!(OfU16, OfU32, OfU64, OfI8, OfI32, OfI64, OfC);
}

#[test]
fn options_and_results() {
    check(None::<u8>);
    check(Some(7u8));
    check(Some(true));
    check(Some(Some("x".to_owned())));
    check(Some(None::<String>));
    check(Some(Box::new(4u32)));
    check(Some(NonZero::new(4u32).unwrap()));
    check(vec![Some(Level::High), None]);
    check(Ok::<u8, String>(3));
    check(Err::<u8, String>("no".into()));
    check(Some(Ok::<(), Point>(())));
    check(Err::<Vec<u64>, ()>(()));
}

#[test]
fn owners() {
    check(Box::new(5u64));
    check(Box::new(()));
    check(Box::new("boxed".to_owned()));
    check(Arc::new(Point { x: 1, y: 2 }));
    check(Rc::new("shared".to_owned()));
    check::<Box<[String]>>(vec!["a".to_owned(), "b".to_owned()].into());
    check::<Arc<[u32]>>(vec![1, 2, 3].into());
    check::<Rc<[Point]>>(vec![Point { x: 1, y: 2 }].into());
    check::<Box<[u64]>>(Box::default());
}

#[test]
fn lists_and_arrays() {
    check(Vec::<u64>::new());
    check((0..fewer(5000, 40) as u64).map(|n| n * n * n).collect::<Vec<_>>());
    check((0..fewer(5000, 40) as i32).map(|n| -n * 77).collect::<Vec<_>>());
    check(vec![vec![vec![1u8]], vec![], vec![vec![], vec![2, 3]]]);
    check((0..fewer(700, 20) as i32).map(|n| Point { x: n, y: -n }).collect::<Vec<_>>());
    check([1u8; 32]);
    check([1.5f64; 7]);
    check([1u64; 32]);
    check::<[u8; 0]>([]);
    check([[1u16, 2, 3], [4, 5, 6]]);
    check([(); 3]);
    check(["a".to_owned(), "b".to_owned()]);
    check::<[String; 20]>(std::array::from_fn(|n| n.to_string()));
    check(vec![(); 3]);
}

#[test]
fn maps_and_sets() {
    check(BTreeMap::from([(1u8, 2u64), (3, 4)]));
    check(BTreeMap::from([("k".to_owned(), 1u8), ("l".to_owned(), 2)]));
    check(HashMap::from([(1u64, 2u8), (3, 4)]));
    check((0..fewer(400, 9) as u32).map(|n| (n.to_string(), vec![n])).collect::<HashMap<_, _>>());
    check(HashMap::<String, Point>::new());
    check(BTreeMap::from([((), ())]));
    check(BTreeSet::from([5u16, 6, 7]));
    check((0..fewer(400, 9) as u64).collect::<HashSet<u64>>());
    check(HashSet::<String>::from(["a".to_owned()]));
    check(BTreeMap::from([(Level::Low, HashMap::from([(1u8, BTreeSet::from([1u8]))]))]));
}

#[test]
fn the_last_of_equal_keys_wins_as_in_serde() {
    let pairs = encode(&vec![(1u8, 2u8), (1, 3)]);
    assert_eq!(decode(&pairs), Ok(HashMap::from([(1u8, 3u8)])));
    check_bytes::<BTreeMap<u8, u8>>(&pairs);
    check_bytes::<BTreeSet<u8>>(&[3, 9, 9, 9]);
}

#[test]
fn small_values_of_the_standard_library() {
    check(Duration::new(5, 999_999_999));
    check(Duration::MAX);
    check(NonZero::new(7u8).unwrap());
    check(NonZero::new(-7i8).unwrap());
    check(NonZero::new(700u16).unwrap());
    check(NonZero::new(u32::MAX).unwrap());
    check(NonZero::new(u64::MAX).unwrap());
    check(NonZero::new(u128::MAX).unwrap());
    check(NonZero::new(7usize).unwrap());
    check(NonZero::new(i16::MIN).unwrap());
    check(NonZero::new(i32::MIN).unwrap());
    check(NonZero::new(i64::MIN).unwrap());
    check(NonZero::new(i128::MIN).unwrap());
    check(NonZero::new(isize::MIN).unwrap());
}

#[test]
fn addresses() {
    let (v4, v6) = (Ipv4Addr::new(10, 0, 0, 1), Ipv6Addr::LOCALHOST);
    check(v4);
    check(v6);
    check(IpAddr::from(v4));
    check(IpAddr::from(v6));
    check(SocketAddrV4::new(v4, 8080));
    check(SocketAddrV6::new(v6, 8080, 0, 0));
    check(SocketAddr::from((v4, 80)));
    check(SocketAddr::from((v6, 65_535)));
}

#[test]
fn recursive_types() {
    let mut list = None;
    for value in 0..60 {
        list = Some(Box::new(List { value, next: list }));
    }
    check(*list.unwrap());
    check(Tree::Node(vec![Tree::Leaf(1), Tree::Pair(Box::new(Tree::Leaf(-2)), Box::new(Tree::Node(vec![])))]));
}
