//! Values of one version of a type, read as another.

#![allow(dead_code, reason = "versions of types, of which not all parts are looked at")]

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt::Debug;
use std::num::NonZero;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use facet::Facet;

use super::super::skips::Passing;
use super::super::{Budget, Decoder, Encoder, Plan, schema_of};
use super::*;
use crate::codec::{DecodeError, DecodeErrorKind};

fn encoded<A: Facet<'static>>(value: &A) -> Bytes {
    let mut out = Vec::new();
    Plan::<A>::new().encode(value, &mut Encoder::new(&mut out, usize::MAX)).expect("it can be encoded");
    out.into()
}

/// How to read a `B` that was written as an `A`.
fn translation<A: Facet<'static>, B: Facet<'static>>() -> Result<Translation, String> {
    let schema = schema_of(A::SHAPE).expect("it can cross");
    let schema = Bytes::copy_from_slice(schema.bytes());
    Plan::<B>::new().translation(&schema, &Types::read(&schema).expect("a schema"), 0, &Weight::default())
}

fn read<B: Facet<'static>>(translation: &Translation, frame: &Bytes) -> Result<B, DecodeError> {
    let mut from = Decoder::new(frame, Budget::default_for(frame.len()));
    let value = Plan::<B>::new().decode_by(translation, &mut from)?;
    from.finish()?;
    Ok(value)
}

/// What is written as an `A` is read as this `B`; cut anywhere it is refused, and with any byte changed it is answered.
#[track_caller]
fn check<A: Facet<'static>, B: Facet<'static> + PartialEq + Debug>(written: A, expected: B) {
    let translation = translation::<A, B>().expect("it can be translated");
    let frame = encoded(&written);
    assert_eq!(read::<B>(&translation, &frame).as_ref(), Ok(&expected));
    // Miri takes a sample.
    let step = if cfg!(miri) { frame.len() / 3 + 1 } else { 1 };
    for cut in (0..frame.len()).step_by(step) {
        assert!(read::<B>(&translation, &frame.slice(..cut)).is_err(), "cut at {cut}");
    }
    for at in (0..frame.len()).step_by(step) {
        for flip in if cfg!(miri) { vec![0x81] } else { vec![1, 2, 0x40, 0x7f, 0x80, 0xff] } {
            let mut other = frame.to_vec();
            other[at] ^= flip;
            let _ = read::<B>(&translation, &other.into());
        }
    }
}

#[track_caller]
fn refused<A: Facet<'static>, B: Facet<'static>>(words: &str) {
    assert_eq!(translation::<A, B>().expect_err("it cannot be translated"), words);
}

/// What is made where it is not sent, and must be dropped where the rest cannot be read.
fn made() -> Vec<String> {
    vec!["made".to_owned()]
}

mod a {
    use super::*;

    #[derive(Facet, Clone, Debug, PartialEq)]
    pub(super) struct Account {
        pub(super) id: u32,
        pub(super) owner: String,
        pub(super) old: Vec<(u8, Option<Box<Kind>>)>,
        pub(super) kind: Kind,
    }

    #[derive(Facet, Clone, Debug, PartialEq)]
    #[repr(u8)]
    pub(super) enum Kind {
        Plain,
        Joint(String, u16),
        Gone { why: String },
        Limited { by: u16, until: Duration },
    }

    #[derive(Facet, Clone, Debug, PartialEq)]
    pub(super) struct Tree {
        pub(super) name: String,
        pub(super) left_out: HashMap<String, f64>,
        pub(super) children: Vec<Tree>,
    }

    #[derive(Facet, Clone, Debug, PartialEq)]
    pub(super) struct Chain {
        pub(super) value: u8,
        pub(super) next: Option<Box<Chain>>,
    }

    #[derive(Facet, Clone, Debug, PartialEq)]
    pub(super) struct Pair<T> {
        pub(super) one: T,
        pub(super) two: T,
    }
}

mod b {
    use super::*;

    #[derive(Facet, Clone, Debug, PartialEq)]
    pub(super) struct Account {
        pub(super) kind: Kind,
        #[facet(default)]
        pub(super) tags: BTreeSet<String>,
        pub(super) owner: String,
        pub(super) id: i64,
        pub(super) note: Option<String>,
        #[facet(default = made())]
        pub(super) made: Vec<String>,
    }

    #[derive(Facet, Clone, Debug, PartialEq)]
    #[repr(u16)]
    pub(super) enum Kind {
        Limited {
            until: Duration,
            by: u64,
            #[facet(default = made())]
            made: Vec<String>,
        },
        New = 700,
        Joint(String, u16, Option<u8>),
        Plain,
    }

