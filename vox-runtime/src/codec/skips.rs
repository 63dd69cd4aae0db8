//! Skips the bytes of values that the sender has and this end does not.
//!
//! The types come from a peer's schema and the bytes from the peer. Each step consumes a byte or ends a group that did, so the
//! work is bounded by the frame; what is open at once is bounded by [`MAX_OPEN`]; nothing is allocated by a number of the peer's.

use super::description::Scalar;
use super::leaf::{self, BYTES, LeafOps, STRING};
use super::translation::scalar_named;
use super::weight::{Weight, many};
use super::{Budget, DecodeError, DecodeErrorKind, Decoder};
use crate::schema::{Container, Field, Type, Types};

/// How to pass over values of the types of one schema.
#[derive(Default)]
pub(super) struct Skips {
    nodes: Box<[Node]>,
    /// What groups are made of, those without bytes left out.
    parts: Box<[u32]>,
}

/// Parts, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) from: u32,
    pub(super) to: u32,
}

/// How to pass over one value.
enum Node {
    /// A number of this many bits.
    Number(u32),
    /// So many bytes.
    Fixed(usize),
    /// A length, and so many bytes.
    Prefixed,
    Leaf(&'static LeafOps),
    Group(Run),
    Variants(Box<[Run]>),
    Option(Run),
    /// A count, and so many groups.
    Many(Run),
    Array(u64, Run),
    /// The number of a channel.
    Channel,
    /// Of a type that this end does not know.
    Unknown,
}

/// How many groups may be open at once.
const MAX_OPEN: usize = 1024;

/// What is known of the types of a schema before any of them is passed over.
pub(crate) struct Lens {
    /// The fewest bytes that an encoding takes, or less.
    pub(crate) min: Vec<usize>,
    /// Whether an encoding takes no bytes, whatever the value.
    pub(super) is_nothing: Vec<bool>,
}

impl Lens {
    pub(crate) fn of(types: &Types<'_>) -> Self {
        let mut lens = Self { min: vec![0; types.len()], is_nothing: vec![false; types.len()] };
        for at in 0..types.len() {
            lens.min[at] = match types.get(at) {
                Type::Named(name) => match scalar_named(name) {
                    Some(Scalar::F32) => 4,
                    Some(Scalar::F64) => 8,
                    Some(Scalar::Char) => 2,
                    Some(_) => 1,
                    None if [STRING, BYTES].contains(name) => 1,
                    None => leaf::leaf_named(name).map_or(0, |ops| ops.min),
                },
                Type::Enum(_) | Type::Of(..) => 1,
                Type::Struct(_) | Type::Array(..) | Type::Begun => 0,
            };
        }
        // Each after what stands in it.
        for &at in types.solid() {
            (lens.min[at], lens.is_nothing[at]) = match types.get(at) {
                Type::Struct(fields) => lens.sum(fields),
                Type::Array(len, item) => {
                    let times = usize::try_from(*len).unwrap_or(usize::MAX);
                    (lens.min[*item].saturating_mul(times), *len == 0 || lens.is_nothing[*item])
                }
                Type::Named(_) | Type::Enum(_) | Type::Of(..) | Type::Begun => continue,
            };
        }
        lens
    }

