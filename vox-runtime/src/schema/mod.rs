//! Schemas: what a type's encoding looks like, in bytes of their own, and a hash that two peers or two versions of one
//! program can compare.
//!
//! Data alone: a schema is made where types are read, in the codec.

mod contract;
mod contract_cache;
mod cursor;
mod graph;
mod judge;
mod types;

use std::fmt;
use std::sync::Arc;

use judge::Known;

use crate::escaped::hex;

#[cfg(test)]
pub(crate) use contract::judged_alone;
pub(crate) use contract::{Argument, Contract, Described, Difference, Method};
pub(crate) use contract_cache::Heard;
pub(crate) use cursor::SchemaFault;
pub(crate) use graph::{Graph, NodeField, NodeKind, NodeVariant};
pub(crate) use judge::{Event, Finding, Stay, Writer, widens};
pub(crate) use types::{Container, Field, Optional, Type, Types, Variant};

/// What a type's encoding looks like, in canonical bytes. Cheap to clone.
#[derive(Clone)]
pub struct Schema(Arc<Content>);

struct Content {
    hash: SchemaHash,
    bytes: Arc<[u8]>,
    /// What a reader of the type does without. It shows in no encoding, so it is no part of what the schema is.
    optional: Optional,
}

impl Schema {
    /// The schema of these canonical bytes.
    pub fn from_bytes(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self::of_reader(bytes, Optional::default())
    }

    /// The schema of a type of this process, which it reads without these fields where they are not written.
    pub(crate) fn of_reader(bytes: impl Into<Arc<[u8]>>, optional: Optional) -> Self {
        let bytes = bytes.into();
        Self(Arc::new(Content { hash: SchemaHash(*blake3::hash(&bytes).as_bytes()), bytes, optional }))
    }

    /// What names it.
    pub fn hash(&self) -> SchemaHash {
        self.0.hash
    }

    /// Its canonical bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0.bytes
    }

    /// Whether this, the schema of a type of this process, can read what was written by the other: the type is the same, or
    /// has changed in ways that are translated.
    pub fn reads(&self, written: &Self) -> bool {
        self == written || self.refusal("it", written).is_none()
    }

    /// Why this, the schema of a type of this process, cannot read what was written by the other, beginning at `place`; `None`: it can.
    pub(crate) fn refusal(&self, place: &str, written: &Self) -> Option<String> {
        let none = Optional::default();
        let read = Known { schema: self.bytes(), optional: &self.0.optional };
        let judged = judge::refusal(place, Known { schema: written.bytes(), optional: &none }, read, Writer::There);
        judged.unwrap_or_else(|SchemaFault(fault)| Some(format!("its description cannot be read: {fault}")))
    }
}

impl PartialEq for Schema {
    fn eq(&self, other: &Self) -> bool {
        self.hash() == other.hash()
    }
}

impl Eq for Schema {}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Schema({:?}, {} bytes)", self.hash(), self.bytes().len())
    }
}

/// Names a [`Schema`]: BLAKE3 of its canonical bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(clippy::exhaustive_structs, reason = "a hash by another name")]
pub struct SchemaHash(pub [u8; 32]);

impl fmt::Debug for SchemaHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(f, &self.0)
    }
}
