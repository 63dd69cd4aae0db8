//! Generated values and mangled bytes: serde and vox agree on all of them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use proptest::collection::{btree_map, btree_set, hash_map, hash_set, vec};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::support::{check, check_bytes, check_bytes_as, encode, fewer};
use super::types::*;

const CASES: u32 = fewer(256, 1) as u32;

/// Runs `property` over values of `strategy`, always the same ones.
pub(super) fn each<S: Strategy>(strategy: S, property: impl Fn(S::Value)) {
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let result = TestRunner::new_with_rng(config, rng).run(&strategy, |value| {
        property(value);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

/// A value, and what to do to its bytes.
fn with_mangling<S: Strategy>(value: S) -> impl Strategy<Value = (S::Value, Vec<(usize, u8)>, usize)>
where
    S::Value: std::fmt::Debug,
{
    (value, vec((any::<usize>(), any::<u8>()), 1..4), any::<usize>())
}

/// Values come back; cut and flipped, both sides say the same of them.
pub(super) fn agrees<S>(strategy: S)
where
    S: Strategy,
    S::Value: facet::Facet<'static> + serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug,
{
    agrees_as(strategy, |value| value);
}

/// As [`agrees`], for values that are alike if what `ordered` makes of them is.
fn agrees_as<S, U>(strategy: S, ordered: impl Fn(S::Value) -> U)
where
    S: Strategy,
    S::Value: facet::Facet<'static> + serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug,
    U: serde::Serialize + std::fmt::Debug,
{
    each(with_mangling(strategy), |(value, flips, cut)| {
        let mut bytes = encode(&value);
        check(value);
        if bytes.is_empty() {
            return;
        }
        check_bytes_as(&bytes[..cut % bytes.len()], &ordered);
        for (at, xor) in flips {
            let at = at % bytes.len();
            bytes[at] ^= xor;
            check_bytes_as(&bytes, &ordered);
        }
    });
}

fn text() -> impl Strategy<Value = String> {
    vec(proptest::sample::select(vec!['a', 'k', 'z', 'ä', 'ß', '€', '😀']), 0..12).prop_map(String::from_iter)
}

fn level() -> impl Strategy<Value = Level> {
    prop_oneof![Just(Level::Low), Just(Level::Middle), Just(Level::High)]
}

fn point() -> impl Strategy<Value = Point> {
    (any::<i32>(), any::<i32>()).prop_map(|(x, y)| Point { x, y })
}

fn event() -> impl Strategy<Value = Event> {
    let flat = prop_oneof![
        Just(Event::Nothing),
        any::<u64>().prop_map(Event::One),
        (text(), any::<Option<u16>>()).prop_map(|(text, n)| Event::Two(text, n)),
        (point(), vec(text(), 0..4)).prop_map(|(at, tags)| Event::Named { at, tags }),
    ];
    flat.prop_recursive(4, 8, 1, |inner| inner.prop_map(|event| Event::Deep(Box::new(event))))
}

fn tree() -> impl Strategy<Value = Tree> {
    any::<i64>().prop_map(Tree::Leaf).prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Tree::Node),
            (inner.clone(), inner).prop_map(|(a, b)| Tree::Pair(Box::new(a), Box::new(b))),
        ]
    })
}

fn numbers() -> impl Strategy<Value = Numbers> {
    let unsigned = (any::<u8>(), any::<u16>(), any::<u32>(), any::<u64>(), any::<u128>(), any::<usize>());
    let signed = (any::<i8>(), any::<i16>(), any::<i32>(), any::<i64>(), any::<i128>(), any::<isize>());
    // Shifted, so that short encodings are as likely as long ones.
    (unsigned, signed, 0..128u32, -1e9f32..1e9, -1e9f64..1e9, any::<bool>(), any::<char>()).prop_map(
        |((a, b, c, d, e, f), (g, h, i, j, k, l), shift, m, n, o, p)| Numbers {
            a,
            b: b >> (shift % 16),
            c: c >> (shift % 32),
            d: d >> (shift % 64),
            e: e >> shift,
            f: f >> (shift % 64),
            g,
            h: h >> (shift % 16),
            i: i >> (shift % 32),
            j: j >> (shift % 64),
            k: k >> shift,
            l: l >> (shift % 64),
            m,
            n,
            o,
            p,
        },
    )
}

