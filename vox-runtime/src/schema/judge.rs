//! Whether one end can read what the other writes, where their types differ: if not, the first place where it cannot, in
//! words for a person, and which end has to change.
//!
//! What is accepted: fields in another order, fields that the reader does not have, fields that the writer does not have and
//! the reader can do without; variants in another order, and such as only one of the two has; integers that the reader has
//! wider. Everything else is refused. One of the two may be a peer's, so the work is bounded by [`MAX_PAIRS`].

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use super::cursor::SchemaFault;
use super::types::{Container, Field, Optional, Type, Types, Variant};
use crate::escaped::Escaped;

/// How many pairs of types are compared, at most.
const MAX_PAIRS: usize = 16 << 10;
/// How many parts of a place are named: the first half of them and the last.
const MAX_PLACES: usize = 32;

/// A type as one end knows it: its schema, and what that end can do without when it reads it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) schema: &'a [u8],
    pub(super) optional: &'a Optional,
}

/// Which end writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writer {
    Here,
    There,
}

/// What must be so for the reader to read a pair of types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rule {
    /// What may change, may.
    Free,
    /// It stands in a key: two that differ must not become one.
    Key,
}

/// Two types: what is written, what is read, and by which rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Pair {
    written: usize,
    read: usize,
    rule: Rule,
    /// The reader of what it stands in writes it, and the writer reads it: items that a handler sends.
    back: bool,
}

/// What is found where two types differ.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Event<'t> {
    /// They are of different kinds.
    Differ,
    /// Two structs or two enums of which no parts have one name.
    Apart,
    /// The writer's integers are narrower.
    Widened,
    /// A field of the reader's that the writer does not have.
    Missing { field: &'t Field<'t>, has_default: bool },
    /// A field of the writer's that the reader does not have.
    Extra { field: &'t Field<'t>, must_stay: Option<Stay> },
    /// The fields are in another order.
    Moved,
    /// A variant of the writer's that the reader does not have: an error where it comes.
    Unknown { variant: &'t str },
    /// A variant of the reader's that the writer does not have.
    Unsent { variant: &'t str },
    /// The variants are in another order.
    VariantsMoved,
}

/// Why a field must stay that the reader could pass over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stay {
    InKey,
    Channel,
}

/// An event, and whether it is one of a variant of the pair.
#[derive(Debug, Clone, Copy)]
struct Noted<'t> {
    variant: Option<&'t str>,
    event: Event<'t>,
}

/// An event, and where it is.
pub(crate) struct Finding<'t> {
    pub(crate) event: Event<'t>,
    /// The variant of the pair that it is in.
    pub(crate) variant: Option<&'t str>,
    /// Who writes what is found, the types of that end, and which of them.
    pub(crate) writer: Writer,
    pub(crate) written: (&'t Types<'t>, usize),
    pub(crate) read: (&'t Types<'t>, usize),
    places: &'t [(usize, String)],
    at: usize,
}

/// A part of a pair: what it is called, and the pair that stands there.
type Part = (String, Pair);

