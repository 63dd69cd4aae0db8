//! Scratch buffers, kept per thread: a small stock for encoding, and one for reading.

use std::cell::{Cell, RefCell};

use bytes::BytesMut;

/// How many buffers a thread keeps.
const STOCK: usize = 8;
/// A buffer that grew past this is not kept.
const KEEP: usize = 64 << 10;

thread_local! {
    static BUFFERS: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
    static READ_BUFFER: Cell<Option<(BytesMut, usize)>> = const { Cell::new(None) };
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

/// A buffer to read into, empty, and its size, of which its capacity may be a part; none where this thread has none left.
#[inline]
pub(super) fn take_read_buffer() -> (BytesMut, usize) {
    READ_BUFFER.try_with(Cell::take).ok().flatten().unwrap_or_default()
}

/// Leaves an empty buffer to the next reader on this thread. One that was left before is dropped.
#[inline]
pub(super) fn give_read_buffer(buffer: BytesMut, size: usize) {
    let _ = READ_BUFFER.try_with(|place| place.set(Some((buffer, size))));
}