    #[derive(Facet, Clone, Debug, PartialEq)]
    pub(super) struct Tree {
        pub(super) children: Box<[Tree]>,
        pub(super) depth: Option<u8>,
        pub(super) name: Arc<str>,
    }

    #[derive(Facet, Clone, Debug, PartialEq)]
    pub(super) struct Chain {
        pub(super) next: Option<Rc<Chain>>,
        pub(super) value: u16,
    }

    #[derive(Facet, Clone, Debug, PartialEq)]
    pub(super) struct Pair<T> {
        pub(super) two: T,
        pub(super) one: T,
    }
}

fn accounts() -> [(a::Account, b::Account); 3] {
    let account = |kind| a::Account {
        id: 70_000,
        owner: "Zoë".to_owned(),
        old: vec![(1, None), (2, Some(Box::new(a::Kind::Gone { why: "so".to_owned() })))],
        kind,
    };
    let expected = |kind| b::Account {
        kind,
        tags: BTreeSet::new(),
        owner: "Zoë".to_owned(),
        id: 70_000,
        note: None,
        made: made(),
    };
    let until = Duration::from_millis(1500);
    [
        (account(a::Kind::Plain), expected(b::Kind::Plain)),
        (account(a::Kind::Joint("x".to_owned(), 300)), expected(b::Kind::Joint("x".to_owned(), 300, None))),
        (account(a::Kind::Limited { by: 7, until }), expected(b::Kind::Limited { until, by: 7, made: made() })),
    ]
}

#[test]
fn fields_and_variants_move_come_and_go() {
    for (written, read) in accounts() {
        check(written, read);
    }
}

#[test]
fn it_goes_at_any_depth() {
    let [(plain, read_plain), (joint, read_joint), (limited, read_limited)] = accounts();
    check(vec![joint.clone(), plain.clone()], vec![read_joint.clone(), read_plain.clone()]);
    check(vec![joint.clone()], Rc::<[_]>::from([read_joint.clone()]));
    check(Box::new(limited.clone()), Rc::new(read_limited.clone()));
    check([plain.clone(), limited.clone()], [read_plain.clone(), read_limited.clone()]);
    check(vec![Some(joint.clone()), None], vec![Some(Box::new(read_joint.clone())), None]);
    check(Err::<u8, _>(joint.clone()), Err::<u64, _>(read_joint.clone()));
    check(BTreeMap::from([(7u8, joint.clone())]), HashMap::from([(7u16, read_joint.clone())]));
    check((plain.clone(), 1u8), (read_plain.clone(), 1i16));
    let pair = a::Pair { one: plain, two: limited };
    check(pair, b::Pair { one: read_plain, two: read_limited });
}

#[test]
fn types_inside_themselves_are_translated() {
    let tree = |name: &str, children: Vec<a::Tree>| a::Tree {
        name: name.to_owned(),
        left_out: HashMap::from([("x".to_owned(), 1.5)]),
        children,
    };
    let other =
        |name: &str, children: Vec<b::Tree>| b::Tree { children: children.into(), depth: None, name: name.into() };
    check(
        tree("root", vec![tree("leaf", vec![]), tree("branch", vec![tree("leaf", vec![])])]),
        other("root", vec![other("leaf", vec![]), other("branch", vec![other("leaf", vec![])])]),
    );
    let chain = (0..20).fold(None, |next, value| Some(Box::new(a::Chain { value, next })));
    let other = (0..20).fold(None, |next, value| Some(Rc::new(b::Chain { value, next })));
    check(chain, other);
}

#[test]
fn integers_become_wider() {
    check((7u8, 300u16, 70_000u32, u64::MAX), (7u16, 300u32, 70_000u64, u128::from(u64::MAX)));
    check((200u8, 60_000u16, u32::MAX, u64::MAX), (200i16, 60_000i32, i64::from(u32::MAX), i128::from(u64::MAX)));
    check((-1i8, i16::MIN, i32::MIN, i64::MIN), (-1i16, -32_768i32, i64::from(i32::MIN), i128::from(i64::MIN)));
    check((7u8, -7i8), (7u128, -7i128));
    check((7u32, -7i32), (7usize, -7isize));
    check(vec![1u32, 2, u32::MAX], vec![1i64, 2, u32::MAX.into()]);
    check([300u16; 40], [300u64; 40]);
    check([3u8; 4], [3u16; 4]);
    check(BTreeSet::from([1u16, 300]), HashSet::from([1u32, 300]));
}

