//! The memory that all sessions of a server have in common.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::limits::{Purse, Refusals, Refused};

/// What is taken of it. Sessions ask rarely, and for much at a time.
#[derive(Debug)]
pub(super) struct ServerMemory {
    limit: usize,
    taken: AtomicUsize,
    /// What its sessions turned down.
    refused: [AtomicU64; Refused::COUNT],
}

impl ServerMemory {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, taken: AtomicUsize::new(0), refused: Default::default() }
    }
}

impl Purse for ServerMemory {
    fn take(&self, bytes: usize, at_any_rate: bool) -> bool {
        let more = |taken: usize| taken.checked_add(bytes).filter(|sum| at_any_rate || *sum <= self.limit);
        self.taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).is_ok()
    }

    fn give_back(&self, bytes: usize) {
        let before = self.taken.fetch_sub(bytes, Ordering::AcqRel);
        debug_assert!(bytes <= before, "{bytes} bytes are given back, of {before}");
    }

    fn is_low(&self) -> bool {
        self.taken.load(Ordering::Relaxed) > self.limit - self.limit / 16
    }

    fn sums(&self) -> (usize, usize) {
        (self.taken.load(Ordering::Acquire), self.limit)
    }

    fn note(&self, what: Refused) {
        self.refused[what as usize].fetch_add(1, Ordering::Relaxed);
    }

    fn refusals(&self) -> Refusals {
        std::array::from_fn(|what| self.refused[what].load(Ordering::Relaxed)).into()
    }
}
