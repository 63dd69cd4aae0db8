//! A translator that is slow and obvious, beside the one that is compiled: they agree on each pair of a pool of types, on what can be
//! read, and on every value.
//!
//! It knows values without types: read from bytes by a schema, changed into those of another schema, and written by that. Each type of
//! the pool stands beside each other one, which makes more than a thousand pairs. The values come from a seed.

#![allow(dead_code, reason = "versions of types, of which not all parts are looked at")]

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use facet::Facet;

use super::super::{Budget, Decoder, Encoder, Plan, type_of};
use super::*;
use crate::schema::{Described, Optional, judged_alone};

/// A value of any type.
#[derive(Debug, Clone, PartialEq)]
enum Value {
    Integer(Wide),
    /// Bytes as they are: of floats, flags, texts.
    Bytes(Vec<u8>),
    Parts(Vec<Value>),
    Variant(usize, Vec<Value>),
    Option(Option<Box<Value>>),
    Many(Vec<Value>),
}

/// An integer of up to 128 bits, signed or not.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Wide {
    Unsigned(u128),
    Signed(i128),
}

/// What a schema says, and what its end does without.
struct Side<'a> {
    types: &'a Types<'a>,
    optional: &'a Optional,
}

/// Numbers from a seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// A value of a type. `depth` ends types inside themselves.
fn some(types: &Types<'_>, at: usize, depth: u32, dice: &mut Dice) -> Value {
    let fields = |fields: &[Field<'_>], dice: &mut Dice| {
        fields.iter().map(|field| some(types, field.ty, depth + 1, dice)).collect::<Vec<_>>()
    };
    match types.get(at) {
        Type::Named("bool") => Value::Bytes(vec![dice.roll(2) as u8]),
        Type::Named("f64") => Value::Bytes((dice.roll(1000) as f64 / 8.0).to_le_bytes().to_vec()),
        Type::Named("f32") => Value::Bytes((dice.roll(1000) as f32 / 8.0).to_le_bytes().to_vec()),
        Type::Named("char") => Value::Bytes([b"\x01x".as_slice(), "\u{2}é".as_bytes()][dice.roll(2) as usize].to_vec()),
        // Seconds, and parts of one.
        Type::Named("Duration") => Value::Bytes(vec![dice.roll(128) as u8, 0x80, 1 + dice.roll(127) as u8]),
        Type::Named("string") => Value::Bytes(vec![b'a' + dice.roll(26) as u8; dice.roll(20) as usize]),
        Type::Named("bytes") => Value::Bytes((0..dice.roll(5)).map(|_| dice.roll(256) as u8).collect()),
        Type::Named(name) => {
            let bits = name[1..].parse::<u32>().expect("an integer");
            let one = 1 << dice.roll(bits.into());
            let wide = [0, 1, u128::MAX, dice.roll(300).into(), u128::MAX / 3, one][dice.roll(6) as usize];
            let top = wide << (128 - bits);
            Value::Integer(match &name[..1] {
                "u" => Wide::Unsigned(top >> (128 - bits)),
                _ => Wide::Signed((top as i128) >> (128 - bits)),
            })
        }
        Type::Struct(of) => Value::Parts(fields(of, dice)),
        Type::Enum(variants) => {
            let variant = dice.roll(variants.len() as u64) as usize;
            Value::Variant(variant, fields(&variants[variant].fields, dice))
        }
        Type::Of(Container::Option, _) if depth > 6 => Value::Option(None),
        Type::Of(Container::Option, of) => {
            let present = dice.roll(3) > 0;
            Value::Option(present.then(|| some(types, of[0], depth + 1, dice).into()))
        }
        Type::Of(Container::Result, of) => {
            let variant = dice.roll(2) as usize;
            Value::Variant(variant, vec![some(types, of[variant], depth + 1, dice)])
        }
        Type::Of(Container::List, of) => {
            let len = if depth > 6 { 0 } else { dice.roll(4) };
            Value::Many((0..len).map(|_| some(types, of[0], depth + 1, dice)).collect())
        }
        // At most one entry: the order of more is the reader's.
        Type::Of(Container::Map, of) => {
            let entry = |dice: &mut Dice| of.iter().map(|part| some(types, *part, depth + 1, dice)).collect();
            Value::Many((0..dice.roll(2)).map(|_| Value::Parts(entry(dice))).collect())
        }
        Type::Of(Container::Set, of) => {
            Value::Many((0..dice.roll(2)).map(|_| some(types, of[0], depth + 1, dice)).collect())
        }
        Type::Array(len, item) => Value::Parts((0..*len).map(|_| some(types, *item, depth + 1, dice)).collect()),
        other => panic!("{other:?} is in no type of the pool"),
    }
}

