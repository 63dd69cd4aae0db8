//! Reads the parts of long messages straight into their memory, which is used again.
//!
//! Parts are read straight into the memory of their message: nothing else is in it, so it need not be moved to make room, and is
//! nobody's any more when the message is dropped.

use std::io;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::{BufMut, Bytes};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::proto::{Memory, PartMemory};
use crate::wire::{PART, PartHead};

/// How much memory the process keeps for long messages to come, all blocks together, while it has sessions. None of them is
/// shorter than a part, so they are few.
const MOST_KEPT: usize = 8 << 20;

/// How much is read at a time of what nobody wants.
const PASSED: usize = 16 << 10;

static STOCK: Mutex<Stock> = Mutex::new(Stock { blocks: Vec::new(), users: 0 });

struct Stock {
    /// That no message is in.
    blocks: Vec<Vec<u8>>,
    /// Who may read a long message. Without any, nothing is kept.
    users: usize,
}

/// Each that may read a long message has one, so that there is memory to be used again.
pub(super) struct StockUse(());

impl StockUse {
    pub(super) fn new() -> Self {
        stock().users += 1;
        Self(())
    }
}

impl Drop for StockUse {
    fn drop(&mut self) {
        let mut stock = stock();
        stock.users -= 1;
        if stock.users == 0 {
            stock.blocks = Vec::new();
        }
    }
}

/// A part that has begun to come in. Its message's memory grows by what was received, unless there was some to be used again.
#[derive(Debug)]
pub(super) struct LongPart {
    pub(super) head: PartHead,
    /// Of one that nobody wants, what has come is not there: it begins behind that.
    lent: PartMemory,
}

/// A message's memory, which is for others when that is dropped.
#[derive(Debug)]
struct Block(Vec<u8>);

impl LongPart {
    /// A part whose bytes so begin.
    pub(super) fn begin(head: PartHead, mut lent: PartMemory, with: &[u8]) -> Self {
        match lent.is_unwanted() {
            true => lent.start += with.len(),
            false => lent.bytes.extend_from_slice(with),
        }
        Self { head, lent }
    }

    /// How many bytes are still to come.
    fn missing(&self) -> usize {
        self.lent.end - if self.lent.is_unwanted() { self.lent.start } else { self.lent.bytes.len() }
    }

    pub(super) fn is_whole(&self) -> bool {
        self.missing() == 0
    }

    /// Whether more parts of its message follow it.
    pub(super) fn has_followers(&self) -> bool {
        self.lent.end < self.lent.total
    }

    /// Reads more of it, and nothing that comes after it.
    pub(super) fn poll_read(
        &mut self,
        io: &mut (dyn AsyncRead + Send + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let (missing, is_unwanted) = (self.missing(), self.lent.is_unwanted());
        let PartMemory { bytes, total, start, .. } = &mut self.lent;
        if is_unwanted {
            bytes.reserve_exact(missing.min(PASSED));
            let read = pin!(io.read_buf(&mut bytes.limit(missing.min(PASSED)))).poll(cx);
            *start += bytes.len();
            bytes.clear();
            return read;
        }
        if bytes.len() == bytes.capacity() {
            // As much as has come in, and a part at least.
            bytes.reserve_exact((*total - bytes.len()).min(bytes.len().max(PART)));
        }
        pin!(io.read_buf(&mut bytes.limit(missing))).poll(cx)
    }

    /// The memory.
    pub(super) fn into_lent(mut self) -> PartMemory {
        if self.lent.is_unwanted() {
            self.lent.start = self.lent.end - self.head.len;
        }
        self.lent
    }
}

/// Where long messages are put together.
pub(super) fn memory() -> Memory {
    Memory { take: take_block, finish: |bytes| Bytes::from_owner(Block(bytes)) }
}

impl AsRef<[u8]> for Block {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let mut block = std::mem::take(&mut self.0);
        block.clear();
        let mut stock = stock();
        let kept: usize = stock.blocks.iter().map(Vec::capacity).sum();
        let is_of_use = block.capacity() >= PART && kept + block.capacity() <= MOST_KEPT;
        if stock.users > 0 && is_of_use {
            stock.blocks.push(block);
        }
    }
}

/// The least block that has room for so much, or the largest. Where there is none, a small one: none is made by a peer's
/// word.
fn take_block(len: usize) -> Vec<u8> {
    let blocks = &mut stock().blocks;
    let fits = (0..blocks.len()).filter(|&at| blocks[at].capacity() >= len).min_by_key(|&at| blocks[at].capacity());
    match fits.or_else(|| (0..blocks.len()).max_by_key(|&at| blocks[at].capacity())) {
        Some(at) => blocks.swap_remove(at),
        None => Vec::new(),
    }
}

