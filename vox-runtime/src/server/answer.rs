//! The answer of a handler.

use std::fmt;

use crate::wire::{Failure, Payload};

/// What a handler answers, encoded.
pub struct Answer<K> {
    pub(super) payload: Result<Payload, Failure>,
    /// Dropped when the reply is on its way: nobody waits for it.
    pub(super) kept: K,
}

impl<K> fmt::Debug for Answer<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("bytes", &self.payload.as_ref().map(Payload::len)).finish_non_exhaustive()
    }
}
