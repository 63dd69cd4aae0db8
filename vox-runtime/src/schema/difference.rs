//! Where two schemas differ: the first place, in words for a person.
//!
//! One of the two may be a peer's, so its bytes are checked, nothing is allocated for a count before its things are read, and the work is
//! bounded by [`MAX_TYPES`] and [`Pairs`].

use std::collections::BTreeSet;

use super::cursor::{Cursor, SchemaFault};
use crate::shown::Shown;

/// What the bytes of a schema start with.
const VERSION: u8 = 1;
/// How many types one schema may have. The types with an encoding of their own do not count.
pub(crate) const MAX_TYPES: usize = 4096;
/// How deep the types of one schema may stand inside each other in its bytes.
const MAX_NESTING: usize = 128;
/// How many pairs of types are compared, in all schemas of a contract together. An honest contract has no more: a type takes four bytes in it.
const MAX_PAIRS: usize = 64 << 10;
/// How many parts of a place are named: the first half of them and the last.
const MAX_PARTS: usize = 32;

/// How many pairs of types may still be compared.
pub(super) struct Pairs(usize);

impl Pairs {
    pub(super) fn of_a_contract() -> Self {
        Self(MAX_PAIRS)
    }

    fn take(&mut self) -> Result<(), SchemaFault> {
        let left = self.0.checked_sub(1);
        self.0 = left.ok_or_else(|| SchemaFault(format!("more than {MAX_PAIRS} pairs of types to compare")))?;
        Ok(())
    }
}

/// A type of a schema. The others are named by their index.
#[derive(Debug, PartialEq, Eq)]
enum Type<'a> {
    /// One with an encoding of its own.
    Named(&'a str),
    Struct(Vec<Field<'a>>),
    Enum(Vec<(&'a str, Vec<Field<'a>>)>),
    /// An option, a result, a list, a map, a set or a channel, and its contents.
    Of(Container, Vec<usize>),
    Array(u64, usize),
    /// Not read to its end yet.
    Begun,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Container {
    Option,
    Result,
    List,
    Map,
    Set,
    Tx,
    Rx,
}

#[derive(Debug, PartialEq, Eq)]
struct Field<'a> {
    name: &'a str,
    ty: usize,
}

/// The types of one schema. The first is the schema's own.
struct Types<'a>(Vec<Type<'a>>);

/// Where the schemas `ours` and `theirs` differ first, beginning at `place`; `None`: nowhere. `Err`: `theirs` is no schema.
///
/// The words are `place: this here, that there`.
pub(super) fn difference(
    place: &str,
    ours: &[u8],
    theirs: &[u8],
    pairs: &mut Pairs,
) -> Result<Option<String>, SchemaFault> {
    if ours == theirs {
        return Ok(None);
    }
    let (ours, theirs) = (Types::read(ours)?, Types::read(theirs)?);
    let mut places = vec![(0, place.to_owned())];
    let mut todo = vec![(0, 0, 0)];
    let mut seen = BTreeSet::from([(0, 0)]);
    let mut next = 0;
    // Breadth first: the place that is named is the nearest one.
    while let Some(&(here, there, at)) = todo.get(next) {
        next += 1;
        pairs.take()?;
        match compare(&ours, &theirs, here, there) {
            Ok(parts) => {
                for (part, here, there) in parts {
                    // Each pair waits once, so that no more are kept than are compared.
                    if seen.insert((here, there)) {
                        places.push((at, part));
                        todo.push((here, there, places.len() - 1));
                    }
                }
            }
            Err((part, ours, theirs)) => {
                let place = path(&places, at) + &part;
                return Ok(Some(format!("{place} is {ours} here and {theirs} there")));
            }
        }
    }
    // The same types, written in another way.
    Ok(None)
}

/// The place numbered `at`, from its root on. A peer may make it a long way, whose middle is left out.
fn path(places: &[(usize, String)], mut at: usize) -> String {
    let mut parts = Vec::new();
    while at != 0 {
        parts.push(places[at].1.as_str());
        at = places[at].0;
    }
    parts.push(&places[0].1);
    parts.reverse();
    if parts.len() > MAX_PARTS {
        parts.splice(MAX_PARTS / 2..parts.len() - MAX_PARTS / 2, ["…"]);
    }
    parts.concat()
}

/// A part of a place, and the two types that stand there.
type Part = (String, usize, usize);
/// A part of a place, and what stands there on either side.
type Found = (String, String, String);