    /// The same of these together.
    fn sum(&self, fields: &[Field<'_>]) -> (usize, bool) {
        let min = fields.iter().fold(0usize, |sum, field| sum.saturating_add(self.min[field.ty]));
        (min, fields.iter().all(|field| self.is_nothing[field.ty]))
    }
}

/// The runs of the fields of structs and variants.
pub(super) struct Runs {
    /// By type; of an enum, one for each variant.
    by_type: Vec<Box<[Run]>>,
}

impl Runs {
    /// The parts of a struct, or of a variant of an enum.
    pub(super) fn get(&self, at: usize, variant: usize) -> Run {
        self.by_type[at].get(variant).copied().unwrap_or(Run { from: 0, to: 0 })
    }
}

impl Skips {
    pub(super) fn of(types: &Types<'_>, lens: &Lens) -> (Self, Runs) {
        let mut parts: Vec<u32> = Vec::new();
        let mut group = |of: &mut dyn Iterator<Item = usize>| {
            let from = parts.len() as u32;
            parts.extend(of.filter(|part| !lens.is_nothing[*part]).map(|part| part as u32));
            Run { from, to: parts.len() as u32 }
        };
        let mut nodes = Vec::with_capacity(types.len());
        let mut by_type = Vec::with_capacity(types.len());
        for at in 0..types.len() {
            let mut runs = Vec::new();
            nodes.push(match types.get(at) {
                Type::Named(name) => named(name),
                Type::Struct(fields) => {
                    runs.push(group(&mut fields.iter().map(|field| field.ty)));
                    Node::Group(runs[0])
                }
                Type::Enum(variants) => {
                    runs.extend(variants.iter().map(|v| group(&mut v.fields.iter().map(|field| field.ty))));
                    Node::Variants(runs.clone().into())
                }
                Type::Of(Container::Option, of) => Node::Option(group(&mut of.iter().copied())),
                Type::Of(Container::Result, of) => {
                    let each = of.iter().map(|part| group(&mut std::iter::once(*part)));
                    Node::Variants(each.collect())
                }
                Type::Of(Container::List | Container::Map | Container::Set, of) => {
                    Node::Many(group(&mut of.iter().copied()))
                }
                Type::Array(1, item) => Node::Group(group(&mut std::iter::once(*item))),
                Type::Array(len, item) => Node::Array(*len, group(&mut std::iter::once(*item))),
                Type::Of(Container::Tx | Container::Rx, _) => Node::Channel,
                Type::Begun => Node::Unknown,
            });
            by_type.push(runs.into());
        }
        // A struct of one part is that part, so that passing over it is one step.
        for &at in types.solid() {
            if let Node::Group(Run { from, to }) = nodes[at]
                && to == from + 1
                && let Node::Group(inner) = nodes[parts[from as usize] as usize]
                && inner.to == inner.from + 1
            {
                parts[from as usize] = parts[inner.from as usize];
            }
        }
        (Self { nodes: nodes.into(), parts: parts.into() }, Runs { by_type })
    }

    /// What it takes.
    pub(super) fn bytes(&self) -> usize {
        let runs = |node: &Node| match node {
            Node::Variants(runs) => many::<Run>(runs.len()),
            _ => 0,
        };
        let runs: usize = self.nodes.iter().map(runs).sum();
        many::<Node>(self.nodes.len()) + many::<u32>(self.parts.len()) + runs
    }

    /// A part of the run that cannot be passed over: the index of its type. `channels`: they can be.
    pub(super) fn obstacle(&self, run: Run, channels: bool) -> Option<usize> {
        let mut seen = vec![false; self.nodes.len()];
        let mut todo: Vec<Run> = vec![run];
        while let Some(Run { from, to }) = todo.pop() {
            for &part in &self.parts[from as usize..to as usize] {
                if std::mem::replace(&mut seen[part as usize], true) {
                    continue;
                }
                match &self.nodes[part as usize] {
                    Node::Channel if channels => {}
                    Node::Channel | Node::Unknown => return Some(part as usize),
                    Node::Group(run) | Node::Option(run) | Node::Many(run) | Node::Array(_, run) => todo.push(*run),
                    Node::Variants(runs) => todo.extend(runs),
                    Node::Number(_) | Node::Fixed(_) | Node::Prefixed | Node::Leaf(_) => {}
                }
            }
        }
        None
    }