/// What keeps the reader from reading what the writer writes, beginning at `place`; `None`: nothing does. `Err`: what a peer
/// gave is no schema.
pub(super) fn refusal(
    place: &str,
    written: Known<'_>,
    read: Known<'_>,
    writer: Writer,
) -> Result<Option<String>, SchemaFault> {
    let mut words = None;
    survey(place, written, read, writer, &mut |finding| {
        words = finding.refusal();
        if words.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok(words)
}

/// Goes through all that differs in two types, the nearest places first, until `each` breaks it off.
pub(super) fn survey(
    place: &str,
    written: Known<'_>,
    read: Known<'_>,
    writer: Writer,
    each: &mut dyn FnMut(Finding<'_>) -> ControlFlow<()>,
) -> Result<(), SchemaFault> {
    if written.schema == read.schema {
        return Ok(());
    }
    let types = (Types::read(written.schema)?, Types::read(read.schema)?);
    let forth = Judge { written: &types.0, read: &types.1, optional: read.optional };
    let back = Judge { written: &types.1, read: &types.0, optional: written.optional };
    let root = Pair { written: 0, read: 0, rule: Rule::Free, back: false };
    let mut places = vec![(0, place.to_owned())];
    let mut todo = vec![(root, 0)];
    let mut seen = BTreeSet::from([root]);
    let mut notes = Vec::new();
    let mut next = 0;
    // Breadth first: the place that is named is the nearest one.
    while let Some(&(pair, at)) = todo.get(next) {
        next += 1;
        if next > MAX_PAIRS {
            return Err(SchemaFault(format!("more than {MAX_PAIRS} pairs of types to compare")));
        }
        let (judge, writer) = if pair.back { (&back, writer.other()) } else { (&forth, writer) };
        notes.clear();
        let parts = judge.pair(pair, &mut notes);
        for Noted { variant, event } in notes.drain(..) {
            let (written, read) = ((judge.written, pair.written), (judge.read, pair.read));
            let finding = Finding { event, variant, writer, written, read, places: &places, at };
            if each(finding).is_break() {
                return Ok(());
            }
        }
        for (part, pair) in parts {
            // Each pair waits once, so that no more are kept than are compared.
            if seen.insert(pair) {
                places.push((at, part));
                todo.push((pair, places.len() - 1));
            }
        }
    }
    Ok(())
}

/// Whether every integer of the one type is one of the other, which is wider.
pub(crate) fn widens(from: &str, to: &str) -> bool {
    let (Some((from_signed, from)), Some((to_signed, to))) = (integer(from), integer(to)) else { return false };
    from < to && (to_signed || !from_signed)
}

/// Whether the integer type is signed, and its bits.
fn integer(name: &str) -> Option<(bool, u32)> {
    let (sign, bits) = name.split_at_checked(1)?;
    let bits = ["8", "16", "32", "64", "128"].iter().find(|known| **known == bits)?.parse().ok()?;
    match sign {
        "u" => Some((false, bits)),
        "i" => Some((true, bits)),
        _ => None,
    }
}

/// Whether a channel stands in a type.
pub(super) fn has_channel(types: &Types<'_>, root: usize) -> bool {
    let mut todo = vec![root];
    let mut seen = BTreeSet::new();
    while let Some(at) = todo.pop() {
        if !seen.insert(at) {
            continue;
        }
        match types.get(at) {
            Type::Of(Container::Tx | Container::Rx, _) => return true,
            Type::Of(_, parts) => todo.extend(parts),
            Type::Array(_, item) => todo.push(*item),
            Type::Struct(fields) => todo.extend(fields.iter().map(|field| field.ty)),
            Type::Enum(variants) => todo.extend(variants.iter().flat_map(|v| &v.fields).map(|field| field.ty)),
            Type::Named(_) | Type::Begun => {}
        }
    }
    false
}

struct Judge<'t> {
    written: &'t Types<'t>,
    read: &'t Types<'t>,
    optional: &'t Optional,
}

impl<'t> Judge<'t> {
    /// Judges two types by themselves, and gives what in them is to be judged next.
    fn pair(&self, pair: Pair, notes: &mut Vec<Noted<'t>>) -> Vec<Part> {
        let Pair { written, read, .. } = pair;
        match (self.written.get(written), self.read.get(read)) {
            (Type::Named(a), Type::Named(b)) if a == b => return Vec::new(),
            (Type::Named(a), Type::Named(b)) if widens(a, b) => notes.push(Event::Widened.whole()),
            (Type::Struct(a), Type::Struct(b)) => return self.fields((a, b), pair, None, notes),
            (Type::Enum(a), Type::Enum(b)) => return self.variants(a, b, pair, notes),
            (Type::Array(len, a), Type::Array(other, b)) if len == other => {
                return vec![("[]".to_owned(), Pair { written: *a, read: *b, ..pair })];
            }
            (Type::Of(kind, a), Type::Of(other, b)) if kind == other => return contents(*kind, a, b, pair),
            _ => notes.push(Event::Differ.whole()),
        }
        Vec::new()
    }

    fn fields(
        &self,
        (written, read): (&'t [Field<'t>], &'t [Field<'t>]),
        pair: Pair,
        variant: Option<&'t str>,
        notes: &mut Vec<Noted<'t>>,
    ) -> Vec<Part> {
        let mut note = |event| notes.push(Noted { variant, event });
        let mut left: BTreeMap<_, _> =
            written.iter().enumerate().map(|(at, field)| (field.name, (at, field))).collect();
        let (mut last, mut moved) = (0, false);
        let mut parts = Vec::new();
        for field in read {
            match left.remove(field.name) {
                Some((at, other)) => {
                    moved |= at < last;
                    last = at;
                    let part = format!("{}.{}", place_of(variant), Escaped::name(field.name));
                    parts.push((part, Pair { written: other.ty, read: field.ty, ..pair }));
                }
                None => note(Event::Missing { field, has_default: self.optional.has(field.number) }),
            }
        }
        // In the order in which they are written.
        for field in written.iter().filter(|field| left.contains_key(field.name)) {
            let must_stay = if pair.rule == Rule::Key {
                Some(Stay::InKey)
            } else {
                has_channel(self.written, field.ty).then_some(Stay::Channel)
            };
            note(Event::Extra { field, must_stay });
        }
        if moved {
            note(Event::Moved);
        }
        if parts.is_empty() && !written.is_empty() && !read.is_empty() {
            note(Event::Apart);
        }
        parts
    }

    fn variants(
        &self,
        written: &'t [Variant<'t>],
        read: &'t [Variant<'t>],
        pair: Pair,
        notes: &mut Vec<Noted<'t>>,
    ) -> Vec<Part> {
        let mut known: BTreeMap<_, _> =
            read.iter().enumerate().map(|(at, variant)| (variant.name, (at, variant))).collect();
        if !written.is_empty() && !written.iter().any(|variant| known.contains_key(variant.name)) {
            notes.push(Event::Apart.whole());
            return Vec::new();
        }
        let (mut last, mut moved) = (0, false);
        let mut parts = Vec::new();
        for variant in written {
            let Some((at, other)) = known.remove(variant.name) else {
                notes.push(Event::Unknown { variant: variant.name }.whole());
                continue;
            };
            moved |= at < last;
            last = at;
            parts.extend(self.fields((&variant.fields, &other.fields), pair, Some(variant.name), notes));
        }
        let unsent = read.iter().filter(|variant| known.contains_key(variant.name));
        notes.extend(unsent.map(|variant| Event::Unsent { variant: variant.name }.whole()));
        if moved {
            notes.push(Event::VariantsMoved.whole());
        }
        parts
    }
}