#[test]
fn what_is_the_same_is_read_as_by_itself() {
    check(
        (vec![1u8, 2], Bytes::from_static(b"abc"), [7u8; 5]),
        (Bytes::from_static(&[1, 2]), b"abc".to_vec(), [7u8; 5]),
    );
    check(vec!["a".to_owned(), "b".to_owned()], vec!["a".to_owned(), "b".to_owned()]);
    check((vec![1.5f64], [2.5f32; 20], 'ß', true), (vec![1.5f64], [2.5f32; 20], 'ß', true));
    check((NonZero::new(7u8), Duration::from_secs(1)), (NonZero::new(7u8), Duration::from_secs(1)));
}

/// Every kind of type can be passed over.
#[test]
fn what_is_not_there_is_passed_over() {
    #[derive(Facet, Debug, PartialEq)]
    struct Only {
        kept: String,
    }
    macro_rules! passed_over {
        ($($value:expr => $ty:ty;)*) => {$({
            #[derive(Facet)]
            struct More {
                first: $ty,
                kept: String,
                last: $ty,
            }
            check(More { first: $value, kept: "kept".to_owned(), last: $value }, Only { kept: "kept".to_owned() });
        })*};
    }
    passed_over! {
        () => ();
        (true, 'ß', 7u8, -7i8) => (bool, char, u8, i8);
        (300u16, 70_000u32, u64::MAX, u128::MAX) => (u16, u32, u64, u128);
        (-300i16, -70_000i32, i64::MIN, i128::MIN) => (i16, i32, i64, i128);
        (1.5f32, 2.5f64, 7usize) => (f32, f64, usize);
        ("text".to_owned(), vec![1u8, 2], Duration::from_secs(1)) => (String, Vec<u8>, Duration);
        (Some(Some(7u16)), None, Some(())) => (Option<Option<u16>>, Option<String>, Option<()>);
        (Ok("x".to_owned()), Err(7)) => (Result<String, u8>, Result<String, u8>);
        vec![vec![300u16], vec![]] => Vec<Vec<u16>>;
        vec![(); 7] => Vec<()>;
        [[300u16; 3]; 2] => [[u16; 3]; 2];
        [(); 7] => [(); 7];
        BTreeMap::from([("k".to_owned(), vec![1u16])]) => BTreeMap<String, Vec<u16>>;
        HashSet::from([7u32]) => HashSet<u32>;
        Box::new(accounts()[2].0.clone()) => Box<a::Account>;
        accounts()[1].0.clone() => a::Account;
        (0..40).fold(None, |next, value| Some(Box::new(a::Chain { value, next }))) => Option<Box<a::Chain>>;
        std::net::IpAddr::from([127, 0, 0, 1]) => std::net::IpAddr;
    }
}

#[test]
fn a_variant_that_is_unknown_here_is_named() {
    let account = a::Account { kind: a::Kind::Gone { why: String::new() }, ..accounts()[0].0.clone() };
    let by = translation::<a::Account, b::Account>().expect("it can be translated");
    let error = read::<b::Account>(&by, &encoded(&account)).expect_err("it is not known");
    assert_eq!(error.kind.to_string(), "the variant `Gone`, which `Kind` does not have here");
}

#[test]
fn a_default_that_panics_is_an_error() {
    fn panics() -> String {
        std::panic::resume_unwind(Box::new("no default"))
    }
    #[derive(Facet)]
    struct Old {
        owner: String,
    }
    #[derive(Facet)]
    struct New {
        owner: String,
        #[facet(default = panics())]
        more: String,
    }
    let by = translation::<Old, New>().expect("it can be translated");
    let error = read::<New>(&by, &encoded(&Old { owner: "x".to_owned() })).map(|new| new.more).expect_err("it panics");
    assert_eq!(error.kind, DecodeErrorKind::NoDefault);
}

