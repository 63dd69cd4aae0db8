//! A value for which a change goes wrong, and what the other end says to it.
//!
//! The value is read by the plan that the other end would have for it, and what that says is what is told. Where a plan could be made and
//! the rules refuse, it is what the rules say.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use bytes::Bytes;

use super::names::Names;
use crate::codec::read_as;
use crate::escaped::Escaped;
use crate::schema::{Container, Event, Field, Finding, Graph, NodeField, NodeKind, NodeVariant, Type, Types};

/// How many types and parts a value may have.
const MAX_PARTS: usize = 4096;

/// A value that one end writes and the other does not read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Witness {
    /// The value, for a person.
    pub value: String,
    /// The value, as it is written.
    pub bytes: Vec<u8>,
    /// What the other end says.
    pub says: String,
}

/// A step from a type to one that stands in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The variant, for an enum, and the number of the field.
    Field(usize, usize),
    Part(usize),
}

impl Witness {
    /// For a finding that keeps the reader from reading the type, or a value of it. `refusal`: the words for the former.
    pub(super) fn of(finding: &Finding<'_>, names: &Names, graph: &Graph, refusal: Option<&str>) -> Option<Self> {
        let (written, read) = (finding.written.0, finding.read.0);
        let mut way: VecDeque<_> = way_to(written, finding.written.1)?.into();
        // An item is a value by itself.
        let (mut root, mut beside) = (0, Some(0));
        let is_channel = |at: usize| matches!(written.get(at), Type::Of(Container::Tx | Container::Rx, _));
        let mut at = 0;
        for (number, step) in way.clone().into_iter().enumerate() {
            let inside = inside(written, at, step)?;
            beside = beside.and_then(|other| counterpart(read, other, written, at, step));
            if is_channel(at) {
                root = inside;
                way = way_to(written, finding.written.1)?.into_iter().skip(number + 1).collect();
                break;
            }
            at = inside;
        }
        if root == 0 {
            beside = Some(0);
        }
        let variant = match finding.event {
            Event::Unknown { variant } => Some(variant),
            _ => finding.variant,
        };
        let missing = match finding.event {
            Event::Missing { field, has_default: false } => Some(field.name),
            _ => None,
        };
        let mut maker = Maker {
            written,
            read,
            names,
            graph,
            heights: heights(written),
            target: finding.written.1,
            variant,
            missing,
            parts: 0,
            bytes: Vec::new(),
            stand_ins: (Graph::default(), Graph::default()),
        };
        let (value, w, r) = maker.value(root, beside, &mut way)?;
        let (bytes, stand_ins) = (maker.bytes, maker.stand_ins);
        // What the plan of the other end does not mind, the rules may: two keys could become one.
        let frame = Bytes::copy_from_slice(&bytes);
        let read = r.and_then(|r| read_as(&frame, (&stand_ins.0, w), (&stand_ins.1, r)));
        let says = read.and_then(Result::err).or_else(|| refusal.map(str::to_owned))?;
        Some(Self { value, bytes, says })
    }
}

/// The steps from the root to a type: the fewest.
fn way_to(types: &Types<'_>, target: usize) -> Option<Vec<Step>> {
    let mut from: BTreeMap<usize, (usize, Step)> = BTreeMap::new();
    let mut todo = VecDeque::from([0]);
    while let Some(at) = todo.pop_front() {
        if at == target {
            break;
        }
        for step in steps(types, at) {
            let Some(inside) = inside(types, at, step) else { continue };
            if inside != 0 && !from.contains_key(&inside) {
                from.insert(inside, (at, step));
                todo.push_back(inside);
            }
        }
    }
    let (mut way, mut at) = (Vec::new(), target);
    while at != 0 {
        let (before, step) = from.get(&at)?;
        way.push(*step);
        at = *before;
    }
    way.reverse();
    Some(way)
}

