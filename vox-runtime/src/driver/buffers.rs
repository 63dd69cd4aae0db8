//! Scratch buffers for encoding, one small stock per thread.

use std::cell::RefCell;

/// How many buffers a thread keeps.
const STOCK: usize = 8;
/// A buffer that grew past this is not kept.
const KEEP: usize = 64 << 10;

thread_local! {
    static BUFFERS: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// An empty buffer, with capacity where this thread has one left.
#[inline]
pub(crate) fn take_buffer() -> Vec<u8> {
    BUFFERS.try_with(|stock| stock.borrow_mut().pop()).ok().flatten().unwrap_or_default()
}

/// Gives a buffer back for the next encoding.
#[inline]
pub(crate) fn give_buffer(mut buffer: Vec<u8>) {
    if buffer.capacity() == 0 || buffer.capacity() > KEEP {
        return;
    }
    buffer.clear();
    let _ = BUFFERS.try_with(|stock| {
        let mut stock = stock.borrow_mut();
        if stock.len() < STOCK {
            stock.push(buffer);
        }
    });
}
