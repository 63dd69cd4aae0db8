//! Whether one end can read what the other writes, where their types differ: if not, the first place where it cannot, in
//! words for a person, and which end has to change.
//!
//! What is accepted: fields in another order, fields that the reader does not have, fields that the writer does not have and
//! the reader can do without; variants in another order, and such as only one of the two has; integers that the reader has
//! wider. Everything else is refused. One of the two may be a peer's, so the work is bounded by [`MAX_PAIRS`].

mod finding;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

pub(crate) use finding::{Event, Finding, Stay, Writer};

use finding::{Noted, place_of};

use super::cursor::SchemaFault;
use super::types::{Container, Field, Optional, Type, Types, Variant};
use crate::escaped::Escaped;

/// How many pairs of types are compared, at most.
const MAX_PAIRS: usize = 16 << 10;

/// A type as one end knows it: its schema, and what that end can do without when it reads it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) schema: &'a [u8],
    pub(super) optional: &'a Optional,
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

#[cfg(test)]
mod tests;
