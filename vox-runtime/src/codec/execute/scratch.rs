//! Memory for values that are moved somewhere else next.

use std::alloc::{self, Layout};
use std::mem::ManuallyDrop;
use std::ptr;

/// Room for values side by side, given back when it goes out of scope. What is in it is not
/// dropped.
pub(super) struct Scratch {
    start: *mut u8,
    layout: Layout,
}

impl Scratch {
    /// Room for `capacity` values of `size` bytes, or none if there is no such layout.
    pub(super) fn new(size: usize, align: usize, capacity: usize) -> Option<Self> {
        let layout = Layout::from_size_align(size.checked_mul(capacity)?, align).ok()?;
        Some(Self { start: allocate(layout), layout })
    }

    pub(super) fn start(&self) -> *mut u8 {
        self.start
    }

    /// Gives its room away. The new owner releases it.
    pub(super) fn into_start(self) -> *mut u8 {
        ManuallyDrop::new(self).start
    }

    /// Makes room for `bytes` in all, which are more than there is room for, and have a layout: the budget has paid for
    /// them. What is there moves along.
    pub(super) fn grow(&mut self, bytes: usize) {
        let Ok(layout) = Layout::from_size_align(bytes, self.layout.align()) else {
            unreachable!("no budget pays for {bytes} bytes");
        };
        if self.layout.size() == 0 {
            if layout.size() > 0 {
                *self = Self { start: allocate(layout), layout };
            }
            return;
        }
        // SAFETY: the block was allocated with this layout, and the new size is not zero, being
        // more than the old one.
        let start = unsafe { alloc::realloc(self.start, self.layout, layout.size()) };
        if start.is_null() {
            alloc::handle_alloc_error(layout);
        }
        self.start = start;
        self.layout = layout;
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // SAFETY: it was allocated with this layout, and is given up once.
        unsafe { release(self.start, self.layout) };
    }
}

/// A block of `layout`; dangling and aligned if it has no bytes, as `Box` would have it.
pub(super) fn allocate(layout: Layout) -> *mut u8 {
    if layout.size() == 0 {
        return ptr::without_provenance_mut(layout.align());
    }
    // SAFETY: the layout has bytes.
    let start = unsafe { alloc::alloc(layout) };
    if start.is_null() {
        alloc::handle_alloc_error(layout);
    }
    start
}

/// Gives back what [`allocate`] gave.
///
/// # Safety
///
/// `start` came from [`allocate`] of this layout and is not used after.
pub(super) unsafe fn release(start: *mut u8, layout: Layout) {
    if layout.size() != 0 {
        // SAFETY: the caller's promise.
        unsafe { alloc::dealloc(start, layout) };
    }
}
