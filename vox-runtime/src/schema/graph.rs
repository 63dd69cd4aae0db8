//! Types that refer to each other by index, and the one writer of their canonical bytes.
//!
//! The bytes start with [`VERSION`]. A type is a tag and what the tag needs; names and counts as the codec writes strings and
//! numbers:
//!
//! | tag | type | what follows |
//! |---|---|---|
//! | 1 | one with an encoding of its own | its name: `u8`, `string`, `bytes`, `Duration`, … |
//! | 2 | struct, tuple | how many fields; each one's name and type |
//! | 3 | enum | how many variants; each one's name, how many fields, each one's name and type |
//! | 4 | option | the content's type |
//! | 5 | result | the types of `Ok` and `Err` |
//! | 6 | list | the items' type |
//! | 7 | array | its length; the items' type |
//! | 8 | map | the types of keys and values |
//! | 9 | set | the items' type |
//! | 10, 11 | channel: `Tx`, `Rx` | the items' type |
//! | 12 | a type that came before | which one: all but those of tag 1 are numbered from 0, in the order in which they begin |
//!
//! What does not show in an encoding is left out: the names of types, boxes and shared owners. Two types that encode alike at every
//! depth, and whose reader does without the same fields, are one. So a type may be renamed, boxed, or taken apart into several and
//! has the same schema. Tag 12 makes the bytes finite for types inside themselves, and short for types that share much.

use std::collections::BTreeMap;

use super::types::{Container, Optional};

/// What the bytes of a schema start with.
const VERSION: u8 = 1;

/// Types by their indices.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Graph {
    nodes: Vec<Node>,
}

