//! The payload of a call or a reply.

use bytes::Bytes;

/// Encoded values, one after the other. Where the last is a long byte string, its bytes may stand beside the others, as they
/// were given: so nobody copies them.
#[derive(Debug, Default)]
pub(crate) struct Payload {
    pub(crate) encoded: Vec<u8>,
    /// What comes after that.
    pub(crate) last: Option<Bytes>,
}

impl Payload {
    pub(crate) fn len(&self) -> usize {
        self.encoded.len() + self.last.as_ref().map_or(0, Bytes::len)
    }

    /// All of it, in one piece.
    pub(crate) fn whole(&mut self) -> &[u8] {
        if let Some(last) = self.last.take() {
            self.encoded.extend_from_slice(&last);
        }
        &self.encoded
    }
}

impl From<Vec<u8>> for Payload {
    fn from(encoded: Vec<u8>) -> Self {
        Self { encoded, last: None }
    }
}