#[test]
fn what_was_made_is_dropped_where_the_rest_cannot_be_read() {
    thread_local! {
        static LIVE: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
    }
    #[derive(Facet)]
    struct Counted(u8);
    impl Drop for Counted {
        fn drop(&mut self) {
            LIVE.set(LIVE.get() - 1);
        }
    }
    fn counted() -> Counted {
        LIVE.set(LIVE.get() + 1);
        Counted(7)
    }
    #[derive(Facet)]
    struct Old {
        owner: String,
    }
    #[derive(Facet)]
    struct New {
        #[facet(default = counted())]
        first: Counted,
        owner: String,
        #[facet(default = counted())]
        last: Counted,
    }
    let by = translation::<(Vec<Old>, u64), (Vec<New>, u64)>().expect("it can be translated");
    let frame = encoded(&((0..5).map(|n| Old { owner: n.to_string() }).collect::<Vec<_>>(), u64::MAX));
    for cut in 0..frame.len() {
        assert!(read::<(Vec<New>, u64)>(&by, &frame.slice(..cut)).is_err());
        assert_eq!(LIVE.get(), 0, "cut at {cut}");
    }
    let whole = read::<(Vec<New>, u64)>(&by, &frame).expect("it can be read");
    assert_eq!((LIVE.get(), whole.0[3].first.0, whole.0[3].owner.as_str(), whole.0[3].last.0), (10, 7, "3", 7));
    drop(whole);
    assert_eq!(LIVE.get(), 0);
}

#[test]
fn a_name_on_the_wire_may_stay() {
    #[derive(Facet)]
    struct Old {
        holder: String,
        kind: OldKind,
    }
    #[derive(Facet)]
    #[repr(u8)]
    enum OldKind {
        Common,
    }
    #[derive(Facet, Debug, PartialEq)]
    struct New {
        kind: NewKind,
        #[facet(rename = "holder")]
        owner: String,
    }
    #[derive(Facet, Debug, PartialEq)]
    #[repr(u8)]
    enum NewKind {
        Rare,
        #[facet(rename = "Common")]
        Plain,
    }
    check(Old { holder: "x".to_owned(), kind: OldKind::Common }, New { kind: NewKind::Plain, owner: "x".to_owned() });
}

#[test]
fn what_cannot_be_read_is_refused() {
    refused::<u64, u32>("u64 is sent, which is another type");
    refused::<u64, i64>("u64 is sent, which is another type");
    refused::<u8, Option<u8>>("u8 is sent, which is another type");
    refused::<Vec<u16>, BTreeSet<u16>>("a list of u16 is sent, which is another type");
    refused::<[u8; 4], [u8; 5]>("[u8; 4] is sent, which is another type");
    refused::<String, Vec<u8>>("string is sent, which is another type");
    refused::<Vec<u8>, Vec<u16>>("bytes is sent, which is another type");
    refused::<(u8,), (u8, u8)>("it has a field `1` without a default, which is not sent");
    refused::<f32, f64>("f32 is sent, which is another type");
}

/// A translation is of its own type, and another plan does not run it.
#[test]
fn a_translation_is_run_by_plans_of_its_type_alone() {
    let by = translation::<u8, u16>().expect("it can be translated");
    let frame = Bytes::from_static(&[7]);
    assert_eq!(read::<u16>(&by, &frame), Ok(7));
    assert_eq!(
        read::<String>(&by, &frame).map_err(|error| error.kind),
        Err(DecodeErrorKind::BadValue("value of this type"))
    );
}

/// A schema of these fields, each a type in bytes.
fn struct_of(fields: &[&[u8]]) -> Vec<u8> {
    let mut out = vec![2];
    number(&mut out, fields.len());
    for (at, field) in fields.iter().enumerate() {
        let name = format!("f{at}");
        number(&mut out, name.len());
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(field);
    }
    out
}

