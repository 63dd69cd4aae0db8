//! The source of a decoding.

use std::ops::Range;

use bytes::Bytes;

use super::varint::{self, Bad};
use super::{Budget, ChannelDecoder, DecodeError, DecodeErrorKind};

/// Reads one frame's payload, front to back.
///
/// `Bytes` and `ByteString` values become slices of the frame. After an error the position is
/// somewhere inside the value that failed, and the frame is of no further use.
pub struct Decoder<'a> {
    pub(super) frame: &'a Bytes,
    pub(super) position: usize,
    /// Where the reading ends in the frame.
    pub(super) end: usize,
    pub(super) budget: Budget,
    pub(super) channels: Option<&'a mut dyn ChannelDecoder>,
    /// Something that was read is a slice of the frame, and keeps all of it.
    pub(super) shares: bool,
}

/// How much of a budget is asked for at a time.
const PIECE: usize = 16 << 10;

impl<'a> Decoder<'a> {
    /// Reads `frame` from its start, spending `budget`.
    #[must_use]
    pub fn new(frame: &'a Bytes, budget: Budget) -> Self {
        Self::of_part(frame, 0..frame.len(), budget)
    }

    /// Reads a part of `frame`, which is within it. Positions are those in the frame.
    #[inline]
    pub(crate) fn of_part(frame: &'a Bytes, part: Range<usize>, budget: Budget) -> Self {
        let end = part.end.min(frame.len());
        Self { frame, position: part.start.min(end), end, budget, channels: None, shares: false }
    }

    /// Reads on where another decoder of the same frame stopped, with what is left of its budget.
    #[must_use]
    pub fn resume(frame: &'a Bytes, position: usize, budget: Budget) -> Self {
        Self::of_part(frame, position..frame.len(), budget)
    }

    /// What may still be spent.
    #[must_use]
    pub fn budget(&self) -> Budget {
        self.budget
    }

    /// Takes the channels in values through `channels`.
    #[must_use]
    pub(crate) fn with_channels(mut self, channels: &'a mut dyn ChannelDecoder) -> Self {
        self.channels = Some(channels);
        self
    }

    /// Whether something that was read is a slice of the frame.
    pub(crate) fn shares(&self) -> bool {
        self.shares
    }

    /// A slice of the frame, which costs nothing but that the frame is kept.
    pub(crate) fn slice(&mut self, range: Range<usize>) -> Bytes {
        self.shares = true;
        self.frame.slice(range)
    }

    /// All that is left of the frame, which is a slice of it.
    pub(crate) fn rest_of_frame(&mut self) -> Bytes {
        let start = std::mem::replace(&mut self.position, self.end);
        self.slice(start..self.end)
    }

    /// How many bytes have been read.
    #[must_use]
    pub fn position(&self) -> usize {
        self.position
    }

    /// How many bytes are left.
    #[must_use]
    #[inline]
    pub fn remaining(&self) -> usize {
        self.end - self.position
    }

    /// The frame being read.
    #[must_use]
    pub fn frame(&self) -> &'a Bytes {
        self.frame
    }

    /// Ends the reading. Bytes that are left are an error.
    #[inline]
    pub fn finish(self) -> Result<(), DecodeError> {
        match self.remaining() {
            0 => Ok(()),
            _ => Err(self.error(DecodeErrorKind::TrailingBytes)),
        }
    }

    /// Reads one byte.
    pub fn byte(&mut self) -> Result<u8, DecodeError> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    /// Reads `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let Some(bytes) = self.rest().first_chunk() else {
            return Err(self.error(DecodeErrorKind::UnexpectedEnd));
        };
        let bytes = *bytes;
        self.position += N;
        Ok(bytes)
    }

    /// Reads an unsigned number of 64 bits.
    pub fn varint(&mut self) -> Result<u64, DecodeError> {
        Ok(self.varint_of(u64::BITS)? as u64)
    }

    /// Reads a byte string's length and skips its bytes: where they stand in the frame.
    pub fn bytes(&mut self) -> Result<Range<usize>, DecodeError> {
        let len = self.varint()?;
        if len > self.remaining() as u64 {
            return Err(self.error(DecodeErrorKind::UnexpectedEnd));
        }
        let start = self.position;
        self.position += len as usize;
        Ok(start..self.position)
    }

    /// Goes to a place in the frame where it was before.
    pub(crate) fn go_to(&mut self, position: usize) {
        self.position = position.min(self.end);
    }

    /// Passes over so many bytes.
    pub(crate) fn pass(&mut self, len: usize) -> Result<(), DecodeError> {
        if len > self.remaining() {
            return Err(self.error(DecodeErrorKind::UnexpectedEnd));
        }
        self.position += len;
        Ok(())
    }

    /// Reads a string: where its UTF-8, which has been checked, stands in the frame.
    pub fn str(&mut self) -> Result<Range<usize>, DecodeError> {
        let range = self.bytes()?;
        match std::str::from_utf8(&self.frame[range.clone()]) {
            Ok(_) => Ok(range),
            Err(_) => Err(self.error(DecodeErrorKind::BadUtf8)),
        }
    }

    /// Spends what an owner of these bytes would cost: what is borrowed here may be owned where the peer knows the type.
    pub(crate) fn charged(&mut self, range: Range<usize>) -> Result<Range<usize>, DecodeError> {
        self.charge(range.len())?;
        Ok(range)
    }

    /// Reads a string out of the frame.
    pub(crate) fn str_slice(&mut self) -> Result<&'a str, DecodeError> {
        let range = self.bytes()?;
        std::str::from_utf8(&self.frame[range]).map_err(|_| self.error(DecodeErrorKind::BadUtf8))
    }

    /// Reads a byte string out of the frame.
    pub(crate) fn bytes_slice(&mut self) -> Result<&'a [u8], DecodeError> {
        let range = self.bytes()?;
        Ok(&self.frame[range])
    }

    /// Reads an unsigned number of `bits` bits.
    pub(crate) fn varint_of(&mut self, bits: u32) -> Result<u128, DecodeError> {
        match varint::read(self.rest(), bits) {
            Ok((value, len)) => {
                self.position += len;
                Ok(value)
            }
            Err(Bad::End) => Err(self.error(DecodeErrorKind::UnexpectedEnd)),
            Err(Bad::Range) => Err(self.error(DecodeErrorKind::BadVarint)),
        }
    }

    /// Spends `bytes` of the budget.
    pub(crate) fn charge(&mut self, bytes: usize) -> Result<(), DecodeError> {
        if self.budget.charge(bytes) {
            return Ok(());
        }
        self.ask(bytes).map_err(|kind| self.error(kind))
    }

    /// Spends `bytes` that the budget has, if at all, for the asking.
    #[cold]
    #[inline(never)]
    pub(super) fn ask(&mut self, bytes: usize) -> Result<(), DecodeErrorKind> {
        if let (Some(piece), Some(keeper)) = (self.budget.lacks(bytes, PIECE), &mut self.channels) {
            keeper.keep(piece)?;
            self.budget.allow(piece);
        }
        match self.budget.charge(bytes) {
            true => Ok(()),
            false => Err(over_budget(&self.budget, bytes)),
        }
    }

    pub(crate) fn error(&self, kind: DecodeErrorKind) -> DecodeError {
        DecodeError::new(kind, self.position)
    }

    fn rest(&self) -> &'a [u8] {
        &self.frame[self.position..self.end]
    }
}

