//! What a test has of the heap. A test counts it when it has
//!
//! ```ignore
//! #[global_allocator]
//! static ALLOCATOR: support::heap::Counting = support::heap::Counting;
//! ```

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicIsize, Ordering};

/// The system's allocator, counted for each thread: a test on a single thread sees its own use.
pub struct Counting;

thread_local! {
    static ASKED: Cell<u64> = const { Cell::new(0) };
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

static LIVE_EVERYWHERE: AtomicIsize = AtomicIsize::new(0);

/// How often this thread has asked for memory.
pub fn asked() -> u64 {
    ASKED.get()
}

/// The bytes that this thread has asked for, less those that it has given back.
pub fn live() -> isize {
    LIVE.get()
}

/// As [`live`], of all threads.
pub fn live_everywhere() -> isize {
    LIVE_EVERYWHERE.load(Ordering::Relaxed)
}

/// What is live now, from which on [`grown`] counts.
pub fn mark() -> isize {
    PEAK.set(LIVE.get());
    LIVE.get()
}

/// How many bytes more than at the last mark were live at most since.
pub fn grown(mark: isize) -> isize {
    PEAK.get() - mark
}

fn count(change: isize) {
    LIVE_EVERYWHERE.fetch_add(change, Ordering::Relaxed);
    let _ = LIVE.try_with(|live| {
        live.set(live.get() + change);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(live.get())));
    });
}

fn ask() {
    let _ = ASKED.try_with(|asked| asked.set(asked.get() + 1));
}

// SAFETY: every call goes to the system's allocator as it came; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ask();
        count(layout.size() as isize);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        ask();
        count(layout.size() as isize);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ask();
        count(size as isize - layout.size() as isize);
        // SAFETY: as above.
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) }
    }
}
