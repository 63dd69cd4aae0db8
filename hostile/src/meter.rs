//! What a server costs: the bytes that its thread has allocated, and the time that a processor has spent on it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr::null;
use std::sync::atomic::{AtomicIsize, Ordering};
use std::time::Duration;

/// Counts one thread. It lives as long as the process: the allocator may look at it until the thread has ended.
pub(crate) struct Meter {
    live: AtomicIsize,
    peak: AtomicIsize,
    clock: libc::clockid_t,
}

thread_local! {
    static METER: Cell<*const Meter> = const { Cell::new(null()) };
}

impl Meter {
    /// A meter of the thread that calls this.
    pub(crate) fn of_this_thread() -> &'static Self {
        let mut clock = 0;
        // SAFETY: both arguments are this thread's own.
        let failed = unsafe { libc::pthread_getcpuclockid(libc::pthread_self(), &mut clock) };
        assert_eq!(failed, 0, "every thread has a clock");
        let meter = Self { live: AtomicIsize::new(0), peak: AtomicIsize::new(0), clock };
        let meter: &'static Self = Box::leak(Box::new(meter));
        METER.set(meter);
        meter
    }

    /// Bytes that were allocated and not given back.
    pub(crate) fn live(&self) -> isize {
        self.live.load(Ordering::SeqCst)
    }

    /// From here on the peak is counted anew.
    pub(crate) fn mark(&self) -> isize {
        let live = self.live();
        self.peak.store(live, Ordering::SeqCst);
        live
    }

    /// The most bytes since the last mark.
    pub(crate) fn peak(&self) -> isize {
        self.peak.load(Ordering::SeqCst)
    }

    /// The time that a processor has spent on the thread, which must still run.
    pub(crate) fn cpu(&self) -> Duration {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the clock is a thread's, and there is room for what it says.
        let failed = unsafe { libc::clock_gettime(self.clock, &mut time) };
        assert_eq!(failed, 0, "the thread runs");
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    }

    fn count(change: isize) {
        let Ok(meter) = METER.try_with(Cell::get) else { return };
        // SAFETY: it is none, or one that was leaked.
        let Some(meter) = (unsafe { meter.as_ref() }) else { return };
        // No other thread writes but who marks, so that counting costs next to nothing.
        let live = meter.live.load(Ordering::Relaxed) + change;
        meter.live.store(live, Ordering::Relaxed);
        if live > meter.peak.load(Ordering::Relaxed) {
            meter.peak.store(live, Ordering::Relaxed);
        }
    }
}

/// The system's allocator, counted.
pub(crate) struct Counting;

// SAFETY: the system's allocator does the work; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Meter::count(layout.size() as isize);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        Meter::count(-(layout.size() as isize));
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        Meter::count(size as isize - layout.size() as isize);
        // SAFETY: as the caller promises.
        unsafe { System.realloc(ptr, layout, size) }
    }
}
