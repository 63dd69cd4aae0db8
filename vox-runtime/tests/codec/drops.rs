//! Decodings that fail half-way drop what they made, each value once.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use facet::Facet;

use super::support::{decode, encode, fewer};

thread_local! {
    static LIVE: Cell<i64> = const { Cell::new(0) };
}

/// Counts itself. Decoding makes one without calling anything, so a count is kept of the live
/// ones by what its drop says and by what a whole decoding must hold.
#[derive(Facet, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Counted {
    text: String,
}

impl Drop for Counted {
    fn drop(&mut self) {
        assert!(!self.text.contains('!'), "dropped twice");
        self.text.push('!');
        LIVE.with(|live| live.set(live.get() + 1));
    }
}

fn counted(text: &str) -> Counted {
    Counted { text: text.to_owned() }
}

/// How many `Counted` were dropped by `f`.
fn drops_of<R>(f: impl FnOnce() -> R) -> i64 {
    let before = LIVE.get();
    drop(f());
    LIVE.get() - before
}

/// Every truncation of the value's encoding fails and drops what was whole by then; all of it is
/// dropped once when the decoding succeeds.
#[track_caller]
fn check<T: Facet<'static> + std::fmt::Debug + PartialEq>(value: T, holds: i64) {
    let bytes = encode(&value);
    let mut most = 0;
    for len in (0..bytes.len()).step_by(fewer(1, bytes.len() / 16 + 1)) {
        let dropped = drops_of(|| decode::<T>(&bytes[..len]).unwrap_err());
        assert!(dropped >= most, "{dropped} dropped after {len} bytes, {most} before");
        most = dropped;
    }
    assert!(most <= holds);
    assert_eq!(drops_of(|| decode::<T>(&bytes).unwrap()), holds);
}

#[derive(Facet, Debug, PartialEq)]
struct Holder {
    first: Counted,
    pair: (Counted, u8, Counted),
    array: [Counted; 2],
    many: [Counted; 20],
    last: Option<Counted>,
    end: u32,
}

#[derive(Facet, Debug, PartialEq)]
#[repr(C)]
#[allow(dead_code)]
enum Choice {
    None,
    Two(Counted, Counted, u64),
}

#[test]
fn structs_tuples_arrays_and_options() {
    let holder = Holder {
        first: counted("a"),
        pair: (counted("b"), 1, counted("c")),
        array: [counted("d"), counted("e")],
        many: std::array::from_fn(|n| counted(&n.to_string())),
        last: Some(counted("f")),
        end: 1 << 30,
    };
    check(holder, 26);
}

#[test]
fn a_whole_struct_is_dropped_as_one() {
    // The first is whole when the second is cut, so its own `Drop` runs; the second is not.
    let bytes = encode(&(counted("a"), counted("b")));
    assert_eq!(drops_of(|| decode::<(Counted, Counted)>(&bytes[..3]).unwrap_err()), 1);
}

#[test]
fn enums_and_results() {
    check(Choice::Two(counted("a"), counted("b"), u64::MAX), 2);
    check(Ok::<(Counted, u16), Counted>((counted("a"), 500)), 1);
    check(Err::<u8, (Counted, u16)>((counted("a"), 500)), 1);
}

#[test]
fn owners() {
    check(Box::new((counted("a"), 500u16)), 1);
    check(Arc::new((counted("a"), 500u16)), 1);
    check(Rc::new((counted("a"), 500u16)), 1);
    check::<Box<[Counted]>>(vec![counted("a"), counted("b")].into(), 2);
    check::<Arc<[Counted]>>(vec![counted("a"), counted("b")].into(), 2);
}

#[test]
fn collections() {
    let many = fewer(50, 5);
    check((0..many).map(|n| counted(&n.to_string())).collect::<Vec<_>>(), many as i64);
    check(vec![vec![counted("a")], vec![counted("b"), counted("c")]], 3);
    check(BTreeMap::from([(counted("a"), counted("b")), (counted("c"), counted("d"))]), 4);
    check(HashMap::from([(1u8, (counted("b"), 500u16)), (2, (counted("d"), 600))]), 2);
    check(BTreeSet::from([counted("a"), counted("b")]), 2);
}

