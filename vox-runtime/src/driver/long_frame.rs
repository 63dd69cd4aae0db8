//! A long frame on its way in, and the memory for such frames, which is used again.
//!
//! It is read into memory of its own: no other frame is in it, so it need not be moved to make room, and is nobody's any more when
//! the frame is dropped.

use std::io;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::{Buf, BufMut, Bytes};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::wire::{Kind, LENGTH_BYTES};

/// Frames from this length on have memory of their own.
pub(super) const LONG: usize = 64 << 10;
/// How much memory the process keeps for long frames to come, all blocks together, while it has sessions. None of them is
/// shorter than a long frame, so they are few.
const MOST_KEPT: usize = 8 << 20;

static STOCK: Mutex<Stock> = Mutex::new(Stock { blocks: Vec::new(), users: 0 });

struct Stock {
    /// That no frame is in.
    blocks: Vec<Vec<u8>>,
    /// Who may read a long frame. Without any, nothing is kept.
    users: usize,
}

/// Whoever may read a long frame has one, so that there is memory to be used again.
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

/// A frame that has begun to come in. Its memory grows by what was received, unless there was some to be used again.
#[derive(Debug)]
pub(super) struct LongFrame {
    block: Block,
    /// Of the whole frame, with its length.
    len: usize,
}

/// A frame's memory, which is for others when that is dropped.
#[derive(Debug)]
struct Block(Vec<u8>);

impl LongFrame {
    /// A frame of `len` bytes, which so begins.
    pub(super) fn begin(with: &[u8], len: usize) -> Self {
        let mut block = take_block(len);
        block.extend_from_slice(with);
        Self { block: Block(block), len }
    }

    /// How many bytes are still to come.
    fn missing(&self) -> usize {
        self.len - self.block.0.len()
    }

    pub(super) fn is_whole(&self) -> bool {
        self.missing() == 0
    }

    pub(super) fn is_reply(&self) -> bool {
        self.block.0.get(LENGTH_BYTES) == Some(&(Kind::Reply as u8))
    }

    /// Reads more of it, and nothing that comes after it.
    pub(super) fn poll_read(
        &mut self,
        io: &mut (dyn AsyncRead + Send + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let missing = self.missing();
        let bytes = &mut self.block.0;
        if bytes.len() == bytes.capacity() {
            // As much as has come in.
            bytes.reserve_exact(missing.min(bytes.len()));
        }
        pin!(io.read_buf(&mut bytes.limit(missing))).poll(cx)
    }

    /// What comes after its length.
    pub(super) fn into_body(self) -> Bytes {
        let mut frame = Bytes::from_owner(self.block);
        frame.advance(LENGTH_BYTES);
        frame
    }
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
        let is_of_use = block.capacity() >= LONG && kept + block.capacity() <= MOST_KEPT;
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

    /// Reads a frame of this body, of which so much had come in, by pieces of at most so much.
    fn read(body: &[u8], began: usize, piece: usize) -> Bytes {
        let mut frame = (body.len() as u32).to_le_bytes().to_vec();
        frame.extend_from_slice(body);
        let mut long = LongFrame::begin(&frame[..began], frame.len());
        // What comes after the frame is left where it is.
        let rest = [&frame[began..], &[9; 100]].concat();
        let mut rest = &rest[..];
        let mut cx = Context::from_waker(std::task::Waker::noop());
        while !long.is_whole() {
            let (mut now, later) = rest.split_at(piece.min(rest.len()));
            while !now.is_empty() && !long.is_whole() {
                assert!(matches!(long.poll_read(&mut now, &mut cx), Poll::Ready(Ok(1..))));
            }
            rest = if long.is_whole() { &rest[rest.len() - later.len() - now.len()..] } else { later };
        }
        assert_eq!(rest, [9; 100]);
        long.into_body()
    }

    #[test]
    fn a_frame_is_read_to_its_end_and_no_further() {
        let _stock = StockUse::new();
        let body: Vec<u8> = (0..300_000u32).map(|at| (at % 253) as u8).collect();
        for began in [4, 5, 1000, LONG, 300_003] {
            for piece in [1 << 10, 60_000, 1 << 20] {
                // Memory with room for more than the frame is there to be used again.
                drop(read(&vec![1; 400_000], 4, 1 << 20));
                assert_eq!(read(&body, began, piece), body, "began with {began}, by {piece}");
            }
        }
    }

    #[test]
    fn memory_grows_by_what_was_received() {
        let claimed = 64 << 20;
        let mut long = LongFrame::begin(&[0; 1000], claimed);
        // What there was to be used again.
        let at_first = long.block.0.capacity();
        let mut cx = Context::from_waker(std::task::Waker::noop());
        while long.block.0.len() < 1 << 20 {
            let mut some = &[0; 5000][..];
            assert!(matches!(long.poll_read(&mut some, &mut cx), Poll::Ready(Ok(1..))));
            let block = &long.block.0;
            assert!(
                block.capacity() <= at_first.max(2 * block.len() + 5000),
                "{} for {}",
                block.capacity(),
                block.len()
            );
        }
    }

    #[test]
    fn the_process_keeps_a_bounded_stock() {
        let _stock = StockUse::new();
        let body = vec![7; 1 << 20];
        let frames: Vec<Bytes> = (0..20).map(|_| read(&body, 4, 1 << 20)).collect();
        drop(frames);
        let kept: usize = stock().blocks.iter().map(Vec::capacity).sum();
        assert!(kept <= MOST_KEPT, "{kept}");
    }

    /// Every frame looks at all that is kept: what was cut off when it had hardly begun is not.
    #[test]
    fn the_process_keeps_no_crumbs() {
        let _stock = StockUse::new();
        let begun: Vec<LongFrame> = (0..1000).map(|_| LongFrame::begin(&[0; 4], 1 << 20)).collect();
        drop(begun);
        let least = stock().blocks.iter().map(Vec::capacity).min();
        assert!(least.is_none_or(|least| least >= LONG), "{least:?}");
    }
}