fn steps(types: &Types<'_>, at: usize) -> Vec<Step> {
    match types.get(at) {
        Type::Struct(fields) => (0..fields.len()).map(|field| Step::Field(0, field)).collect(),
        Type::Enum(variants) => {
            let of = |(number, count)| (0..count).map(move |field| Step::Field(number, field));
            variants.iter().map(|variant| variant.fields.len()).enumerate().flat_map(of).collect()
        }
        Type::Of(_, parts) => (0..parts.len()).map(Step::Part).collect(),
        Type::Array(len, _) if *len > 0 => vec![Step::Part(0)],
        Type::Array(..) | Type::Named(_) | Type::Begun => Vec::new(),
    }
}

/// The type that a step leads to.
fn inside(types: &Types<'_>, at: usize, step: Step) -> Option<usize> {
    match (types.get(at), step) {
        (Type::Struct(fields), Step::Field(_, field)) => Some(fields.get(field)?.ty),
        (Type::Enum(variants), Step::Field(variant, field)) => Some(variants.get(variant)?.fields.get(field)?.ty),
        (Type::Of(_, parts), Step::Part(part)) => parts.get(part).copied(),
        (Type::Array(_, item), Step::Part(_)) => Some(*item),
        _ => None,
    }
}

/// The type of the reader's that is beside the one that a step leads to.
fn counterpart(read: &Types<'_>, other: usize, written: &Types<'_>, at: usize, step: Step) -> Option<usize> {
    let by_name =
        |fields: &[Field<'_>], name: &str| fields.iter().find(|field| field.name == name).map(|field| field.ty);
    match (written.get(at), read.get(other), step) {
        (Type::Struct(w), Type::Struct(r), Step::Field(_, field)) => by_name(r, w.get(field)?.name),
        (Type::Enum(w), Type::Enum(r), Step::Field(variant, field)) => {
            let w = w.get(variant)?;
            by_name(&r.iter().find(|r| r.name == w.name)?.fields, w.fields.get(field)?.name)
        }
        (Type::Of(_, _), Type::Of(_, r), Step::Part(part)) => r.get(part).copied(),
        (Type::Array(..), Type::Array(_, item), Step::Part(_)) => Some(*item),
        _ => None,
    }
}

/// How deep the least deep value of each type is.
fn heights(types: &Types<'_>) -> Vec<usize> {
    let mut heights = vec![usize::MAX; types.len()];
    loop {
        let before = heights.clone();
        for (at, height) in heights.iter_mut().enumerate() {
            let fields = |fields: &[Field<'_>]| fields.iter().map(|field| before[field.ty]).max().unwrap_or(0);
            *height = match types.get(at) {
                Type::Named("Infallible") | Type::Begun => usize::MAX,
                Type::Struct(of) => fields(of).saturating_add(1),
                Type::Enum(variants) => {
                    variants.iter().map(|v| fields(&v.fields)).min().unwrap_or(usize::MAX).saturating_add(1)
                }
                Type::Of(Container::Result, parts) => before[parts[0]].min(before[parts[1]]).saturating_add(1),
                Type::Array(len, item) if *len > 0 => before[*item].saturating_add(1),
                Type::Named(_) | Type::Of(..) | Type::Array(..) => 0,
            };
        }
        if heights == before {
            return heights;
        }
    }
}

/// Makes a value: its text and its bytes, and types that stand in for those of both ends, of that value alone: what may be there or not is
/// an enum of the two, which is written alike.
struct Maker<'a, 't> {
    written: &'t Types<'t>,
    read: &'t Types<'t>,
    names: &'a Names,
    graph: &'a Graph,
    heights: Vec<usize>,
    target: usize,
    variant: Option<&'t str>,
    /// The field that the reader cannot do without.
    missing: Option<&'t str>,
    parts: usize,
    bytes: Vec<u8>,
    stand_ins: (Graph, Graph),
}

/// The text of a value, the type that stands in for the writer's, and the one for the reader's, if it has one there.
type Made = (String, usize, Option<usize>);

impl Maker<'_, '_> {
    fn value(&mut self, at: usize, beside: Option<usize>, way: &mut VecDeque<Step>) -> Option<Made> {
        self.parts += 1;
        if self.parts > MAX_PARTS {
            return None;
        }
        let step = way.pop_front();
        let wanted = self.variant.filter(|_| step.is_none() && at == self.target);
        match self.written.get(at) {
            Type::Named(name) => {
                let text = sample(name, &mut self.bytes)?;
                let named = |name: &str| NodeKind::Named(name.to_owned());
                let other = match beside.map(|other| self.read.get(other)) {
                    Some(Type::Named(name)) => Some(self.stand_ins.1.add(None, named(name))),
                    _ => None,
                };
                Some((text.to_owned(), self.stand_ins.0.add(None, named(name)), other))
            }
            Type::Struct(fields) => {
                let (text, w, r) = self.fields(fields, 0, at, beside, step, way)?;
                let name = self.names.name(self.graph, at).unwrap_or_default();
                let r = r.map(|fields| self.stand_ins.1.add(None, NodeKind::Struct(fields)));
                Some((format!("{}{text}", Escaped::name(name)), self.stand_ins.0.add(None, NodeKind::Struct(w)), r))
            }
            Type::Enum(variants) => {
                let by_step = match step {
                    Some(Step::Field(variant, _)) => Some(variant),
                    _ => variants.iter().position(|variant| Some(variant.name) == wanted),
                };
                let height = |number: &usize| variants[*number].fields.iter().map(|f| self.heights[f.ty]).max();
                let chosen = by_step.or_else(|| (0..variants.len()).min_by_key(height))?;
                put(&mut self.bytes, chosen as u128);
                let variant = &variants[chosen];
                let (text, w, r) = self.fields(&variant.fields, chosen, at, beside, step, way)?;
                let name = self.names.name(self.graph, at).map(|name| format!("{}::", Escaped::name(name)));
                let text = if variant.fields.is_empty() { String::new() } else { text };
                let text = format!("{}{}{text}", name.unwrap_or_default(), Escaped::name(variant.name));
                let chosen_name = variant.name;
                let stand_in = |name: &str, fields: &[NodeField]| {
                    let fields = if name == chosen_name { fields.to_vec() } else { Vec::new() };
                    NodeVariant { name: name.to_owned(), fields }
                };
                let kind = NodeKind::Enum(variants.iter().map(|variant| stand_in(variant.name, &w)).collect());
                let other = match beside.map(|other| self.read.get(other)) {
                    Some(Type::Enum(others)) => {
                        let fields = r.unwrap_or_default();
                        let kind = others.iter().map(|variant| stand_in(variant.name, &fields)).collect();
                        let name = self.names.name(self.graph, at).map(str::to_owned);
                        Some(self.stand_ins.1.add(name, NodeKind::Enum(kind)))
                    }
                    _ => None,
                };
                Some((text, self.stand_ins.0.add(None, kind), other))
            }
            Type::Of(container, parts) => self.container(*container, parts, at, beside, step, way),
            Type::Array(len, item) => {
                let (mut texts, mut w, mut r) = (Vec::new(), Vec::new(), Vec::new());
                let beside = beside.and_then(|other| counterpart(self.read, other, self.written, at, Step::Part(0)));
                for number in 0..*len {
                    let mut own = if number == 0 { std::mem::take(way) } else { VecDeque::new() };
                    let (text, a, b) = self.value(*item, beside, &mut own)?;
                    texts.push(text);
                    let field = |ty| NodeField { name: number.to_string(), ty, optional: false };
                    w.push(field(a));
                    r.extend(b.map(field));
                }
                let r = beside.map(|_| self.stand_ins.1.add(None, NodeKind::Struct(r)));
                let w = self.stand_ins.0.add(None, NodeKind::Struct(w));
                Some((format!("[{}]", texts.join(", ")), w, r))
            }
            Type::Begun => None,
        }
    }

    /// The fields of a struct, or of a variant. The reader's that are not sent are left out: it makes them itself.
    fn fields(
        &mut self,
        fields: &[Field<'_>],
        variant: usize,
        at: usize,
        beside: Option<usize>,
        step: Option<Step>,
        way: &mut VecDeque<Step>,
    ) -> Option<(String, Vec<NodeField>, Option<Vec<NodeField>>)> {
        let (mut texts, mut w, mut r) = (Vec::new(), Vec::new(), Vec::new());
        for (number, field) in fields.iter().enumerate() {
            let this = Step::Field(variant, number);
            let mut own = if step == Some(this) { std::mem::take(way) } else { VecDeque::new() };
            let other = beside.and_then(|other| counterpart(self.read, other, self.written, at, this));
            let (text, a, b) = self.value(field.ty, other, &mut own)?;
            let name = Escaped::name(field.name);
            texts.push(if field.name == number.to_string() { text } else { format!("{name}: {text}") });
            let field = |ty| NodeField { name: field.name.to_owned(), ty, optional: false };
            w.push(field(a));
            r.extend(b.map(field));
        }
        if let Some(name) = self.missing
            && at == self.target
            && step.is_none()
        {
            let ty = self.stand_ins.1.add(None, NodeKind::Named("u8".to_owned()));
            r.push(NodeField { name: name.to_owned(), ty, optional: false });
        }
        let is_tuple = fields.first().is_some_and(|field| field.name == "0") || fields.is_empty();
        let texts = texts.join(", ");
        let text = if is_tuple { format!("({texts})") } else { format!(" {{ {texts} }}") };
        Some((text, w, beside.map(|_| r)))
    }

    fn container(
        &mut self,
        container: Container,
        parts: &[usize],
        at: usize,
        beside: Option<usize>,
        step: Option<Step>,
        way: &mut VecDeque<Step>,
    ) -> Option<Made> {
        let is_result = container == Container::Result;
        let by_step = match step {
            Some(Step::Part(part)) if is_result => Some(part),
            Some(_) => Some(1),
            None if is_result => Some(usize::from(self.heights[parts[0]] > self.heights[parts[1]])),
            None => Some(0),
        };
        let chosen = by_step?;
        // How many there are, or which of the two it is.
        put(&mut self.bytes, chosen as u128);
        let inside: Vec<usize> = match (is_result, chosen) {
            (true, part) => vec![part],
            (false, 0) => Vec::new(),
            (false, _) => (0..parts.len()).collect(),
        };
        let (mut texts, mut w, mut r) = (Vec::new(), Vec::new(), Vec::new());
        for part in inside {
            let mut own = if step == Some(Step::Part(part)) { std::mem::take(way) } else { VecDeque::new() };
            let other = beside.and_then(|other| counterpart(self.read, other, self.written, at, Step::Part(part)));
            let (text, a, b) = self.value(parts[part], other, &mut own)?;
            texts.push(text);
            let field = |ty| NodeField { name: part.to_string(), ty, optional: false };
            w.push(field(a));
            r.extend(b.map(field));
        }
        let variants = |fields: Vec<NodeField>| {
            let variant = |number: usize| NodeVariant {
                name: number.to_string(),
                fields: if number == chosen { fields.clone() } else { Vec::new() },
            };
            NodeKind::Enum(vec![variant(0), variant(1)])
        };
        let w = self.stand_ins.0.add(None, variants(w));
        let r = beside.map(|_| self.stand_ins.1.add(None, variants(r)));
        let inside = texts.join(": ");
        let text = match (container, chosen) {
            (Container::Option, 0) => "None".to_owned(),
            (Container::Option, _) => format!("Some({inside})"),
            (Container::Result, 0) => format!("Ok({inside})"),
            (Container::Result, _) => format!("Err({inside})"),
            (Container::Map | Container::Set, _) => format!("{{{inside}}}"),
            (Container::List, _) => format!("[{inside}]"),
            // Which half it is, and so its bytes, is known when the call is made.
            (Container::Tx | Container::Rx, _) => return None,
        };
        Some((text, w, r))
    }
}

/// A value of a type with an encoding of its own: its bytes, and its text.
fn sample(name: &str, out: &mut Vec<u8>) -> Option<&'static str> {
    // As the number in them is written.
    let inside = ["NonZero<", "OrderedFloat<", "NotNan<"].iter().find_map(|outer| name.strip_prefix(outer));
    if let Some(number) = inside.and_then(|rest| rest.strip_suffix('>')) {
        return sample(number, out);
    }
    let (text, bytes): (_, &[u8]) = match name {
        "bool" => ("true", &[1]),
        "char" => ("'a'", &[1, b'a']),
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" | "i8" => ("7", &[7]),
        "i16" | "i32" | "i64" | "i128" | "isize" => ("7", &[14]),
        "f32" => ("1.5", &[0, 0, 0xc0, 0x3f]),
        "f64" => ("1.5", &[0, 0, 0, 0, 0, 0, 0xf8, 0x3f]),
        "string" => ("\"\"", &[0]),
        "bytes" => ("[]", &[0]),
        "Duration" => ("1.5s", &[1, 0x80, 0xca, 0xb5, 0xee, 0x01]),
        "TimeDelta" => ("7s", &[14, 0]),
        "Ipv4Addr" => ("127.0.0.1", &[127, 0, 0, 1]),
        "Ipv6Addr" => ("::", &[0; 16]),
        "IpAddr" => ("127.0.0.1", &[0, 127, 0, 0, 1]),
        "SocketAddrV4" => ("127.0.0.1:80", &[127, 0, 0, 1, 80]),
        "SocketAddrV6" => ("[::]:0", &[0; 17]),
        "SocketAddr" => ("127.0.0.1:80", &[0, 127, 0, 0, 1, 80]),
        "Host" => ("127.0.0.1", &[1, 127, 0, 0, 1]),
        "Uuid" => ("00000000-0000-0000-0000-000000000000", &[16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        "Ulid" => ("01ARZ3NDEKTSV4RRFFQ69G5FAV", b"\x1a01ARZ3NDEKTSV4RRFFQ69G5FAV"),
        "DateTime" | "Timestamp" => ("2027-01-31T00:00:00Z", b"\x142027-01-31T00:00:00Z"),
        "Zoned" => ("2027-01-31T00:00:00+00:00[UTC]", b"\x1e2027-01-31T00:00:00+00:00[UTC]"),
        "NaiveDateTime" | "civil.DateTime" => ("2027-01-31T12:30:00", b"\x132027-01-31T12:30:00"),
        "NaiveDate" | "civil.Date" => ("2027-01-31", b"\x0a2027-01-31"),
        "NaiveTime" | "civil.Time" => ("12:30:00", b"\x0812:30:00"),
        // The year, and the day of the year.
        "time.UtcDateTime" => ("2027-01-31T00:00:00Z", &[0xd6, 0x1f, 31, 0, 0, 0, 0]),
        "time.OffsetDateTime" => ("2027-01-31T00:00:00Z", &[0xd6, 0x1f, 31, 0, 0, 0, 0, 0, 0, 0]),
        "Url" => ("x:y", b"\x03x:y"),
        "Version" => ("1.2.3", b"\x051.2.3"),
        "VersionReq" => ("^1.2.3", b"\x06^1.2.3"),
        "Decimal" => ("1.5", b"\x031.5"),
        _ => return None,
    };
    out.extend_from_slice(bytes);
    Some(text)
}

fn put(out: &mut Vec<u8>, mut number: u128) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`, written as", self.value)?;
        for byte in &self.bytes {
            write!(f, " {byte:02x}")?;
        }
        write!(f, ": {}", self.says)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::leaf_names;

    #[test]
    fn every_type_with_an_encoding_of_its_own_has_a_value_to_show() {
        let numbers =
            ["bool", "char", "u8", "u16", "u32", "u64", "u128", "i8", "i16", "i32", "i64", "i128", "f32", "f64"];
        for name in leaf_names().into_iter().chain(numbers).filter(|name| *name != "Infallible") {
            let mut bytes = Vec::new();
            let text = sample(name, &mut bytes).unwrap_or_else(|| panic!("`{name}` has none"));
            let mut graph = Graph::default();
            let at = graph.add(None, NodeKind::Named(name.to_owned()));
            assert_eq!(read_as(&bytes.into(), (&graph, at), (&graph, at)), Some(Ok(())), "`{name}`: {text}");
        }
    }
}