/// Compares two types by themselves. `Ok`: what is in them is to be compared next.
fn compare(ours: &Types<'_>, theirs: &Types<'_>, here: usize, there: usize) -> Result<Vec<Part>, Found> {
    match (&ours.0[here], &theirs.0[there]) {
        (Type::Named(a), Type::Named(b)) if a == b => Ok(Vec::new()),
        (Type::Struct(a), Type::Struct(b)) => fields(ours, theirs, a, b),
        (Type::Enum(a), Type::Enum(b)) => variants(ours, theirs, a, b),
        (Type::Array(len, a), Type::Array(other, b)) if len == other => Ok(vec![("[]".to_owned(), *a, *b)]),
        (Type::Of(kind, a), Type::Of(other, b)) if kind == other => {
            let names = kind.parts().iter().map(|&part| part.to_owned());
            Ok(names.zip(a).zip(b).map(|((part, a), b)| (part, *a, *b)).collect())
        }
        _ => Err((String::new(), ours.words(here), theirs.words(there))),
    }
}

fn fields(ours: &Types<'_>, theirs: &Types<'_>, a: &[Field<'_>], b: &[Field<'_>]) -> Result<Vec<Part>, Found> {
    let words = |types: &Types<'_>, field: Option<&Field<'_>>| {
        field.map_or("missing".to_owned(), |field| format!("`{}: {}`", Shown::name(field.name), types.words(field.ty)))
    };
    let mut parts = Vec::new();
    for at in 0..a.len().max(b.len()) {
        match (a.get(at), b.get(at)) {
            (Some(a), Some(b)) if a.name == b.name => parts.push((format!(".{}", a.name), a.ty, b.ty)),
            (a, b) => return Err((format!(", field {at},"), words(ours, a), words(theirs, b))),
        }
    }
    Ok(parts)
}

fn variants(
    ours: &Types<'_>,
    theirs: &Types<'_>,
    a: &[(&str, Vec<Field<'_>>)],
    b: &[(&str, Vec<Field<'_>>)],
) -> Result<Vec<Part>, Found> {
    let words = |variant: Option<&(&str, Vec<Field<'_>>)>| {
        variant.map_or("missing".to_owned(), |(name, _)| format!("`{}`", Shown::name(name)))
    };
    let mut parts = Vec::new();
    for at in 0..a.len().max(b.len()) {
        match (a.get(at), b.get(at)) {
            (Some((name, a)), Some((other, b))) if name == other => {
                let inside = fields(ours, theirs, a, b);
                let inside = inside.map_err(|(part, a, b)| (format!("::{name}{part}"), a, b))?;
                parts.extend(inside.into_iter().map(|(part, a, b)| (format!("::{name}{part}"), a, b)));
            }
            (a, b) => return Err((format!(", variant {at},"), words(a), words(b))),
        }
    }
    Ok(parts)
}

impl Container {
    fn parts(self) -> &'static [&'static str] {
        match self {
            Self::Option => &["?"],
            Self::Result => &[".Ok", ".Err"],
            Self::List | Self::Set => &["[]"],
            Self::Map => &["[key]", "[value]"],
            Self::Tx | Self::Rx => &["'s item"],
        }
    }
}

impl<'a> Types<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, SchemaFault> {
        let mut reader = Reader { cursor: Cursor::new(bytes), types: Vec::new(), composites: Vec::new() };
        if reader.cursor.byte()? != VERSION {
            return Err(reader.cursor.fault("a schema of another version"));
        }
        reader.ty(0)?;
        reader.cursor.end()?;
        Ok(Self(reader.types))
    }

    /// The type in a few words.
    fn words(&self, at: usize) -> String {
        let content = |parts: &[usize]| self.words_inside(parts[0]);
        match &self.0[at] {
            Type::Named(name) => Shown::name(name).to_string(),
            Type::Of(Container::Option, parts) => format!("Option<{}>", content(parts)),
            Type::Of(Container::List, parts) => format!("a list of {}", content(parts)),
            Type::Of(Container::Set, parts) => format!("a set of {}", content(parts)),
            Type::Of(Container::Tx, parts) => format!("Tx<{}>", content(parts)),
            Type::Of(Container::Rx, parts) => format!("Rx<{}>", content(parts)),
            Type::Array(len, item) => format!("[{}; {len}]", self.words_inside(*item)),
            _ => self.words_inside(at),
        }
    }

    /// The type in a word or two, without what is in it.
    fn words_inside(&self, at: usize) -> String {
        match &self.0[at] {
            Type::Named(name) => Shown::name(name).to_string(),
            Type::Struct(fields) if fields.is_empty() => "()".to_owned(),
            Type::Struct(fields) => format!("a struct of {} fields", fields.len()),
            Type::Enum(variants) => format!("an enum of {} variants", variants.len()),
            Type::Of(Container::Option, _) => "an option".to_owned(),
            Type::Of(Container::Result, _) => "a result".to_owned(),
            Type::Of(Container::List, _) => "a list".to_owned(),
            Type::Of(Container::Map, _) => "a map".to_owned(),
            Type::Of(Container::Set, _) => "a set".to_owned(),
            Type::Of(Container::Tx | Container::Rx, _) => "a channel".to_owned(),
            Type::Array(..) => "an array".to_owned(),
            Type::Begun => "a type".to_owned(),
        }
    }
}

struct Reader<'a> {
    cursor: Cursor<'a>,
    types: Vec<Type<'a>>,
    /// The indices of all but named types, in the order in which they begin: what tag 12 counts.
    composites: Vec<usize>,
}

