//! The rest of a frame, undecoded. It stands for values whose types are not known here.

use bytes::Bytes;
use facet::Facet;

use super::super::{DecodeError, Decoder, EncodeError, Encoder};
use super::Leaf;

/// All that is left of a frame. No user's type holds it.
#[derive(Debug, Clone, PartialEq, Eq, Facet)]
pub(crate) struct Rest(pub(crate) Bytes);

impl Leaf for Rest {
    const NAME: &'static str = "rest";
    const MIN: usize = 0;
    const RATE: usize = 1;

    fn put(&self, to: &mut Encoder<'_>) -> Result<(), EncodeError> {
        to.raw(&self.0)
    }

    fn take(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(Self(from.rest_of_frame()))
    }
}
