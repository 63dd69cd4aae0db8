//! A lone call that reads its reply itself.
//!
//! Each reader of the link is woken by the same waker, [`ReadWaker`]. It passes the wake on to the session's task or, where
//! one call is all that is going on in the session, to that call, which reads *inline*: it reads the link in its own task, and
//! its reply takes no way round by the session's.
//!
//! A future need not be polled when it is woken. So calls read inline only while they follow one another closely. Meanwhile
//! the session's task looks in every [`INLINE_TIME`]: a call that still reads inline by then no longer does. Whatever the peer sent
//! waits for that long at most.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

use super::sync::{AtomicU8, Mutex, MutexGuard};
use crate::catch_panic::catch_panic;
use crate::proto::Token;

/// A call reads inline where the one before it was made no longer ago than this.
pub(super) const INLINE_PACE: Duration = Duration::from_millis(1);
/// How long a call reads inline at most, twice, before the session's task reads again.
pub(super) const INLINE_TIME: Duration = Duration::from_millis(2);
/// How many calls do not read inline after one that kept the link waiting.
pub(super) const INLINE_PENALTY: u32 = 1024;

/// Who is woken when the link has something to read.
pub(super) struct ReadWaker {
    /// [`DRIVER`], [`INLINE`] or [`WAKE_PENDING`].
    pub(super) mode: AtomicU8,
    slot: Mutex<Slot>,
}

/// The session's task is woken.
const DRIVER: u8 = 0;
/// The call that reads inline is.
pub(super) const INLINE: u8 = 1;
/// The call that reads inline was, and nobody has read since.
pub(super) const WAKE_PENDING: u8 = 2;

pub(super) struct Slot {
    pub(super) driver: Waker,
    pub(super) inline: Waker,
}

/// Whether a call reads inline just now. Guarded with the rest of the state.
pub(super) struct InlineReader {
    /// The call that does.
    pub(super) by: Option<Token>,
    /// The waker that [`ReadWaker`] has for it.
    pub(super) waker: Waker,
    /// When the last call was made.
    pub(super) last: Option<Instant>,
    /// When the session's task looks in next.
    pub(super) due: Option<Instant>,
    /// How many calls have led since it did.
    pub(super) led: u32,
    /// How many calls must not.
    pub(super) penalty: u32,
}

impl Default for InlineReader {
    fn default() -> Self {
        Self { by: None, waker: Waker::noop().clone(), last: None, due: None, led: 0, penalty: 0 }
    }
}

impl ReadWaker {
    pub(super) fn new() -> Arc<Self> {
        let slot = Slot { driver: Waker::noop().clone(), inline: Waker::noop().clone() };
        Arc::new(Self { mode: AtomicU8::new(DRIVER), slot: Mutex::new(slot) })
    }

    pub(super) fn slot(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session's task has another waker.
    pub(super) fn set_driver(&self, waker: &Waker) {
        self.slot().driver = waker.clone();
    }

    /// No call reads inline any more. `true`: the session's task has to read, for the call has not.
    pub(super) fn end(&self) -> bool {
        self.mode.swap(DRIVER, Ordering::AcqRel) == WAKE_PENDING
    }

    /// Whether somebody has to read. If so, it is now the one who asks.
    #[inline]
    pub(super) fn take_owed(&self) -> bool {
        self.mode.compare_exchange(WAKE_PENDING, INLINE, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}

impl Wake for ReadWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let owed = self
            .mode
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |mode| (mode != DRIVER).then_some(WAKE_PENDING));
        if owed.is_err() {
            // A task of tokio's, whose wake takes no lock of ours.
            self.slot().driver.wake_by_ref();
            return;
        }
        // It is the link that wakes, whose thread is not the call's.
        catch_panic(|| {
            let inline = self.slot().inline.clone();
            inline.wake();
        });
    }
}