impl<'a> Reader<'a> {
    /// Reads a type, and gives its index.
    fn ty(&mut self, depth: usize) -> Result<usize, SchemaFault> {
        if depth > MAX_NESTING {
            return Err(self.cursor.fault(&format!("types more than {MAX_NESTING} deep")));
        }
        let tag = self.cursor.byte()?;
        if tag == 12 {
            let number = self.cursor.number()?;
            let known = usize::try_from(number).ok().and_then(|number| self.composites.get(number));
            return known.copied().ok_or_else(|| self.cursor.fault("a type that has not begun"));
        }
        let index = self.types.len();
        if tag == 1 {
            self.types.push(Type::Named(self.cursor.text()?));
            return Ok(index);
        }
        if self.composites.len() >= MAX_TYPES {
            return Err(self.cursor.fault(&format!("more than {MAX_TYPES} types")));
        }
        self.composites.push(index);
        self.types.push(Type::Begun);
        let ty = match tag {
            2 => Type::Struct(self.fields(depth)?),
            3 => Type::Enum(self.variants(depth)?),
            4 => self.of(Container::Option, depth)?,
            5 => self.of(Container::Result, depth)?,
            6 => self.of(Container::List, depth)?,
            7 => {
                let len = self.cursor.number()?;
                Type::Array(len, self.ty(depth + 1)?)
            }
            8 => self.of(Container::Map, depth)?,
            9 => self.of(Container::Set, depth)?,
            10 => self.of(Container::Tx, depth)?,
            11 => self.of(Container::Rx, depth)?,
            _ => return Err(self.cursor.fault(&format!("an unknown kind of type, {tag}"))),
        };
        self.types[index] = ty;
        Ok(index)
    }