/// A type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    /// What its author calls it. Beside the schema, not in it.
    pub(crate) name: Option<String>,
    pub(crate) kind: NodeKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NodeKind {
    /// One with an encoding of its own, by the name of that.
    Named(String),
    Struct(Vec<NodeField>),
    Enum(Vec<NodeVariant>),
    Of(Container, Vec<usize>),
    Array(u64, usize),
    /// Its place is taken, and what it is comes later.
    Begun,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NodeVariant {
    pub(crate) name: String,
    pub(crate) fields: Vec<NodeField>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NodeField {
    pub(crate) name: String,
    pub(crate) ty: usize,
    /// The reader does without it.
    pub(crate) optional: bool,
}

impl Graph {
    /// Takes a place for a type, to which others can refer already.
    pub(crate) fn begin(&mut self, name: Option<String>) -> usize {
        self.add(name, NodeKind::Begun)
    }

    /// Says what a type is that has its place.
    pub(crate) fn fill(&mut self, at: usize, kind: NodeKind) {
        self.nodes[at].kind = kind;
    }

    /// Adds a type, and gives its index.
    pub(crate) fn add(&mut self, name: Option<String>, kind: NodeKind) -> usize {
        self.nodes.push(Node { name, kind });
        self.nodes.len() - 1
    }

    pub(crate) fn get(&self, at: usize) -> &Node {
        &self.nodes[at]
    }

    pub(crate) fn rename(&mut self, at: usize, name: String) {
        self.nodes[at].name = Some(name);
    }

    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Of each type, the number of those that it is one with.
    pub(crate) fn classes(&self) -> Vec<usize> {
        let looks = numbered(self.nodes.iter().map(Node::look));
        let mut classes = looks.clone();
        let mut count = 0;
        // Types that differ in what is in them differ.
        loop {
            let inside = |node: &Node| node.parts().into_iter().map(|part| classes[part]).collect::<Vec<_>>();
            classes = numbered(looks.iter().zip(&self.nodes).map(|(look, node)| (*look, inside(node))));
            let most = classes.iter().max().map_or(0, |most| most + 1);
            if most == count {
                return classes;
            }
            count = most;
        }
    }

    /// The canonical bytes of a type, and which of its fields the reader does without. `classes` are those of the graph.
    pub(crate) fn schema(&self, root: usize, classes: &[usize]) -> (Vec<u8>, Optional) {
        let mut writer = Writer {
            graph: self,
            classes,
            begun: BTreeMap::new(),
            out: vec![VERSION],
            fields: 0,
            optional: Vec::new(),
        };
        writer.ty(root);
        (writer.out, Optional::new(writer.optional))
    }
}

impl Node {
    /// What the type looks like without what is in it.
    fn look(&self) -> Vec<u8> {
        let mut out = vec![self.kind.tag()];
        let fields = |fields: &[NodeField], out: &mut Vec<u8>| {
            put_number(out, fields.len() as u64);
            for field in fields {
                put_text(out, &field.name);
                out.push(field.optional.into());
            }
        };
        match &self.kind {
            NodeKind::Named(name) => put_text(&mut out, name),
            NodeKind::Struct(of) => fields(of, &mut out),
            NodeKind::Enum(variants) => {
                put_number(&mut out, variants.len() as u64);
                for variant in variants {
                    put_text(&mut out, &variant.name);
                    fields(&variant.fields, &mut out);
                }
            }
            NodeKind::Array(len, _) => put_number(&mut out, *len),
            NodeKind::Of(..) | NodeKind::Begun => {}
        }
        out
    }

    /// The types that stand in it.
    pub(crate) fn parts(&self) -> Vec<usize> {
        match &self.kind {
            NodeKind::Struct(fields) => fields.iter().map(|field| field.ty).collect(),
            NodeKind::Enum(variants) => variants.iter().flat_map(|v| &v.fields).map(|field| field.ty).collect(),
            NodeKind::Of(_, parts) => parts.clone(),
            NodeKind::Array(_, item) => vec![*item],
            NodeKind::Named(_) | NodeKind::Begun => Vec::new(),
        }
    }
}

impl NodeKind {
    fn tag(&self) -> u8 {
        match self {
            Self::Begun => 0,
            Self::Named(_) => 1,
            Self::Struct(_) => 2,
            Self::Enum(_) => 3,
            Self::Of(Container::Option, _) => 4,
            Self::Of(Container::Result, _) => 5,
            Self::Of(Container::List, _) => 6,
            Self::Array(..) => 7,
            Self::Of(Container::Map, _) => 8,
            Self::Of(Container::Set, _) => 9,
            Self::Of(Container::Tx, _) => 10,
            Self::Of(Container::Rx, _) => 11,
        }
    }
}

/// A number for each, the same for those that are the same.
fn numbered<T: Ord>(of: impl Iterator<Item = T>) -> Vec<usize> {
    let mut numbers = BTreeMap::new();
    let number = |one| {
        let next = numbers.len();
        *numbers.entry(one).or_insert(next)
    };
    of.map(number).collect()
}

struct Writer<'a> {
    graph: &'a Graph,
    classes: &'a [usize],
    /// The numbers of the types that have begun, by class.
    begun: BTreeMap<usize, usize>,
    out: Vec<u8>,
    /// How many fields were written.
    fields: u32,
    /// The numbers of those that the reader does without.
    optional: Vec<u32>,
}

impl Writer<'_> {
    fn ty(&mut self, at: usize) {
        let kind = &self.graph.get(at).kind;
        if !matches!(kind, NodeKind::Named(_)) {
            let next = self.begun.len();
            let number = *self.begun.entry(self.classes[at]).or_insert(next);
            if number != next {
                self.out.push(12);
                return put_number(&mut self.out, number as u64);
            }
        }
        self.out.push(kind.tag());
        match kind {
            NodeKind::Named(name) => put_text(&mut self.out, name),
            NodeKind::Struct(fields) => self.fields(fields),
            NodeKind::Enum(variants) => {
                put_number(&mut self.out, variants.len() as u64);
                for variant in variants {
                    put_text(&mut self.out, &variant.name);
                    self.fields(&variant.fields);
                }
            }
            NodeKind::Of(_, parts) => parts.iter().for_each(|part| self.ty(*part)),
            NodeKind::Array(len, item) => {
                put_number(&mut self.out, *len);
                self.ty(*item);
            }
            NodeKind::Begun => {}
        }
    }

    fn fields(&mut self, fields: &[NodeField]) {
        put_number(&mut self.out, fields.len() as u64);
        for field in fields {
            put_text(&mut self.out, &field.name);
            if field.optional {
                self.optional.push(self.fields);
            }
            self.fields += 1;
            self.ty(field.ty);
        }
    }
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_number(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}