fn record() -> impl Strategy<Value = Record> {
    let scalars = (any::<u64>(), text(), level(), vec(event(), 0..4), any::<Option<Option<u8>>>());
    let maps =
        (btree_map(text(), point(), 0..4), btree_set(any::<u16>(), 0..4), btree_map(any::<u8>(), any::<u32>(), 0..4));
    let rest = (
        any::<Result<u32, bool>>(),
        (any::<u8>(), text(), -1.0..1.0f64),
        any::<[[u16; 3]; 2]>(),
        vec(any::<u8>(), 0..20),
        point(),
        vec(text(), 0..3),
    );
    (scalars, maps, rest).prop_map(|((id, name, level, events, maybe), (points, seen, counts), rest)| {
        let (outcome, pair, grid, blob, shared, words) = rest;
        Record {
            id,
            name,
            level,
            events,
            points,
            seen,
            counts,
            maybe: maybe.map(|some| some.map(|n| n.to_string())),
            outcome: outcome.map_err(|error| error.to_string()),
            pair,
            grid,
            blob,
            shared: shared.into(),
            words: words.into(),
        }
    })
}

#[test]
#[cfg_attr(miri, ignore = "generating values takes minutes; `table` has these types")]
fn numbers_agree() {
    agrees(numbers());
    agrees(vec(any::<u64>(), 0..20));
    agrees(vec(any::<i32>(), 0..20));
    agrees(vec(any::<u16>(), 0..20));
    agrees(vec(any::<bool>(), 0..20));
    agrees(vec(any::<char>(), 0..20));
    agrees(vec(-1e30f64..1e30, 0..20));
}

#[test]
#[cfg_attr(miri, ignore = "generating values takes minutes; `table` has these types")]
fn texts_agree() {
    agrees(text());
    agrees(vec(text(), 0..5));
    agrees(vec(any::<u8>(), 0..50));
}

#[test]
#[cfg_attr(miri, ignore = "generating values takes minutes; `table` has these types")]
fn enums_agree() {
    agrees(vec(level(), 0..6));
    agrees(prop_oneof![Just(Sparse::Minus), Just(Sparse::Zero), Just(Sparse::Much)]);
    agrees(vec(event(), 0..4));
    agrees(vec((any::<u8>(), any::<u64>()).prop_map(|(a, b)| OfC::B(a, b)), 0..4));
}

#[test]
fn recursive_types_agree() {
    agrees(tree());
    agrees(vec(any::<u32>(), 0..30).prop_map(|values| List {
        value: 7,
        next: values.into_iter().fold(None, |next, value| Some(Box::new(List { value, next }))),
    }));
}

#[test]
#[cfg_attr(miri, ignore = "generating values takes minutes; `table` has these types")]
fn collections_agree() {
    agrees(btree_map(text(), vec(any::<u16>(), 0..4), 0..5));
    agrees(btree_set(any::<i64>(), 0..9));
    agrees(vec(any::<Option<Option<u8>>>(), 0..9));
    agrees(vec(any::<(u8, Result<u16, ()>)>(), 0..9));
    agrees(vec(point(), 0..9).prop_map(Vec::into_boxed_slice));
}

/// Two maps of one content have two orders, so they are compared as sorted.
#[test]
#[cfg_attr(miri, ignore = "generating values takes minutes; `table` has these types")]
fn hash_collections_agree() {
    fn sorted<K: Ord, V>(map: HashMap<K, V>) -> BTreeMap<K, V> {
        map.into_iter().collect()
    }
    agrees_as(hash_map(any::<u8>(), text(), 0..6), sorted);
    agrees_as(hash_map(text(), event(), 0..4), sorted);
    agrees_as(hash_map(level(), -1.0..1.0f64, 0..3), sorted);
    agrees_as(vec(hash_map(any::<u16>(), any::<bool>(), 0..4), 0..4), |maps| {
        maps.into_iter().map(sorted).collect::<Vec<_>>()
    });
    agrees_as(hash_set(any::<i64>(), 0..9), BTreeSet::from_iter);
    agrees_as(hash_set(text(), 0..9), BTreeSet::from_iter);
}

#[test]
fn records_agree() {
    agrees(record());
}

#[test]
fn noise_agrees() {
    each(vec(prop_oneof![0..4u8, any::<u8>()], 0..40), |bytes| {
        check_bytes::<Numbers>(&bytes);
        check_bytes::<Vec<Event>>(&bytes);
        check_bytes::<Tree>(&bytes);
        check_bytes::<List>(&bytes);
        check_bytes::<BTreeMap<String, Option<u16>>>(&bytes);
        check_bytes_as(&bytes, |map: HashMap<char, u8>| BTreeMap::from_iter(map));
        check_bytes_as(&bytes, |set: HashSet<Vec<bool>>| BTreeSet::from_iter(set));
        check_bytes::<BTreeSet<(u8, char)>>(&bytes);
        check_bytes::<(Option<bool>, Result<String, u128>, Vec<u8>)>(&bytes);
        check_bytes::<std::net::SocketAddr>(&bytes);
        check_bytes::<Vec<std::time::Duration>>(&bytes);
        check_bytes::<Vec<std::num::NonZero<i16>>>(&bytes);
    });
}
