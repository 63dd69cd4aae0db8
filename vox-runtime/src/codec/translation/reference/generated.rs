//! Pairs of schemas that a seed makes: what is written is a type of the pool, changed here and there in ways that may and in ways that
//! may not be read; and chains of three, where what was read is written again for a third.
//!
//! `VOX_SCHEMA_PAIRS=100000` makes more of them than a test run does.

use super::*;

/// A type, to be changed. Types inside themselves are written out, some levels deep.
enum Tree {
    Named(String),
    Struct(Vec<(String, Tree)>),
    Enum(Vec<(String, Vec<(String, Tree)>)>),
    Of(Container, Vec<Tree>),
    Array(u64, Box<Tree>),
}

/// How many levels of a type are looked at.
const LEVELS: u32 = 8;

fn tree(types: &Types<'_>, at: usize, level: u32) -> Tree {
    let inside = |at: usize| tree(types, at, level + 1);
    let fields = |fields: &[Field<'_>]| fields.iter().map(|field| (field.name.to_owned(), inside(field.ty))).collect();
    match types.get(at) {
        _ if level > LEVELS => Tree::Named("u8".to_owned()),
        Type::Named(name) => Tree::Named((*name).to_owned()),
        Type::Struct(of) => Tree::Struct(fields(of)),
        Type::Enum(variants) => {
            Tree::Enum(variants.iter().map(|variant| (variant.name.to_owned(), fields(&variant.fields))).collect())
        }
        Type::Of(kind, parts) => Tree::Of(*kind, parts.iter().map(|part| inside(*part)).collect()),
        Type::Array(len, item) => Tree::Array(*len, inside(*item).into()),
        Type::Begun => panic!("it is not read to its end"),
    }
}

impl Tree {
    fn write(&self, out: &mut Vec<u8>) {
        let text = |text: &str, out: &mut Vec<u8>| {
            out.push(text.len() as u8);
            out.extend(text.as_bytes());
        };
        let fields = |fields: &[(String, Self)], out: &mut Vec<u8>| {
            out.push(fields.len() as u8);
            for (name, ty) in fields {
                text(name, out);
                ty.write(out);
            }
        };
        match self {
            Self::Named(name) => {
                out.push(1);
                text(name, out);
            }
            Self::Struct(of) => {
                out.push(2);
                fields(of, out);
            }
            Self::Enum(variants) => {
                out.extend([3, variants.len() as u8]);
                for (name, of) in variants {
                    text(name, out);
                    fields(of, out);
                }
            }
            Self::Of(kind, parts) => {
                out.push(match kind {
                    Container::Option => 4,
                    Container::Result => 5,
                    Container::List => 6,
                    Container::Map => 8,
                    Container::Set => 9,
                    Container::Tx => 10,
                    Container::Rx => 11,
                });
                parts.iter().for_each(|part| part.write(out));
            }
            Self::Array(len, item) => {
                assert!(*len < 128, "{len}");
                out.extend([7, *len as u8]);
                item.write(out);
            }
        }
    }

    /// Changes it in some places.
    fn shake(&mut self, dice: &mut Dice) {
        match self {
            Self::Named(name) if dice.roll(16) == 0 => *name = INTEGERS[dice.roll(10) as usize].to_owned(),
            Self::Named(_) => {}
            Self::Struct(fields) => shake_fields(fields, dice),
            Self::Enum(variants) => {
                variants.iter_mut().for_each(|(_, fields)| shake_fields(fields, dice));
                let added = (format!("Added{}", dice.roll(1_000_000)), vec![("0".to_owned(), some_tree(dice))]);
                shake_parts(variants, added, 1, dice);
            }
            Self::Of(_, parts) => parts.iter_mut().for_each(|part| part.shake(dice)),
            Self::Array(_, item) => item.shake(dice),
        }
        if dice.roll(60) == 0 {
            *self = some_tree(dice);
        }
    }
}

const INTEGERS: [&str; 10] = ["u8", "u16", "u32", "u64", "u128", "i8", "i16", "i32", "i64", "i128"];

fn shake_fields(fields: &mut Vec<(String, Tree)>, dice: &mut Dice) {
    fields.iter_mut().for_each(|(_, ty)| ty.shake(dice));
    let added = (format!("added{}", dice.roll(1_000_000)), some_tree(dice));
    shake_parts(fields, added, 0, dice);
}

/// Takes one away, adds one, and changes the order, or none of it.
fn shake_parts<T>(parts: &mut Vec<T>, added: T, least: usize, dice: &mut Dice) {
    if parts.len() > least && dice.roll(8) == 0 {
        parts.remove(dice.roll(parts.len() as u64) as usize);
    }
    if dice.roll(4) == 0 {
        parts.insert(dice.roll(parts.len() as u64 + 1) as usize, added);
    }
    if parts.len() > 1 && dice.roll(3) == 0 {
        let (one, other) = (dice.roll(parts.len() as u64) as usize, dice.roll(parts.len() as u64) as usize);
        parts.swap(one, other);
    }
}

/// Something to be passed over.
fn some_tree(dice: &mut Dice) -> Tree {
    let named = |name: &str| Tree::Named(name.to_owned());
    let of = |kind, parts| Tree::Of(kind, parts);
    match dice.roll(16) {
        0 => named("string"),
        1 => named("bytes"),
        2 => named("bool"),
        3 => named("f64"),
        4 => of(Container::Option, vec![some_tree(dice)]),
        5 => of(Container::List, vec![some_tree(dice)]),
        6 => Tree::Struct(vec![("x".to_owned(), some_tree(dice)), ("y".to_owned(), named("i32"))]),
        7 => Tree::Enum(vec![("A".to_owned(), vec![]), ("B".to_owned(), vec![("0".to_owned(), some_tree(dice))])]),
        8 => named("f32"),
        9 => named("char"),
        10 => named("Duration"),
        11 => of(Container::Result, vec![some_tree(dice), some_tree(dice)]),
        12 => of(Container::Map, vec![named("string"), some_tree(dice)]),
        13 => Tree::Array(dice.roll(4), some_tree(dice).into()),
        _ => named(INTEGERS[dice.roll(10) as usize]),
    }
}

#[test]
#[cfg_attr(miri, ignore)]
fn both_translators_agree_on_generated_pairs_and_chains() {
    let wanted = std::env::var("VOX_SCHEMA_PAIRS").ok().and_then(|text| text.parse().ok()).unwrap_or(1000);
    let pool = pool();
    let known: Vec<_> = pool.iter().map(|entry| type_of(entry.shape).expect("it can cross")).collect();
    let (mut dice, mut tally, mut chains) = (Dice(11), Tally::default(), 0);
    for number in 0..wanted {
        let at = number % pool.len();
        let mut changed = tree(&Types::read(known[at].0.bytes()).expect("a schema"), 0, 0);
        for _ in 0..=dice.roll(2) {
            changed.shake(&mut dice);
        }
        let mut written = vec![1];
        changed.write(&mut written);
        let third = dice.roll(pool.len() as u64) as usize;
        for turned in agree("a generated type", &written.into(), &pool[at], &known[at], 3, &mut dice, &mut tally) {
            chains += usize::from(goes_on(&turned, (&pool[at], &known[at]), (&pool[third], &known[third])));
        }
    }
    let Tally { pairs, readable, values, unknown } = tally;
    assert!(
        pairs == wanted
            && readable > wanted / 4
            && readable < wanted * 9 / 10
            && values > readable
            && unknown > 0
            && chains > wanted / 50,
        "{pairs} {readable} {values} {unknown} {chains}"
    );
}

/// What one has read and written again is read by a third, as the slow translator does it. Whether it can be.
fn goes_on(turned: &(Value, Bytes), written: (&Entry, &Known), read: (&Entry, &Known)) -> bool {
    let schema = Bytes::copy_from_slice(written.1.0.bytes());
    let (types, others) = (Types::read(&schema).expect("a schema"), Types::read(read.1.0.bytes()).expect("a schema"));
    let none = Optional::default();
    let (from, to) = (Side { types: &types, optional: &none }, Side { types: &others, optional: &read.1.1 });
    if !can((&from, 0), (&to, 0), false, &mut BTreeSet::new()) {
        return false;
    }
    let by = Translation::of(read.0.shape, &schema, &types, 0, &Weight::default()).expect("it can be read");
    let expected = change(&turned.0, (&from, 0), (&to, 0)).map(|value| {
        let mut bytes = Vec::new();
        put(&others, 0, &value, &mut bytes);
        bytes
    });
    let found = (read.0.turn)(&by, &turned.1);
    assert_eq!(found.ok(), expected, "{} as {}: {:?}", written.0.name, read.0.name, turned.0);
    true
}