    fn of(&mut self, kind: Container, depth: usize) -> Result<Type<'a>, SchemaFault> {
        let parts = kind.parts().iter().map(|_| self.ty(depth + 1)).collect::<Result<_, _>>()?;
        Ok(Type::Of(kind, parts))
    }

    fn fields(&mut self, depth: usize) -> Result<Vec<Field<'a>>, SchemaFault> {
        // A name's length, and a type of two bytes.
        let count = self.cursor.count(3)?;
        // Each level may claim all the bytes that follow.
        let mut fields = Vec::new();
        for _ in 0..count {
            let name = self.cursor.text()?;
            fields.push(Field { name, ty: self.ty(depth + 1)? });
        }
        Ok(fields)
    }

    fn variants(&mut self, depth: usize) -> Result<Vec<(&'a str, Vec<Field<'a>>)>, SchemaFault> {
        let count = self.cursor.count(2)?;
        let mut variants = Vec::new();
        for _ in 0..count {
            let name = self.cursor.text()?;
            variants.push((name, self.fields(depth)?));
        }
        Ok(variants)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(ours: &[u8], theirs: &[u8]) -> Result<Option<String>, SchemaFault> {
        difference("it", ours, theirs, &mut Pairs::of_a_contract())
    }

    const POINT: &[u8] = b"\x01\x02\x02\x01x\x01\x03u64\x01y\x01\x03u64";

    #[track_caller]
    fn differ(ours: &[u8], theirs: &[u8], words: &str) {
        assert_eq!(told(ours, theirs), Ok(Some(words.to_owned())));
    }

    #[test]
    fn the_first_difference_is_named() {
        assert_eq!(told(POINT, POINT), Ok(None));
        differ(b"\x01\x01\x03u64", b"\x01\x01\x03i64", "it is u64 here and i64 there");
        differ(b"\x01\x04\x01\x03u64", b"\x01\x01\x03u64", "it is Option<u64> here and u64 there");
        differ(
            POINT,
            b"\x01\x02\x02\x01y\x01\x03u64\x01x\x01\x03u64",
            "it, field 0, is `x: u64` here and `y: u64` there",
        );
        differ(POINT, b"\x01\x02\x01\x01x\x01\x03u64", "it, field 1, is `y: u64` here and missing there");
        differ(POINT, b"\x01\x02\x02\x01x\x01\x03u64\x01y\x01\x03u32", "it.y is u64 here and u32 there");
        differ(b"\x01\x07\x04\x01\x02u8", b"\x01\x07\x05\x01\x02u8", "it is [u8; 4] here and [u8; 5] there");
        differ(
            b"\x01\x03\x02\x03New\x00\x04Paid\x00",
            b"\x01\x03\x03\x03New\x00\x07Waiting\x00\x04Paid\x00",
            "it, variant 1, is `Paid` here and `Waiting` there",
        );
        differ(b"\x01\x0a\x01\x02u8", b"\x01\x0b\x01\x02u8", "it is Tx<u8> here and Rx<u8> there");
        differ(b"\x01\x0a\x01\x02u8", b"\x01\x0a\x01\x02i8", "it's item is u8 here and i8 there");
        differ(b"\x01\x08\x01\x02u8\x01\x02u8", b"\x01\x08\x01\x02u8\x01\x02i8", "it[value] is u8 here and i8 there");
    }

    #[test]
    fn types_inside_themselves_are_compared_once() {
        let chain = b"\x01\x02\x02\x05value\x01\x02u8\x04next\x04\x0c\x00";
        let other = b"\x01\x02\x02\x05value\x01\x02u8\x04next\x06\x0c\x00";
        assert_eq!(told(chain, chain), Ok(None));
        differ(chain, other, "it.next is Option<a struct of 2 fields> here and a list of a struct of 2 fields there");
        // One turn of the chain written out: the same type.
        let unrolled = b"\x01\x02\x02\x05value\x01\x02u8\x04next\x04\x02\x02\x05value\x01\x02u8\x04next\x04\x0c\x02";
        assert_eq!(told(chain, unrolled), Ok(None));
    }

    #[test]
    fn hostile_bytes_are_refused_and_cost_little() {
        let refused = |theirs: &[u8]| told(POINT, theirs).expect_err("no schema");
        refused(b"");
        refused(b"\x02\x01\x02u8");
        refused(b"\x01\x0c\x00");
        refused(b"\x01\x0d");
        refused(b"\x01\x02\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
        refused(b"\x01\x02\xff\xff\xff\xff\x0f");
        refused(b"\x01\x01\xff\xff\xff\xff\x0fx");
        refused(b"\x01\x01\x02\xff\xfe");
        refused(&[POINT, b"\x00"].concat());
        refused(&[b"\x01".as_slice(), &[6; 100_000]].concat());
        let wide: Vec<u8> = [b"\x01\x02\x90\x4e".as_slice(), &b"\x00\x04\x01\x02u8".repeat(10_000)].concat();
        assert!(refused(&wide).0.contains("more than 4096 types"));
    }

    /// A type that goes round through `len` structs, each inside the one before it.
    fn ring(len: u8) -> Vec<u8> {
        [b"\x01".as_slice(), &b"\x02\x01\x01n".repeat(usize::from(len)), b"\x0c\x00"].concat()
    }

    #[test]
    fn pairs_are_counted_over_all_schemas_of_a_contract() {
        let mut pairs = Pairs::of_a_contract();
        // They stand beside each other in each of 16,002 ways before they are known to be equal.
        for _ in 0..4 {
            assert_eq!(difference("it", &ring(127), &ring(126), &mut pairs), Ok(None));
        }
        let fault = difference("it", &ring(127), &ring(126), &mut pairs).expect_err("there were four");
        assert_eq!(fault.0, "more than 65536 pairs of types to compare");
    }

    #[test]
    fn a_place_a_long_way_in_is_named_by_its_ends() {
        let (ours, theirs) = (ring(1), [&b"\x01"[..], &b"\x02\x01\x01n".repeat(120), b"\x01\x02u8"].concat());
        let place = format!("it{}…{}", ".n".repeat(15), ".n".repeat(16));
        differ(&ours, &theirs, &format!("{place} is a struct of 1 fields here and u8 there"));
    }

    #[test]
    fn every_cut_and_every_flipped_byte_is_answered() {
        let chain = b"\x01\x02\x02\x05value\x01\x02u8\x04next\x04\x0c\x00".as_slice();
        for schema in [POINT, chain] {
            for cut in 0..schema.len() {
                assert!(told(POINT, &schema[..cut]).is_err());
            }
            for at in 0..schema.len() {
                for flip in 1..=255 {
                    let mut other = schema.to_vec();
                    other[at] ^= flip;
                    let _ = told(schema, &other);
                }
            }
        }
    }
}