fn put(types: &Types<'_>, at: usize, value: &Value, out: &mut Vec<u8>) {
    let number = |mut number: u128, out: &mut Vec<u8>| {
        while number >= 0x80 {
            out.push(number as u8 | 0x80);
            number >>= 7;
        }
        out.push(number as u8);
    };
    match (types.get(at), value) {
        (Type::Named("string" | "bytes"), Value::Bytes(bytes)) => {
            number(bytes.len() as u128, out);
            out.extend(bytes);
        }
        (Type::Named(_), Value::Bytes(bytes)) => out.extend(bytes),
        (Type::Named("u8"), Value::Integer(Wide::Unsigned(value))) => out.push(*value as u8),
        (Type::Named("i8"), Value::Integer(Wide::Signed(value))) => out.push(*value as u8),
        (Type::Named(_), Value::Integer(Wide::Unsigned(value))) => number(*value, out),
        (Type::Named(_), Value::Integer(Wide::Signed(value))) => number(((value << 1) ^ (value >> 127)) as u128, out),
        (Type::Struct(fields), Value::Parts(parts)) => {
            fields.iter().zip(parts).for_each(|(field, part)| put(types, field.ty, part, out));
        }
        (Type::Enum(variants), Value::Variant(variant, parts)) => {
            number(*variant as u128, out);
            let fields = variants[*variant].fields.iter();
            fields.zip(parts).for_each(|(field, part)| put(types, field.ty, part, out));
        }
        (Type::Of(Container::Result, of), Value::Variant(variant, parts)) => {
            number(*variant as u128, out);
            put(types, of[*variant], &parts[0], out);
        }
        (Type::Of(_, of), Value::Option(content)) => {
            out.push(content.is_some().into());
            content.iter().for_each(|content| put(types, of[0], content, out));
        }
        (Type::Of(Container::Map, of), Value::Many(entries)) => {
            number(entries.len() as u128, out);
            for entry in entries {
                let Value::Parts(entry) = entry else { panic!("{entry:?} is no entry") };
                of.iter().zip(entry).for_each(|(part, value)| put(types, *part, value, out));
            }
        }
        (Type::Of(_, of), Value::Many(items)) => {
            number(items.len() as u128, out);
            items.iter().for_each(|item| put(types, of[0], item, out));
        }
        (Type::Array(_, item), Value::Parts(items)) => items.iter().for_each(|value| put(types, *item, value, out)),
        (ty, value) => panic!("{value:?} is no {ty:?}"),
    }
}

/// What a field is where it is not sent: what its name says, or else `None`, zero or nothing.
fn default(types: &Types<'_>, field: &Field<'_>) -> Value {
    match types.get(field.ty) {
        Type::Named(_) if field.name == "euro" => Value::Bytes(b"EUR".to_vec()),
        Type::Named(name) if field.name == "seven" && name.starts_with('u') => Value::Integer(Wide::Unsigned(7)),
        Type::Named(_) if field.name == "seven" => Value::Integer(Wide::Signed(7)),
        Type::Named("string" | "bytes") => Value::Bytes(Vec::new()),
        Type::Named("bool") => Value::Bytes(vec![0]),
        Type::Named("f64") => Value::Bytes(vec![0; 8]),
        Type::Named(name) if name.starts_with('u') => Value::Integer(Wide::Unsigned(0)),
        Type::Named(_) => Value::Integer(Wide::Signed(0)),
        Type::Of(Container::Option, _) => Value::Option(None),
        Type::Of(..) => Value::Many(Vec::new()),
        other => panic!("{other:?} has no default in the pool"),
    }
}

