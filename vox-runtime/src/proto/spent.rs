//! Memory that nobody needs any more and that is yet to be freed.
//!
//! Freeing takes time: a block may go back to the kernel page by page, and blocks may be many. What one frame ends of a peer's may be all that it
//! may have. So whatever may be much is put here, and freed a piece at a time, with turns of others in between.

use std::fmt;

use bytes::{Buf, Bytes};

use super::outbox::Segment;

/// How many bytes of it are freed at a time, and how many blocks.
pub(super) const PIECE: usize = 256 << 10;
const BLOCKS: usize = 256;

/// What is shorter is freed at once: it is no more than what a frame brings.
const LITTLE: usize = 64 << 10;

/// Most sessions never have any.
#[derive(Debug, Default)]
pub(super) struct Spent(Option<Box<Heap>>);

#[derive(Default)]
struct Heap {
    blocks: Vec<Segment>,
    /// Whole tables, of which a block is taken at a time.
    tables: Vec<Box<dyn DoubleEndedIterator<Item = Segment> + Send>>,
}

impl Spent {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// A block is not needed any more.
    pub(super) fn put(&mut self, block: Segment) {
        if block.len() > LITTLE {
            self.0.get_or_insert_default().blocks.push(block);
        }
    }

    /// Blocks are not needed any more. They are taken out of their table one by one.
    pub(super) fn put_all(
        &mut self,
        blocks: impl DoubleEndedIterator<Item = Segment> + ExactSizeIterator + Send + 'static,
    ) {
        if blocks.len() > 0 {
            self.0.get_or_insert_default().tables.push(Box::new(blocks));
        }
    }

    /// Items that nobody took are not needed any more.
    pub(super) fn put_runs(&mut self, runs: Vec<Bytes>) {
        if runs.len() > 2 {
            return self.put_all(runs.into_iter().map(Segment::Shared));
        }
        runs.into_iter().for_each(|run| self.put(Segment::Shared(run)));
    }

    /// Frees a piece of it.
    #[cold]
    pub(super) fn free_some(&mut self) {
        let Some(heap) = &mut self.0 else { return };
        let mut bytes = 0;
        for _ in 0..BLOCKS {
            if bytes >= PIECE {
                return;
            }
            match heap.next() {
                Some(block) => bytes += heap.free(block),
                None => return self.0 = None,
            }
        }
    }
}

impl Heap {
    fn next(&mut self) -> Option<Segment> {
        loop {
            if let Some(block) = self.blocks.pop() {
                return Some(block);
            }
            match self.tables.last_mut()?.next_back() {
                Some(block) => return Some(block),
                None => drop(self.tables.pop()),
            }
        }
    }

    /// Frees a block, or the end of one that is long: the rest is kept for later. Gives what was freed.
    fn free(&mut self, block: Segment) -> usize {
        let mut block = match block {
            Segment::Own(block) => block,
            Segment::Shared(bytes) => {
                let len = bytes.len();
                match into_block(bytes) {
                    Some(block) => block,
                    // Others have it too, or it is freed as a whole.
                    None => return len,
                }
            }
        };
        let len = block.capacity();
        if len <= PIECE {
            return len;
        }
        block.clear();
        block.shrink_to(len - PIECE);
        self.blocks.push(Segment::Own(block));
        PIECE
    }
}

/// Lets go of these bytes, whatever they are a part of. Gives how much that frees.
pub(super) fn free_whole(bytes: Bytes) -> usize {
    let len = bytes.len();
    into_block(bytes).map_or(len, |block| block.capacity())
}

/// The block that these bytes are of, if nobody else has any of it.
fn into_block(mut bytes: Bytes) -> Option<Vec<u8>> {
    // Nothing is copied of it.
    bytes.advance(bytes.len().saturating_sub(1));
    bytes.is_unique().then(|| Vec::from(bytes))
}

impl fmt::Debug for Heap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heap").field("blocks", &self.blocks.len()).field("tables", &self.tables.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// How much is freed at each turn, as the spent blocks show it: those that are left have so many bytes.
    fn left(spent: &Spent) -> usize {
        let heap = spent.0.as_ref().map(|heap| &heap.blocks);
        heap.into_iter().flatten().map(|block| if let Segment::Own(block) = block { block.capacity() } else { 0 }).sum()
    }

    #[test]
    fn a_long_block_is_freed_in_pieces() {
        let shared = Bytes::from(vec![7; 4 * PIECE + 100]);
        let slice = shared.slice(PIECE..2 * PIECE);
        drop(shared);
        for block in [Segment::Own(vec![7; 4 * PIECE + 100]), Segment::Shared(slice)] {
            let mut spent = Spent::default();
            spent.put(block);
            for pieces in (0..4).rev() {
                assert!(!spent.is_empty());
                spent.free_some();
                assert_eq!(left(&spent), pieces * PIECE + 100);
            }
            spent.free_some();
            assert!(spent.is_empty());
        }
    }

    #[test]
    fn many_blocks_are_freed_some_at_a_time() {
        let mut spent = Spent::default();
        let block = Bytes::from(vec![7; 3]);
        let held = Arc::new(());
        struct Held {
            _by: Arc<()>,
        }
        impl AsRef<[u8]> for Held {
            fn as_ref(&self) -> &[u8] {
                &[0; 300]
            }
        }
        spent.put_runs((0..1000).map(|_| Bytes::from_owner(Held { _by: Arc::clone(&held) })).collect());
        let mut before = Arc::strong_count(&held);
        while !spent.is_empty() {
            spent.free_some();
            let now = Arc::strong_count(&held);
            assert!(before - now <= BLOCKS, "{} at once", before - now);
            before = now;
        }
        assert_eq!(before, 1);
        // What others have as well is not freed.
        spent.put_runs(vec![block.clone(); 3]);
        spent.free_some();
        assert_eq!((spent.is_empty(), &block[..]), (true, &[7; 3][..]));
    }

    #[test]
    fn what_is_little_is_freed_at_once() {
        let mut spent = Spent::default();
        spent.put(Segment::Own(vec![7; LITTLE]));
        spent.put_runs(vec![Bytes::from_static(b"ab"), Bytes::new()]);
        spent.put_all(Vec::new().into_iter());
        assert!(spent.is_empty());
    }
}
