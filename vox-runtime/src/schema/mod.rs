//! Schemas: what a type's encoding looks like, in bytes of their own, and a hash that two peers or two versions of one
//! program can compare.
//!
//! Data alone: a schema is made where types are read, in the codec.

mod contract;
mod cursor;
mod judge;
mod types;

use std::fmt;
use std::sync::Arc;

#[cfg(test)]
pub(crate) use contract::judged_alone;
pub(crate) use contract::{Argument, Contract, Described, Method};
pub(crate) use cursor::SchemaFault;
pub(crate) use judge::widens;
pub(crate) use types::{Container, Field, Optional, Type, Types, Variant};

use crate::operation::hex;

/// What a type's encoding looks like, in canonical bytes. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct Schema {
    hash: SchemaHash,
    bytes: Arc<[u8]>,
}

impl Schema {
    /// The schema of these canonical bytes.
    pub fn from_bytes(bytes: impl Into<Arc<[u8]>>) -> Self {
        let bytes = bytes.into();
        Self { hash: SchemaHash(*blake3::hash(&bytes).as_bytes()), bytes }
    }

    /// What names it.
    pub fn hash(&self) -> SchemaHash {
        self.hash
    }

    /// Its canonical bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Schema({:?}, {} bytes)", self.hash, self.bytes.len())
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
