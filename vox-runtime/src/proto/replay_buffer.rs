//! The replay buffer: bytes that were written, kept until the peer acknowledges them.

use std::collections::VecDeque;

use bytes::Bytes;

use super::outbox::Segment;
use super::spent::{self, Spent};

/// What is copied is gathered into chunks of this length.
const CHUNK: usize = 16 << 10;
/// Chunks that are kept for reuse, so that a steady stream allocates nothing.
const SPARES: usize = 4;

/// A contiguous piece of the stream, from what the peer has acknowledged to what was taken for writing.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// The stream offset of the first byte.
    start: u64,
    len: usize,
    pieces: VecDeque<Piece>,
    spares: Vec<Vec<u8>>,
}

#[derive(Debug)]
enum Piece {
    /// Copied bytes, without the first few, which are acknowledged.
    Chunk(Vec<u8>, usize),
    Shared(Bytes),
}

impl Kept {
    /// The stream offset up to which the peer has acknowledged.
    pub(super) fn start(&self) -> u64 {
        self.start
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Keeps a copy.
    pub(super) fn copy(&mut self, mut bytes: &[u8]) {
        self.len += bytes.len();
        while !bytes.is_empty() {
            let room = match self.pieces.back() {
                Some(Piece::Chunk(chunk, _)) => CHUNK.saturating_sub(chunk.len()),
                Some(Piece::Shared(_)) | None => 0,
            };
            if room == 0 {
                self.pieces.push_back(Piece::Chunk(self.spares.pop().unwrap_or_default(), 0));
                continue;
            }
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            if let Some(Piece::Chunk(chunk, _)) = self.pieces.back_mut() {
                chunk.extend_from_slice(now);
            }
            bytes = later;
        }
    }

    /// Keeps bytes that others hold too.
    pub(super) fn share(&mut self, bytes: Bytes) {
        self.len += bytes.len();
        self.pieces.push_back(Piece::Shared(bytes));
    }

    /// The peer has received everything before this offset, which is none past what is kept. Whatever is much of it is freed later.
    pub(super) fn trim(&mut self, to: u64, spent: &mut Spent) {
        let Some(mut drop) = to.checked_sub(self.start) else { return };
        debug_assert!(drop <= self.len as u64);
        self.start = to;
        self.len -= drop as usize;
        let mut freed = 0;
        while drop > 0
            && let Some(front) = self.pieces.front_mut()
        {
            let left = front.len() as u64;
            if drop < left {
                return front.advance(drop as usize);
            }
            if freed >= spent::PIECE {
                return self.trim_much(drop, spent);
            }
            drop -= left;
            match self.pieces.pop_front() {
                Some(Piece::Chunk(mut chunk, _)) if self.spares.len() < SPARES => {
                    chunk.clear();
                    self.spares.push(chunk);
                }
                Some(Piece::Shared(bytes)) => freed += spent::free_whole(bytes),
                Some(Piece::Chunk(..)) | None => freed += left as usize,
            }
        }
    }

    /// More is not needed any more than is freed at a time: so many bytes.
    #[cold]
    fn trim_much(&mut self, mut drop: u64, spent: &mut Spent) {
        let mut count = 0;
        while let Some(left) = self.pieces.get(count).and_then(|piece| drop.checked_sub(piece.len() as u64)) {
            (drop, count) = (left, count + 1);
        }
        let rest = self.pieces.split_off(count);
        let pieces = std::mem::replace(&mut self.pieces, rest);
        spent.put_all(pieces.into_iter().map(Segment::from));
        if let Some(front) = self.pieces.front_mut() {
            front.advance(drop as usize);
        }
    }

    /// Nothing of it is needed any more.
    pub(super) fn spend(self, spent: &mut Spent) {
        spent.put_all(self.pieces.into_iter().map(Segment::from));
    }

    /// Gives everything back that is kept, to be written again.
    pub(super) fn unwind(&mut self) -> impl Iterator<Item = Segment> + '_ {
        self.len = 0;
        self.pieces.drain(..).map(|piece| match piece {
            Piece::Chunk(mut chunk, at) => {
                chunk.drain(..at);
                Segment::Own(chunk)
            }
            Piece::Shared(bytes) => Segment::Shared(bytes),
        })
    }
}

impl From<Piece> for Segment {
    fn from(piece: Piece) -> Self {
        match piece {
            Piece::Chunk(chunk, _) => Self::Own(chunk),
            Piece::Shared(bytes) => Self::Shared(bytes),
        }
    }
}

impl Piece {
    fn len(&self) -> usize {
        match self {
            Self::Chunk(chunk, at) => chunk.len() - at,
            Self::Shared(bytes) => bytes.len(),
        }
    }

    fn advance(&mut self, len: usize) {
        match self {
            Self::Chunk(_, at) => *at += len,
            Self::Shared(bytes) => *bytes = bytes.slice(len..),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(kept: &mut Kept) -> Vec<u8> {
        kept.unwind().flat_map(|segment| segment.as_slice().to_vec()).collect()
    }

    #[test]
    fn what_is_kept_is_what_was_put_without_what_is_acknowledged() {
        for trim in [0, 1, 99, 100, 101, 30_000, 30_099, 30_100, 30_101, 40_000, 70_100] {
            let mut kept = Kept::default();
            let stream: Vec<u8> = (0..70_100u32).map(|n| (n % 251) as u8).collect();
            kept.copy(&stream[..100]);
            kept.share(Bytes::copy_from_slice(&stream[100..30_100]));
            kept.copy(&stream[30_100..]);
            kept.trim(trim, &mut Spent::default());
            assert_eq!((kept.start(), kept.len()), (trim, stream.len() - trim as usize));
            assert_eq!(bytes(&mut kept), &stream[trim as usize..], "trimmed to {trim}");
        }
    }

    #[test]
    fn a_stream_that_is_acknowledged_as_it_goes_keeps_few_chunks() {
        let mut kept = Kept::default();
        for round in 1..10_000 {
            kept.copy(&[7; 100]);
            kept.trim(round * 100 - 50, &mut Spent::default());
            assert!(kept.pieces.len() <= 2 && kept.spares.len() <= SPARES, "{kept:?}");
        }
        assert_eq!(kept.len(), 50);
    }
}