#[test]
fn shared_content_is_owned_once() {
    let value = decode::<(Arc<String>, Arc<[Arc<u8>]>)>(b"\x01a\x02\x01\x02").unwrap();
    assert_eq!(Arc::strong_count(&value.0), 1);
    assert_eq!(Arc::strong_count(&value.1), 1);
    assert_eq!(Arc::strong_count(&value.1[0]), 1);
}

#[test]
fn slices_of_the_frame_let_go_of_it() {
    use bytes::Bytes;
    use vox_runtime::codec::{Budget, Decoder, Plan};
    // facet's own way of dropping tuples and arrays would forget `Bytes`, whose shape has no drop.
    type Frames = ([Bytes; 2], (Bytes, u8), [Bytes; 20], u32);
    let value: Frames = (
        [Bytes::from_static(b"a"), Bytes::from_static(b"b")],
        (Bytes::from_static(b"c"), 1),
        std::array::from_fn(|_| Bytes::from_static(b"d")),
        1 << 30,
    );
    let bytes = encode(&value);
    for len in (0..=bytes.len()).step_by(fewer(1, 8)) {
        let frame = Bytes::copy_from_slice(&bytes[..len]);
        let result = Plan::<Frames>::new().decode(&mut Decoder::new(&frame, Budget::default_for(len)));
        assert_eq!(result.is_ok(), len == bytes.len());
        drop(result);
        assert!(len == 0 || frame.is_unique(), "after {len} bytes");
    }
}

/// Panics when it is dropped with a text that says so.
#[derive(Facet, Debug)]
struct Mine {
    text: String,
}

impl Drop for Mine {
    fn drop(&mut self) {
        LIVE.with(|live| live.set(live.get() + 1));
        assert!(!self.text.contains("boom"), "a drop that panics");
    }
}

/// A decoding that fails behind such values ends with its error. What else it had made is dropped.
#[test]
fn a_drop_that_panics_is_contained() {
    fn check<T: Facet<'static> + std::fmt::Debug>(bytes: &[u8], drops: i64) {
        // Behind the value stands a bool that is none.
        let bytes = [bytes, &[9]].concat();
        let dropped = drops_of(|| {
            let error = decode::<(T, bool)>(&bytes).unwrap_err();
            assert_eq!(error.kind, vox_runtime::codec::DecodeErrorKind::BadBool);
        });
        assert_eq!(dropped, drops, "{}", std::any::type_name::<T>());
    }
    const BOOM: &[u8] = b"\x04boom";
    const OK: &[u8] = b"\x01k";
    let two = [BOOM, OK].concat();
    check::<Mine>(BOOM, 1);
    check::<Option<Mine>>(&[&[1], BOOM].concat(), 1);
    check::<Option<Option<(u8, Mine)>>>(&[&[1, 1, 7], BOOM].concat(), 1);
    check::<Result<Mine, u8>>(&[&[0], BOOM].concat(), 1);
    check::<Box<Mine>>(BOOM, 1);
    check::<Arc<Mine>>(BOOM, 1);
    check::<(Mine, Option<Mine>)>(&[BOOM, &[1], OK].concat(), 2);
    check::<[Mine; 2]>(&two, 2);
    check::<[Mine; 20]>(&BOOM.repeat(20), 20);
    check::<Vec<Mine>>(&[&[2], &two[..]].concat(), 2);
    check::<Box<[Option<Mine>]>>(&[&[2, 1], BOOM, &[1], OK].concat(), 2);
    check::<BTreeMap<u8, Mine>>(&[&[2, 1], BOOM, &[2], OK].concat(), 2);
    // Of a hash map that is whole, the standard library leaks what comes after an entry whose drop panics, in any order.
    check::<HashMap<u8, Mine>>(&[&[1, 1], BOOM].concat(), 1);
    // Inside of what is not whole.
    for cut in ["\x02\x04boom", "\x03\x04boom\x01k\x05"] {
        assert!(decode::<Vec<Mine>>(cut.as_bytes()).is_err());
        assert!(decode::<Box<[Mine]>>(cut.as_bytes()).is_err());
        assert!(decode::<Arc<[Mine]>>(cut.as_bytes()).is_err());
    }
    assert!(decode::<HashMap<u8, Mine>>(b"\x03\x01\x04boom\x02\x01k\x03").is_err());
}