fn number(out: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn again(which: usize) -> Vec<u8> {
    let mut out = vec![12];
    number(&mut out, which);
    out
}

/// Passes over a value of a type in bytes: where that ends.
fn pass(ty: &[u8], frame: &[u8]) -> Result<usize, DecodeErrorKind> {
    let schema = [&[1], ty].concat();
    let passing =
        Passing::of(&Types::read(&schema).expect("a schema"), &Weight::default()).expect("it can be passed over");
    let frame = Bytes::copy_from_slice(frame);
    let mut from = Decoder::new(&frame, Budget::default_for(frame.len()));
    passing.pass(&mut from).map(|()| from.position()).map_err(|error| error.kind)
}

/// The root has this many fields, each of which is twice the one before.
fn doubling(levels: usize, least: &[u8]) -> Vec<u8> {
    let mut fields = vec![struct_of(&[least, least])];
    for level in 1..levels {
        // The root is number 0, and its fields follow.
        fields.push(struct_of(&[&again(level), &again(level)]));
    }
    struct_of(&fields.iter().map(|field| field.as_slice()).collect::<Vec<_>>())
}

#[test]
#[cfg_attr(miri, ignore)]
fn a_type_that_is_enormous_and_empty_costs_nothing() {
    let unit = struct_of(&[]);
    let mut fields = vec![unit];
    for level in 1..300 {
        fields.push(struct_of(&[&again(level), &again(level)]));
    }
    let ty = struct_of(&fields.iter().map(|field| field.as_slice()).collect::<Vec<_>>());
    assert_eq!(pass(&ty, b""), Ok(0));
    assert_eq!(pass(&[b"\x07\xff\xff\xff\xff\xff\xff\xff\x7f".as_slice(), &struct_of(&[])].concat(), b""), Ok(0));
}

#[test]
#[cfg_attr(miri, ignore)]
fn a_type_that_is_enormous_ends_with_its_frame() {
    let frame = [0; 5000];
    assert_eq!(pass(&doubling(300, b"\x01\x02u8"), &frame), Err(DecodeErrorKind::UnexpectedEnd));
    let array = b"\x07\xff\xff\xff\xff\xff\xff\xff\x7f\x01\x03u16";
    assert_eq!(pass(array, &frame), Err(DecodeErrorKind::UnexpectedEnd));
    let arrays = b"\x07\xff\xff\xff\xff\xff\xff\xff\x7f\x07\xff\xff\xff\xff\xff\xff\xff\x7f\x03\x01\x01A\x00";
    assert_eq!(pass(arrays, &frame), Err(DecodeErrorKind::UnexpectedEnd));
}

#[test]
#[cfg_attr(miri, ignore)]
fn a_type_that_nests_without_end_is_passed_over_up_to_a_limit() {
    // A list of itself beside a number: each level is open.
    let lists = b"\x02\x02\x01a\x06\x0c\x00\x01b\x01\x02u8";
    assert_eq!(pass(lists, &[1; 100_000]), Err(DecodeErrorKind::TooDeep { limit: 1024 }));
    // One that ends with itself is passed over in a loop.
    let chain = b"\x02\x02\x01a\x01\x02u8\x01b\x04\x0c\x00";
    let frame: Vec<u8> = [[7, 1].repeat(50_000), vec![7, 0]].concat();
    assert_eq!(pass(chain, &frame), Ok(frame.len()));
    let empty = b"\x06\x02\x00";
    assert_eq!(
        pass(empty, b"\xff\xff\xff\xff\x0f"),
        Err(DecodeErrorKind::TooManyEmptyItems { count: 0xffff_ffff, limit: Budget::EMPTY_ITEMS })
    );
}

/// What a peer's schema makes a plan cost is bounded by the type of this end.
#[test]
#[cfg_attr(miri, ignore)]
fn a_schema_makes_no_plan_larger_than_its_reader_allows() {
    let names = |n: usize, rest: &[u8]| -> Vec<u8> {
        (0..n).flat_map(|n| [b"\x04".as_slice(), format!("{n:04}").as_bytes(), rest].concat()).collect()
    };
    let of = |schema: &[u8]| {
        let schema = Bytes::copy_from_slice(schema);
        Plan::<b::Tree>::new().translation(&schema, &Types::read(&schema).expect("a schema"), 0, &Weight::default())
    };
    // 2,000 trees, each of which has the one before as its child.
    let mut fields = Vec::new();
    for level in 0..2000 {
        let child = match level {
            0 => struct_of(&[]),
            1 => again(1),
            _ => again(2 * level),
        };
        let name = b"\x01\x06string";
        fields.push([b"\x02\x02\x04name".as_slice(), name, b"\x08children\x06", &child].concat());
    }
    let ty = struct_of(&fields.iter().map(|field| field.as_slice()).collect::<Vec<_>>());
    let inner = Bytes::from([&[1], ty.as_slice()].concat());
    let types = Types::read(&inner).expect("a schema");
    let last = (0..types.len()).rev().find(|at| matches!(types.get(*at), Type::Struct(_))).expect("a tree");
    let refusal = Plan::<b::Tree>::new().translation(&inner, &types, last, &Weight::default()).expect_err("too much");
    assert!(refusal.starts_with("it takes more than"), "{refusal}");
    // A tree with 8,000 fields that this end does not have is one to pass over.
    let mut wide = b"\x01\x02\xc2\x3e\x04name\x01\x06string\x08children\x06\x0c\x00".to_vec();
    wide.extend(names(8000, b"\x01\x02u8"));
    let tree = of(&wide).expect("it can be translated");
    assert!(tree.program().ops() < 20, "{}", tree.program().ops());
}
