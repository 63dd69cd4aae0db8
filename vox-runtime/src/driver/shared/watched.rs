//! Registers the session with the watchdog.

use std::cell::Cell;
use std::sync::Arc;

use super::super::blocking_watchdog::{self, HAS_WOKEN, Relievable};
use super::super::shared::Shared;

impl Shared {
    /// What the watchdog knows the session by, if it does.
    #[inline]
    pub(in crate::driver) fn watched(&self) -> Option<u64> {
        self.is_watched.then_some(self.number)
    }

    /// From now on the watchdog sees to this session.
    pub(in crate::driver) fn be_watched(self: &Arc<Self>) {
        if !self.is_watched {
            return;
        }
        let session: Arc<dyn Relievable> = Arc::<Self>::clone(self);
        blocking_watchdog::look_after(self.number, Arc::downgrade(&session));
    }

    /// The session is gone.
    pub(in crate::driver) fn be_forgotten(&self) {
        if self.is_watched {
            blocking_watchdog::forget(self.number);
        }
    }

    /// To be called before user code that may block. What a thread has woken last tokio keeps for that thread alone, to be run next, so it would
    /// wait for as long as that code blocks. A task that does nothing takes its place, and other threads can take what was woken.
    #[inline]
    pub(in crate::driver) fn share_woken(&self) {
        if self.watched().is_some() && HAS_WOKEN.try_with(Cell::take).unwrap_or(false) {
            drop(self.runtime.spawn(std::future::ready(())));
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.be_forgotten();
    }
}