/// What is wrong where `budget` cannot pay for `bytes` more.
fn over_budget(budget: &Budget, bytes: usize) -> DecodeErrorKind {
    DecodeErrorKind::OverBudget { needed: budget.needed(bytes), limit: budget.limit() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<R>(bytes: &'static [u8], read: impl FnOnce(&mut Decoder<'_>) -> R) -> R {
        let frame = Bytes::from_static(bytes);
        read(&mut Decoder::new(&frame, Budget::default_for(bytes.len())))
    }

    #[test]
    fn pieces_come_back_as_ranges_of_the_frame() {
        assert_eq!(check(b"\x03abc", |from| from.str()), Ok(1..4));
        assert_eq!(check(b"\x02\xff\xff", |from| from.bytes()), Ok(1..3));
        assert_eq!(check(b"\x80\x01", |from| from.varint()), Ok(128));
    }

    #[test]
    fn pieces_that_are_cut_or_malformed_are_refused() {
        let kind = |result: Result<Range<usize>, DecodeError>| result.unwrap_err().kind;
        assert_eq!(kind(check(b"\x04abc", |from| from.str())), DecodeErrorKind::UnexpectedEnd);
        assert_eq!(kind(check(b"\x01\xff", |from| from.str())), DecodeErrorKind::BadUtf8);
        let huge = b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
        assert_eq!(kind(check(huge, |from| from.bytes())), DecodeErrorKind::UnexpectedEnd);
    }

    /// An item of a run ends where its length says, whatever comes behind it.
    #[test]
    fn a_part_of_a_frame_is_read_as_if_it_were_all_of_it() {
        let plan = crate::codec::Plan::<u64>::new();
        let whole = [0x80, 0x80, 0x80, 0x01, 0x7f, 0xff, 0x05, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02, 0x80];
        for start in 0..whole.len() {
            for end in start..=whole.len() {
                let (frame, alone) = (Bytes::copy_from_slice(&whole), Bytes::copy_from_slice(&whole[start..end]));
                let mut part = Decoder::of_part(&frame, start..end, Budget::default_for(0));
                let mut all = Decoder::new(&alone, Budget::default_for(0));
                let kind = |read: Result<u64, DecodeError>| read.map_err(|error| error.kind);
                assert_eq!(kind(plan.decode(&mut part)), kind(plan.decode(&mut all)), "{start}..{end}");
                assert_eq!((part.position() - start, part.remaining()), (all.position(), all.remaining()));
                assert_eq!(part.finish().is_ok(), all.finish().is_ok());
            }
        }
    }

    #[test]
    fn pitfall_34_trailing_bytes_are_refused() {
        let frame = Bytes::from_static(b"\x01\x02");
        let mut from = Decoder::new(&frame, Budget::default_for(2));
        assert_eq!(from.byte(), Ok(1));
        assert_eq!(from.finish(), Err(DecodeError::new(DecodeErrorKind::TrailingBytes, 1)));
    }
}