/// What the variant is called in a place that goes through it.
fn place_of(variant: Option<&str>) -> String {
    variant.map_or_else(String::new, |name| format!("::{}", Escaped::name(name)))
}

fn contents(kind: Container, written: &[usize], read: &[usize], pair: Pair) -> Vec<Part> {
    let rules = match kind {
        Container::Set => [Rule::Key; 2],
        Container::Map => [Rule::Key, pair.rule],
        Container::Option | Container::Result | Container::List | Container::Tx | Container::Rx => [pair.rule; 2],
    };
    let names = kind.parts().iter().map(|&part| part.to_owned());
    let pairs = names.zip(written).zip(read).zip(rules);
    let pairs = pairs.map(|(((part, &written), &read), rule)| match kind {
        Container::Tx => (part, Pair { written: read, read: written, rule, back: !pair.back }),
        _ => (part, Pair { written, read, rule, back: pair.back }),
    });
    pairs.collect()
}

/// The first of these names.
fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    const MOST: usize = 4;
    let mut names: Vec<_> = names.take(MOST + 1).map(|name| format!("`{}`", Escaped::name(name))).collect();
    if names.is_empty() {
        return "nothing".to_owned();
    }
    if names.len() > MOST {
        names[MOST] = "…".to_owned();
    }
    names.join(", ")
}