/// The value as the reader has it. `None`: it holds a variant that the reader does not know.
fn change(value: &Value, written: (&Side<'_>, usize), read: (&Side<'_>, usize)) -> Option<Value> {
    let inside = |value: &Value, w: usize, r: usize| change(value, (written.0, w), (read.0, r));
    let all =
        |values: &[Value], w: usize, r: usize| values.iter().map(|value| inside(value, w, r)).collect::<Option<_>>();
    let fields = |values: &[Value], w: &[Field<'_>], r: &[Field<'_>]| -> Option<Vec<Value>> {
        let field = |field: &Field<'_>| match w.iter().position(|other| other.name == field.name) {
            Some(at) => inside(&values[at], w[at].ty, field.ty),
            None => Some(default(read.0.types, field)),
        };
        r.iter().map(field).collect()
    };
    Some(match (written.0.types.get(written.1), read.0.types.get(read.1), value) {
        (Type::Named(_), Type::Named(to), Value::Integer(value)) => Value::Integer(match (value, &to[..1]) {
            (Wide::Unsigned(value), "i") => Wide::Signed(*value as i128),
            (value, _) => *value,
        }),
        (Type::Named(_), _, value) => value.clone(),
        (Type::Struct(w), Type::Struct(r), Value::Parts(values)) => Value::Parts(fields(values, w, r)?),
        (Type::Enum(w), Type::Enum(r), Value::Variant(variant, values)) => {
            let known = r.iter().position(|other| other.name == w[*variant].name)?;
            Value::Variant(known, fields(values, &w[*variant].fields, &r[known].fields)?)
        }
        (Type::Of(_, w), Type::Of(_, r), Value::Variant(variant, values)) => {
            Value::Variant(*variant, all(values, w[*variant], r[*variant])?)
        }
        (Type::Of(_, w), Type::Of(_, r), Value::Option(content)) => match content {
            Some(content) => Value::Option(Some(inside(content, w[0], r[0])?.into())),
            None => Value::Option(None),
        },
        (Type::Of(Container::Map, w), Type::Of(_, r), Value::Many(entries)) => {
            let entry = |entry: &Value| {
                let Value::Parts(parts) = entry else { panic!("{entry:?} is no entry") };
                Some(Value::Parts(vec![inside(&parts[0], w[0], r[0])?, inside(&parts[1], w[1], r[1])?]))
            };
            Value::Many(entries.iter().map(entry).collect::<Option<_>>()?)
        }
        (Type::Of(_, w), Type::Of(_, r), Value::Many(items)) => Value::Many(all(items, w[0], r[0])?),
        (Type::Array(_, w), Type::Array(_, r), Value::Parts(items)) => Value::Parts(all(items, *w, *r)?),
        (w, r, value) => panic!("{value:?} of {w:?} cannot be {r:?}"),
    })
}