    /// Passes over the parts of a run.
    pub(super) fn skip(&self, run: Run, from: &mut Decoder<'_>) -> Result<(), DecodeError> {
        /// Parts that are still to be passed over.
        struct Open {
            run: Run,
            next: u32,
            /// How often again.
            again: u64,
        }
        let mut open: Vec<Open> = Vec::new();
        let mut now = Open { run, next: run.from, again: 0 };
        loop {
            if now.next == now.run.to {
                if now.again > 0 {
                    now.again -= 1;
                    now.next = now.run.from;
                } else if let Some(outer) = open.pop() {
                    now = outer;
                } else {
                    return Ok(());
                }
                continue;
            }
            let node = &self.nodes[self.parts[now.next as usize] as usize];
            now.next += 1;
            let (inner, times) = match node {
                Node::Number(bits) => {
                    from.varint_of(*bits)?;
                    continue;
                }
                Node::Fixed(len) => {
                    from.pass(*len)?;
                    continue;
                }
                Node::Prefixed => {
                    from.bytes()?;
                    continue;
                }
                Node::Leaf(ops) => {
                    // What it made is gone again.
                    let budget = from.budget;
                    (ops.measure)(from)?;
                    from.budget = budget;
                    continue;
                }
                Node::Group(run) => (*run, 1),
                Node::Variants(runs) => {
                    let index = from.varint_of(u32::BITS)? as u32;
                    let run = runs.get(index as usize);
                    (*run.ok_or_else(|| from.error(DecodeErrorKind::BadVariant(index)))?, 1)
                }
                Node::Option(run) => match from.byte()? {
                    0 => continue,
                    1 => (*run, 1),
                    _ => return Err(from.error(DecodeErrorKind::BadOption)),
                },
                Node::Many(run) => {
                    let (count, limit) = (from.varint()?, Budget::EMPTY_ITEMS);
                    if run.from == run.to && count > limit as u64 {
                        return Err(from.error(DecodeErrorKind::TooManyEmptyItems { count, limit }));
                    }
                    (*run, count)
                }
                Node::Array(len, run) => (*run, *len),
                Node::Channel => {
                    from.varint_of(u32::BITS)?;
                    continue;
                }
                // No plan is made that comes here.
                Node::Unknown => return Err(from.error(DecodeErrorKind::BadValue("type"))),
            };
            if inner.from == inner.to || times == 0 {
                continue;
            }
            let within = Open { run: inner, next: inner.from, again: times - 1 };
            let outer = std::mem::replace(&mut now, within);
            if outer.next != outer.run.to || outer.again > 0 {
                if open.len() >= MAX_OPEN {
                    return Err(from.error(DecodeErrorKind::TooDeep { limit: MAX_OPEN as u32 }));
                }
                open.push(outer);
            }
        }
    }
}

/// How to pass over a value of a schema's type.
pub(crate) struct Passing {
    skips: Skips,
    run: Run,
}

impl Passing {
    /// `Err`: why that cannot be. It adds what it takes to `weight`.
    pub(crate) fn of(types: &Types<'_>, weight: &Weight) -> Result<Self, String> {
        let lens = Lens::of(types);
        let (mut skips, _) = Skips::of(types, &lens);
        let from = skips.parts.len() as u32;
        let run = Run { from, to: from + u32::from(!lens.is_nothing[0]) };
        if !lens.is_nothing[0] {
            skips.parts = skips.parts.iter().copied().chain([0]).collect();
        }
        match skips.obstacle(run, true) {
            Some(at) => Err(format!("it would have to pass over {}, which it does not know", types.words(at))),
            None => {
                weight.add(skips.bytes());
                Ok(Self { skips, run })
            }
        }
    }

    pub(crate) fn pass(&self, from: &mut Decoder<'_>) -> Result<(), DecodeError> {
        self.skips.skip(self.run, from)
    }
}

fn named(name: &str) -> Node {
    match scalar_named(name) {
        Some(Scalar::Bool | Scalar::U8 | Scalar::I8) => Node::Fixed(1),
        Some(Scalar::F32) => Node::Fixed(4),
        Some(Scalar::F64) => Node::Fixed(8),
        Some(Scalar::Char) => Node::Prefixed,
        Some(Scalar::U16 | Scalar::I16) => Node::Number(16),
        Some(Scalar::U32 | Scalar::I32) => Node::Number(32),
        Some(Scalar::U64 | Scalar::I64 | Scalar::Usize | Scalar::Isize) => Node::Number(64),
        Some(Scalar::U128 | Scalar::I128) => Node::Number(128),
        None if [STRING, BYTES].contains(&name) => Node::Prefixed,
        None => leaf::leaf_named(name).map_or(Node::Unknown, Node::Leaf),
    }
}
