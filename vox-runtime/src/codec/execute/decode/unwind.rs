//! Drops the values that a failed decoding has made.

use super::super::super::program::Block;

/// Drops the first `made` values of the block's type from `items`.
///
/// # Safety
///
/// They are live and not used after.
pub(super) unsafe fn drop_items(block: &Block, items: *mut u8, made: usize) {
    if let Some(glue) = &block.glue {
        for index in 0..made {
            // SAFETY: the caller's promise.
            unsafe { glue.run(items.add(index * block.size)) };
        }
    }
}

/// Drops what is complete of the block's value when operation `failed` has failed: whole values
/// where they are complete, their parts where they are not.
///
/// # Safety
///
/// The operations before `failed` are done, and nothing of the value is used after.
#[cold]
#[inline(never)]
pub(super) unsafe fn unwind(block: &Block, failed: usize, base: *mut u8) {
    let mut next = block.unwind.len();
    while let Some(index) = next.checked_sub(1) {
        let entry = &block.unwind[index];
        if entry.end <= failed {
            // SAFETY: all operations of this value are done, so it is live; its parts are skipped.
            unsafe { entry.glue.run(base.add(entry.offset)) };
            next = entry.parts_from;
        } else {
            next = index;
        }
    }
}