/// Whether the reader can read the type, as the rules say it.
fn can(
    written: (&Side<'_>, usize),
    read: (&Side<'_>, usize),
    key: bool,
    seen: &mut BTreeSet<(usize, usize, bool)>,
) -> bool {
    if !seen.insert((written.1, read.1, key)) {
        return true;
    }
    let mut inside = |w: usize, r: usize, key: bool| can((written.0, w), (read.0, r), key, seen);
    let mut fields = |w: &[Field<'_>], r: &[Field<'_>]| {
        let beside = |field: &Field<'_>| w.iter().find(|other| other.name == field.name);
        let common = r.iter().any(|field| beside(field).is_some());
        let lost = w.iter().any(|other| r.iter().all(|field| field.name != other.name));
        (common || w.is_empty() || r.is_empty())
            && !(key && lost)
            && r.iter().all(|field| match beside(field) {
                Some(other) => inside(other.ty, field.ty, key),
                None => read.0.optional.has(field.number),
            })
    };
    match (written.0.types.get(written.1), read.0.types.get(read.1)) {
        (Type::Named(a), Type::Named(b)) => a == b || is_wider(a, b),
        (Type::Struct(w), Type::Struct(r)) => fields(w, r),
        (Type::Enum(w), Type::Enum(r)) => {
            let pairs = || w.iter().filter_map(|w| Some((w, r.iter().find(|r| r.name == w.name)?)));
            pairs().count() > 0 && pairs().all(|(w, r)| fields(&w.fields, &r.fields))
        }
        (Type::Of(a, w), Type::Of(b, r)) if a == b => match a {
            Container::Set => inside(w[0], r[0], true),
            Container::Map => inside(w[0], r[0], true) && inside(w[1], r[1], key),
            _ => w.iter().zip(r).all(|(w, r)| inside(*w, *r, key)),
        },
        (Type::Array(a, w), Type::Array(b, r)) => a == b && inside(*w, *r, key),
        _ => false,
    }
}

/// By the ranges of the types.
fn is_wider(from: &str, to: &str) -> bool {
    let range = |name: &str| {
        let bits = name[1..].parse::<u32>().ok()?;
        match &name[..1] {
            "u" => Some((0, u128::MAX >> (128 - bits))),
            "i" => Some((i128::MIN >> (128 - bits), (i128::MAX >> (128 - bits)) as u128)),
            _ => None,
        }
    };
    let (Some(from), Some(to)) = (range(from), range(to)) else { return false };
    to.0 <= from.0 && from.1 <= to.1
}

/// A type of the pool.
struct Entry {
    name: &'static str,
    shape: &'static Shape,
    /// Reads a value by a translation and writes it again.
    turn: fn(&Translation, &Bytes) -> Result<Vec<u8>, crate::codec::DecodeError>,
}

fn entry<T: Facet<'static>>(name: &'static str) -> Entry {
    let turn = |by: &Translation, frame: &Bytes| {
        let plan = Plan::<T>::new();
        let mut from = Decoder::new(frame, Budget::default_for(frame.len()));
        let value = plan.decode_by(by, &mut from)?;
        from.finish()?;
        let mut out = Vec::new();
        plan.encode(&value, &mut Encoder::new(&mut out, usize::MAX)).expect("it can be encoded");
        Ok(out)
    };
    Entry { name, shape: T::SHAPE, turn }
}

macro_rules! pool {
    ($($(#[$attr:meta])* $kind:ident $name:ident { $($body:tt)* })*; $($ty:ty),* $(,)?) => {
        $(#[derive(Facet)] $(#[$attr])* $kind $name { $($body)* })*
        fn pool() -> Vec<Entry> {
            vec![$(entry::<$name>(stringify!($name)),)* $(entry::<$ty>(stringify!($ty)),)*]
        }
    };
}

#[derive(Facet)]
struct Wrapped1(u32);
#[derive(Facet)]
struct Wrapped2(u64, Option<u8>);

// A default of one's own is an expression, which does not go through the macro below.
#[derive(Facet)]
struct Account7 {
    #[facet(default = 7)]
    seven: u16,
    id: u64,
    #[facet(default = "EUR".to_owned())]
    euro: String,
    owner: String,
}
#[derive(Facet)]
struct Four2 {
    d: u32,
    #[facet(default = 7)]
    seven: i32,
    b: u16,
    c: u16,
    a: u8,
}
#[derive(Facet)]
#[repr(u8)]
enum Plain2 {
    F,
    E {
        b: u8,
        a: u16,
        #[facet(default = 7)]
        seven: u8,
    },
    D(u16),
    C(u8),
    B,
    A,
}

pool! {
    struct Account1 { id: u32, owner: String }
    struct Account2 { owner: String, id: u32 }
    struct Account3 { id: u64, owner: String, note: Option<String> }
    struct Account4 { #[facet(default)] tags: Vec<String>, owner: String, id: i64, #[facet(default)] rank: u8 }
    struct Account5 { id: u32, owner: String, kind: Kind1, left: BTreeMap<String, Vec<Kind2>> }
    struct Account6 { #[facet(default)] owner: String, kind: Kind3, id: u32 }
    struct Four1 { a: u8, b: u8, c: u16, d: u16 }
    struct Only { owner: String }
    struct Other { #[facet(default)] nothing: u8, alike: Option<u8> }
    struct Empty {}
    #[repr(u8)] enum Kind1 { Plain, Joint { with: String, share: u16 }, Closed(u8, Option<u8>) }
    #[repr(u8)] enum Kind2 { Closed(u8), Plain, New, Joint { share: u32, with: String, #[facet(default)] by: String } }
    #[repr(i16)] enum Kind3 { Joint { with: String }, Plain = 300 }
    #[repr(u8)] enum Kind4 { Another, Different }
    #[repr(u8)] enum Kind5 { Plain { added: Option<u8> }, Another(Only) }
    #[repr(u8)] enum Plain1 { A, B, C(u8), D(u8), E { a: u8, b: u8 }, F }
    #[repr(u8)] enum Plain3 { D(u8), E { b: u8 }, F, B }
    struct Tree1 { name: String, children: Vec<Tree1> }
    struct Tree2 { children: Vec<Tree2>, depth: Option<u8>, name: String }
    struct Tree3 { children: Box<[Tree3]>, left: Option<Box<Tree3>>, name: String }
    struct Chain1 { value: u8, next: Option<Box<Chain1>> }
    struct Chain2 { next: Option<Box<Chain2>>, value: u16, #[facet(default)] more: Vec<u8> }
    struct Key1 { a: u8, b: u8 }
    struct Key2 { b: u16 }
    struct Pair1 { one: Kind1, two: [Account1; 2] }
    struct Pair2 { two: [Account4; 2], one: Kind2 };
    Wrapped1, Wrapped2, bool, f64, String, Vec<u8>, u8, u16, u32, u64, u128, i8, i16, i32, i64, i128,
    Account7, Four2, Plain2, Vec<Four1>, Vec<Four2>, Vec<Plain1>, Vec<Plain2>, [Four1; 3], [Four2; 3],
    Option<u8>, Option<u32>, Option<Option<u8>>, Vec<u16>, Vec<u32>, BTreeSet<u16>, BTreeSet<u32>,
    Vec<Account1>, Vec<Account3>, Vec<Empty>, Option<Account2>, Option<Account4>, Box<Account1>,
    BTreeMap<u8, Account1>, BTreeMap<u16, Account3>, BTreeMap<String, Kind2>,
    Vec<Kind1>, [u8; 4], [u16; 4], [u16; 5], [u16; 40], [u32; 40],
    Result<Account1, Kind1>, Result<Account3, Kind2>, Result<u8, String>,
    (u8, String), (u16, String), (u16, String, Option<u8>), Vec<Vec<Kind1>>, Vec<Vec<Kind3>>,
}

/// The schema of a type of the pool, and what its reader does without.
type Known = (crate::schema::Schema, Optional);

/// What was compared.
#[derive(Default)]
struct Tally {
    pairs: usize,
    readable: usize,
    values: usize,
    unknown: usize,
}

/// Both translators, and the judge, agree on whether a type can be read that was written by this schema, and on so many values. Gives
/// those that were read, as the reader has them and as it writes them.
fn agree(
    w: &str,
    bytes: &Bytes,
    read: &Entry,
    known: &Known,
    times: usize,
    dice: &mut Dice,
    tally: &mut Tally,
) -> Vec<(Value, Bytes)> {
    let ((other, optional), r) = (known, read.name);
    let (types, others) = (Types::read(bytes).expect("a schema"), Types::read(other.bytes()).expect("a schema"));
    let none = Optional::default();
    let (from, to) = (Side { types: &types, optional: &none }, Side { types: &others, optional });
    let expected = can((&from, 0), (&to, 0), false, &mut BTreeSet::new());
    let described = Described { schema: Bytes::copy_from_slice(other.bytes()), optional: optional.clone() };
    let judged = judged_alone(&Described { schema: bytes.clone(), optional: none.clone() }, &described);
    assert_eq!(judged.is_none(), expected, "{w} as {r}: {judged:?}: {}", bytes.escape_ascii());
    let by = Translation::of(read.shape, bytes, &types, 0, &Weight::default());
    tally.pairs += 1;
    let mut all = Vec::new();
    if !expected {
        // What the judge knows of keys, and of types that have nothing in common, is not the plan's.
        return all;
    }
    tally.readable += 1;
    let by = by.unwrap_or_else(|why| panic!("{w} as {r}: {why}: {}", bytes.escape_ascii()));
    for _ in 0..times {
        let value = some(&types, 0, 0, dice);
        let mut frame = Vec::new();
        put(&types, 0, &value, &mut frame);
        let turned = (read.turn)(&by, &frame.into());
        tally.values += 1;
        match change(&value, (&from, 0), (&to, 0)) {
            Some(changed) => {
                let mut expected = Vec::new();
                put(&others, 0, &changed, &mut expected);
                assert_eq!(turned.as_ref(), Ok(&expected), "{w} as {r}: {value:?}: {}", bytes.escape_ascii());
                all.push((changed, expected.into()));
            }
            None => {
                tally.unknown += 1;
                let error = turned.expect_err("it holds a variant that is not known").kind;
                assert!(error.to_string().contains("does not have here"), "{w} as {r}: {value:?}: {error}");
            }
        }
    }
    all
}

#[test]
#[cfg_attr(miri, ignore)]
fn both_translators_agree_on_every_pair_and_every_value() {
    let pool = pool();
    let known: Vec<_> = pool.iter().map(|entry| type_of(entry.shape).expect("it can cross")).collect();
    let (mut dice, mut tally) = (Dice(7), Tally::default());
    for (written, (schema, _)) in pool.iter().zip(&known) {
        let bytes = Bytes::copy_from_slice(schema.bytes());
        for (read, known) in pool.iter().zip(&known) {
            agree(written.name, &bytes, read, known, 40, &mut dice, &mut tally);
        }
    }
    let Tally { pairs, readable, values, unknown } = tally;
    assert!(
        pairs > 4000 && readable > 150 && values > readable && unknown > 0,
        "{pairs} {readable} {values} {unknown}"
    );
}

mod generated;