fn stock() -> MutexGuard<'static, Stock> {
    STOCK.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lent(bytes: Vec<u8>, part: usize, total: usize) -> (PartHead, PartMemory) {
        let (start, head) = (bytes.len(), PartHead { number: 1, len: part, at: 6 });
        (head, PartMemory { number: 1, bytes, start, end: start + part, total })
    }

    /// Reads a message of this body by parts of so much, each of which had begun with so much, by pieces of at most so much.
    fn read(body: &[u8], part: usize, began: usize, piece: usize) -> Bytes {
        let memory = memory();
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let mut bytes = (memory.take)(body.len());
        for chunk in body.chunks(part) {
            let (head, lent) = lent(bytes, chunk.len(), body.len());
            let (there, rest) = chunk.split_at(began.min(chunk.len() - 1));
            let mut long = LongPart::begin(head, lent, there);
            // What comes after the part is left where it is.
            let rest = [rest, &[9; 100]].concat();
            let mut at = 0;
            while !long.is_whole() {
                let mut now = &rest[at..rest.len().min(at + piece)];
                let before = now.len();
                assert!(matches!(long.poll_read(&mut now, &mut cx), Poll::Ready(Ok(1..))));
                at += before - now.len();
            }
            assert_eq!(rest[at..], [9; 100]);
            bytes = long.into_lent().bytes;
        }
        (memory.finish)(bytes)
    }

    #[test]
    fn a_part_is_read_to_its_end_and_no_further() {
        let _stock = StockUse::new();
        let body: Vec<u8> = (0..300_000u32).map(|at| (at % 253) as u8).collect();
        for began in [0, 1, 1000, PART] {
            for piece in [1 << 10, 60_000, 1 << 20] {
                // Memory with room for more than the message is there to be used again.
                drop(read(&vec![1; 400_000], PART, 4, 1 << 20));
                assert_eq!(read(&body, PART, began, piece), body, "began with {began}, by {piece}");
            }
        }
    }

    #[test]
    fn what_nobody_wants_is_read_to_its_end_and_not_kept() {
        let (head, mut lent) = lent(Vec::new(), 300_000, 900_000);
        (lent.start, lent.end, lent.total) = (200_000, 500_000, 0);
        let mut long = LongPart::begin(head, lent, &[7; 50]);
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let mut rest = &[7; 299_960][..];
        while !long.is_whole() {
            assert!(matches!(long.poll_read(&mut rest, &mut cx), Poll::Ready(Ok(1..))));
            assert!(long.lent.bytes.capacity() <= PASSED);
        }
        assert_eq!(rest.len(), 10, "what comes after it is left where it is");
        let lent = long.into_lent();
        assert_eq!((lent.start, lent.end, lent.bytes.len()), (200_000, 500_000, 0));
    }

    // proves: long.room
    #[test]
    fn memory_grows_by_what_was_received() {
        let total = 64 << 20;
        let mut bytes = Vec::new();
        let mut cx = Context::from_waker(std::task::Waker::noop());
        while bytes.len() < 2 << 20 {
            let (head, lent) = lent(bytes, PART, total);
            let mut long = LongPart::begin(head, lent, &[]);
            while !long.is_whole() {
                let mut some = &[0; 5000][..];
                assert!(matches!(long.poll_read(&mut some, &mut cx), Poll::Ready(Ok(1..))));
                let block = &long.lent.bytes;
                assert!(block.capacity() <= 2 * block.len() + PART, "{} for {}", block.capacity(), block.len());
            }
            bytes = long.into_lent().bytes;
        }
    }

    #[test]
    fn the_process_keeps_a_bounded_stock() {
        let _stock = StockUse::new();
        let body = vec![7; 1 << 20];
        let messages: Vec<Bytes> = (0..20).map(|_| read(&body, PART, 4, 1 << 20)).collect();
        drop(messages);
        let kept: usize = stock().blocks.iter().map(Vec::capacity).sum();
        assert!(kept <= MOST_KEPT, "{kept}");
    }

    /// Every message looks at all that is kept: what was cut off when it had hardly begun is not.
    #[test]
    fn the_process_keeps_no_crumbs() {
        let _stock = StockUse::new();
        for _ in 0..1000 {
            drop((memory().finish)(vec![0; 4]));
        }
        let least = stock().blocks.iter().map(Vec::capacity).min();
        assert!(least.is_none_or(|least| least >= PART), "{least:?}");
    }
}