impl Writer {
    fn other(self) -> Self {
        match self {
            Self::Here => Self::There,
            Self::There => Self::Here,
        }
    }
}

impl<'t> Event<'t> {
    /// Of the pair itself.
    fn whole(self) -> Noted<'t> {
        Noted { variant: None, event: self }
    }

    /// Whether the reader cannot read the type, whatever its values.
    pub(crate) fn is_refused(&self) -> bool {
        match self {
            Self::Differ | Self::Apart => true,
            Self::Missing { has_default, .. } => !has_default,
            Self::Extra { must_stay, .. } => must_stay.is_some(),
            Self::Widened | Self::Moved | Self::Unknown { .. } | Self::Unsent { .. } | Self::VariantsMoved => false,
        }
    }
}

impl Finding<'_> {
    /// Where the pair is that it is found in.
    pub(crate) fn place(&self) -> String {
        format!("{}{}", path(self.places, self.at), place_of(self.variant))
    }

    /// Why the reader cannot read the type; `None` where it can.
    pub(crate) fn refusal(&self) -> Option<String> {
        if !self.event.is_refused() {
            return None;
        }
        let newer = "the newer of the two must keep the type of the older";
        let reader = match self.writer {
            Writer::Here => "the peer",
            Writer::There => "this end",
        };
        let missing = || "missing".to_owned();
        let (part, written, read, help) = match self.event {
            Event::Missing { field, .. } => {
                let help = format!("{reader} must make it an `Option` or give it a default, `#[facet(default)]`");
                (Some(field.name), missing(), self.read.0.words(field.ty), help)
            }
            Event::Extra { field, must_stay } => {
                let why = match must_stay {
                    Some(Stay::InKey) => "two keys could become one without it",
                    _ => "a channel has two ends",
                };
                let help = format!("{reader} must keep it, for {why}");
                (Some(field.name), self.written.0.words(field.ty), missing(), help)
            }
            Event::Apart => {
                let (kind, written) = self.names(self.written);
                (None, format!("{kind} of {written}"), format!("one of {}", self.names(self.read).1), newer.to_owned())
            }
            _ => (None, self.written.0.words(self.written.1), self.read.0.words(self.read.1), newer.to_owned()),
        };
        let part = part.map_or_else(String::new, |name| format!(".{}", Escaped::name(name)));
        let (here, there) = match self.writer {
            Writer::Here => (written, read),
            Writer::There => (read, written),
        };
        Some(format!("{}{part} is {here} here and {there} there; {help}", self.place()))
    }

    /// What kind of type it is, and the first names of its parts.
    fn names(&self, (types, at): (&Types<'_>, usize)) -> (&'static str, String) {
        let fields = |fields: &[Field<'_>]| ("a struct", listed(fields.iter().map(|field| field.name)));
        match types.get(at) {
            Type::Struct(of) => fields(of),
            Type::Enum(variants) => match self.variant {
                Some(name) => {
                    let variant = variants.iter().find(|variant| variant.name == name);
                    fields(variant.map_or(&[], |variant| &variant.fields))
                }
                None => ("an enum", listed(variants.iter().map(|variant| variant.name))),
            },
            _ => ("a type", types.words(at)),
        }
    }
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
    if parts.len() > MAX_PLACES {
        parts.splice(MAX_PLACES / 2..parts.len() - MAX_PLACES / 2, ["…"]);
    }
    parts.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const POINT: &[u8] = b"\x01\x02\x02\x01x\x01\x03u64\x01y\x01\x03u64";

    fn judged(written: &[u8], read: &[u8], optional: &[u32], writer: Writer) -> Result<Option<String>, SchemaFault> {
        let (none, optional) = (Optional::default(), Optional::new(optional.to_vec()));
        let written = Known { schema: written, optional: &none };
        refusal("it", written, Known { schema: read, optional: &optional }, writer)
    }

    /// The end that wrote is the peer.
    #[track_caller]
    fn refused(written: &[u8], read: &[u8], words: &str) {
        assert_eq!(judged(written, read, &[], Writer::There), Ok(Some(words.to_owned())));
    }

    #[track_caller]
    fn accepted(written: &[u8], read: &[u8]) {
        assert_eq!(judged(written, read, &[], Writer::There), Ok(None));
    }

    // proves: read.fields, read.common
    #[test]
    fn fields_go_by_their_names() {
        accepted(POINT, POINT);
        accepted(POINT, b"\x01\x02\x02\x01y\x01\x03u64\x01x\x01\x03u64");
        accepted(POINT, b"\x01\x02\x01\x01y\x01\x03u64");
        let longer = b"\x01\x02\x03\x01x\x01\x03u64\x01z\x01\x02u8\x01y\x01\x03u64";
        let words = "it.z is u8 here and missing there; this end must make it an `Option` or give it a default, `#[facet(default)]`";
        refused(POINT, longer, words);
        assert_eq!(judged(POINT, longer, &[1], Writer::There), Ok(None));
        let words = "it.z is missing here and u8 there; the peer must make it an `Option` or give it a default, `#[facet(default)]`";
        assert_eq!(judged(POINT, longer, &[0, 2], Writer::Here), Ok(Some(words.to_owned())));
        refused(
            POINT,
            b"\x01\x02\x01\x01z\x04\x01\x02u8",
            "it.z is Option<u8> here and missing there; this end must make it an `Option` or give it a default, `#[facet(default)]`",
        );
        let words = "it is one of `z` here and a struct of `x`, `y` there; the newer of the two must keep the type of the older";
        assert_eq!(judged(POINT, b"\x01\x02\x01\x01z\x04\x01\x02u8", &[0], Writer::There), Ok(Some(words.to_owned())));
    }

    const KEEP: &str = "; the newer of the two must keep the type of the older";

    // proves: read.kinds
    #[test]
    fn kinds_of_types_lengths_and_wire_types_stay() {
        let (number, text) = (b"\x01\x01\x03u64", b"\x01\x01\x06string");
        refused(number, text, &format!("it is string here and u64 there{KEEP}"));
        refused(number, b"\x01\x04\x01\x03u64", &format!("it is Option<u64> here and u64 there{KEEP}"));
        refused(
            POINT,
            b"\x01\x02\x02\x01x\x01\x03u64\x01y\x01\x03u32",
            &format!("it.y is u32 here and u64 there{KEEP}"),
        );
        refused(
            b"\x01\x07\x04\x01\x02u8",
            b"\x01\x07\x05\x01\x02u8",
            &format!("it is [u8; 5] here and [u8; 4] there{KEEP}"),
        );
        refused(
            b"\x01\x06\x01\x03u16",
            b"\x01\x09\x01\x03u16",
            &format!("it is a set of u16 here and a list of u16 there{KEEP}"),
        );
        refused(b"\x01\x0a\x01\x02u8", b"\x01\x0b\x01\x02u8", &format!("it is Rx<u8> here and Tx<u8> there{KEEP}"));
        refused(b"\x01\x0a\x01\x02u8", b"\x01\x0a\x01\x03u16", &format!("it's item is u16 here and u8 there{KEEP}"));
    }

    // proves: read.integers
    #[test]
    fn integers_become_wider_without_loss() {
        let all = ["u8", "u16", "u32", "u64", "u128", "i8", "i16", "i32", "i64", "i128"];
        let wider = all.iter().map(|from| all.iter().filter(|to| widens(from, to)).count());
        assert_eq!(wider.collect::<Vec<_>>(), [8, 6, 4, 2, 0, 4, 3, 2, 1, 0]);
        assert!(widens("u8", "i16") && widens("u64", "i128") && widens("i8", "i128"));
        assert!(!widens("i8", "u16") && !widens("u8", "i8") && !widens("u16", "u8") && !widens("u64", "i64"));
        assert!(!widens("f32", "f64") && !widens("bool", "u8") && !widens("char", "u32") && !widens("u", "u8"));
    }

    // proves: read.variants, read.common
    #[test]
    fn variants_go_by_their_names() {
        let (new_paid, more) =
            (b"\x01\x03\x02\x03New\x00\x04Paid\x00", b"\x01\x03\x03\x04Paid\x00\x07Waiting\x00\x03New\x00");
        accepted(new_paid, more);
        accepted(more, new_paid);
        refused(
            new_paid,
            b"\x01\x03\x01\x04Gone\x00",
            &format!("it is one of `Gone` here and an enum of `New`, `Paid` there{KEEP}"),
        );
        let (with, without) = (b"\x01\x03\x01\x01A\x01\x01x\x01\x02u8", b"\x01\x03\x01\x01A\x00");
        accepted(with, without);
        refused(
            without,
            with,
            "it::A.x is u8 here and missing there; this end must make it an `Option` or give it a default, `#[facet(default)]`",
        );
    }

    // proves: read.keys
    #[test]
    fn keys_lose_nothing() {
        let set = |point: &[u8]| [b"\x01\x09", &point[1..]].concat();
        let (point, x) = (set(POINT), set(b"\x01\x02\x01\x01x\x01\x03u64"));
        refused(
            &point,
            &x,
            "it[].y is missing here and u64 there; this end must keep it, for two keys could become one without it",
        );
        let map = |key: &[u8]| [b"\x01\x08", &key[2..], b"\x01\x02u8"].concat();
        refused(
            &map(&point),
            &map(&x),
            "it[key].y is missing here and u64 there; this end must keep it, for two keys could become one without it",
        );
    }

    #[test]
    fn items_are_read_by_the_end_that_does_not_send_them() {
        let (tx, rx) = (|item: &[u8]| [b"\x01\x0a", item].concat(), |item: &[u8]| [b"\x01\x0b", item].concat());
        let (narrow, wide) = (b"\x01\x02u8", b"\x01\x03u16");
        accepted(&rx(narrow), &rx(wide));
        refused(&rx(wide), &rx(narrow), &format!("it's item is u8 here and u16 there{KEEP}"));
        accepted(&tx(wide), &tx(narrow));
        refused(&tx(narrow), &tx(wide), &format!("it's item is u16 here and u8 there{KEEP}"));
        let (without, with) = (b"\x02\x00", b"\x02\x01\x01x\x01\x02u8");
        accepted(&tx(without), &tx(with));
        refused(
            &tx(with),
            &tx(without),
            "it's item.x is missing here and u8 there; the peer must make it an `Option` or give it a default, `#[facet(default)]`",
        );
    }

    // proves: read.keys
    #[test]
    fn channels_are_not_left_out() {
        let with = b"\x01\x02\x02\x01x\x01\x03u64\x01y\x04\x0a\x01\x02u8";
        refused(
            with,
            b"\x01\x02\x01\x01x\x01\x03u64",
            "it.y is missing here and Option<a channel> there; this end must keep it, for a channel has two ends",
        );
    }

    #[test]
    fn types_inside_themselves_are_judged_once() {
        let chain = b"\x01\x02\x02\x05value\x01\x02u8\x04next\x04\x0c\x00";
        let other = b"\x01\x02\x02\x05value\x01\x02u8\x04next\x06\x0c\x00";
        accepted(chain, chain);
        refused(
            chain,
            other,
            &format!("it.next is a list of a struct of 2 fields here and Option<a struct of 2 fields> there{KEEP}"),
        );
        // One turn of the chain written out: the same type.
        let unrolled = b"\x01\x02\x02\x05value\x01\x02u8\x04next\x04\x02\x02\x05value\x01\x02u8\x04next\x04\x0c\x02";
        accepted(chain, unrolled);
    }

    #[test]
    fn hostile_bytes_are_refused_and_cost_little() {
        #[track_caller]
        fn refused(theirs: &[u8], why: &str) {
            let fault = judged(theirs, POINT, &[], Writer::There).expect_err("no schema");
            assert!(fault.0.contains(why), "{fault:?}, without {why}");
        }
        refused(b"", "end too early");
        refused(b"\x02\x01\x02u8", "another version");
        refused(b"\x01\x0c\x00", "a type that has not begun");
        refused(b"\x01\x0d", "an unknown kind of type");
        refused(b"\x01\x02\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "a count of more");
        refused(b"\x01\x02\xff\xff\xff\xff\x0f", "a count of more");
        refused(b"\x01\x01\xff\xff\xff\xff\x0fx", "longer than the bytes");
        refused(b"\x01\x01\x02\xff\xfe", "not UTF-8");
        refused(&[POINT, b"\x00"].concat(), "bytes past the end");
        refused(&[b"\x01".as_slice(), &[6; 100_000]].concat(), "types more than 128 deep");
        let named = |n: usize, rest: &[u8]| -> Vec<u8> {
            (0..n).flat_map(|n| [b"\x04".as_slice(), format!("{n:04}").as_bytes(), rest].concat()).collect()
        };
        refused(&[b"\x01\x02\x90\x4e".as_slice(), &named(10_000, b"\x04\x01\x02u8")].concat(), "more than 4096 types");
        refused(
            &[b"\x01\x03\xa0\x9c\x01".as_slice(), &named(20_000, b"\x00")].concat(),
            "more than 16384 fields and variants",
        );
        refused(b"\x01\x02\x02\x01x\x01\x02u8\x01x\x01\x02u8", "two parts of one name");
        refused(b"\x01\x02\x01\x01x\x0c\x00", "a type that stands in itself without end");
        // Through a type that was read before: the cycle is not seen from above.
        let behind = b"\x01\x02\x02\x01a\x04\x02\x01\x01x\x0c\x00\x01b\x0c\x02";
        refused(behind, "a type that stands in itself without end");
    }

    /// Types inside each other, so many levels.
    fn nested(len: usize, last: &[u8]) -> Vec<u8> {
        [b"\x01".as_slice(), &b"\x06".repeat(len), last].concat()
    }

    #[test]
    fn rings_of_types_are_compared_in_each_way_once() {
        // They stand beside each other in each of 16,002 ways before they are known to be equal.
        let ring = |len| nested(len, b"\x0c\x00");
        accepted(&ring(127), &ring(126));
    }

    #[test]
    fn a_place_a_long_way_in_is_named_by_its_ends() {
        let place = format!("it{}…{}", "[]".repeat(15), "[]".repeat(16));
        refused(
            &nested(120, b"\x01\x02u8"),
            &nested(1, b"\x0c\x00"),
            &format!("{place} is a list of a list here and u8 there{KEEP}"),
        );
    }

    #[test]
    fn every_cut_and_every_flipped_byte_is_answered() {
        let chain = b"\x01\x02\x02\x05value\x01\x02u8\x04next\x04\x0c\x00".as_slice();
        for schema in [POINT, chain] {
            for cut in 0..schema.len() {
                assert!(judged(&schema[..cut], POINT, &[], Writer::There).is_err());
            }
            for at in 0..schema.len() {
                for flip in 1..=255 {
                    let mut other = schema.to_vec();
                    other[at] ^= flip;
                    let _ = judged(&other, schema, &[], Writer::There);
                    let _ = judged(schema, &other, &[], Writer::Here);
                }
            }
        }
    }
}
