//! The target of an encoding.

use super::varint;
use super::{ChannelEncoder, EncodeError};

/// Appends to an outgoing buffer, up to a limit.
///
/// Every method writes all of its piece or, with an error, nothing of it. [`Plan::encode`] does
/// the same for a whole value.
///
/// [`Plan::encode`]: super::Plan::encode
pub struct Encoder<'a> {
    pub(super) out: &'a mut Vec<u8>,
    pub(super) max_len: usize,
    pub(super) channels: Option<&'a mut dyn ChannelEncoder>,
}

impl<'a> Encoder<'a> {
    /// Appends to `out`, which never becomes longer than `max_len`.
    #[must_use]
    #[inline]
    pub fn new(out: &'a mut Vec<u8>, max_len: usize) -> Self {
        Self { out, max_len, channels: None }
    }

    /// Gives the channels in values away through `channels`.
    #[must_use]
    pub(crate) fn with_channels(mut self, channels: &'a mut dyn ChannelEncoder) -> Self {
        self.channels = Some(channels);
        self
    }

    /// How long the buffer is by now, with what was in it before.
    #[must_use]
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Whether the buffer is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// Appends one byte as it is.
    pub fn byte(&mut self, byte: u8) -> Result<(), EncodeError> {
        self.raw(&[byte])
    }

    /// Appends bytes as they are, without their length.
    pub fn raw(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.room(bytes.len())?;
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    /// Appends an unsigned number.
    pub fn varint(&mut self, value: u64) -> Result<(), EncodeError> {
        self.varint128(u128::from(value))
    }

    /// Appends an unsigned number of up to 128 bits.
    pub fn varint128(&mut self, value: u128) -> Result<(), EncodeError> {
        let mut bytes = [0; 19];
        let len = varint::write(value, &mut bytes);
        self.raw(&bytes[..len])
    }

    /// Appends a byte string: its length, then its bytes.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.announce(bytes.len())?;
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    /// Appends a length, of bytes that are to follow. There must be room for these too.
    pub(super) fn announce(&mut self, len: usize) -> Result<(), EncodeError> {
        let mut prefix = [0; 19];
        let prefix_len = varint::write(len as u128, &mut prefix);
        self.room(prefix_len.saturating_add(len))?;
        self.out.extend_from_slice(&prefix[..prefix_len]);
        Ok(())
    }

    /// Appends a string: its length, then its UTF-8.
    pub fn str(&mut self, string: &str) -> Result<(), EncodeError> {
        self.bytes(string.as_bytes())
    }

    fn room(&self, more: usize) -> Result<(), EncodeError> {
        match self.out.len().checked_add(more) {
            Some(len) if len <= self.max_len => Ok(()),
            _ => Err(EncodeError::TooLarge { needed: self.out.len().saturating_add(more), limit: self.max_len }),
        }
    }
}
