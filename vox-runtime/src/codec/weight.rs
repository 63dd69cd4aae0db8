//! The memory that compiled programs take which a peer has caused.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The bytes of all that was made under it. What keeps these is charged for them. It never grows less.
#[derive(Debug, Clone, Default)]
pub(crate) struct Weight(Arc<AtomicUsize>);

/// What an allocation takes beside what is in it.
pub(crate) const ALLOCATION: usize = 16;

impl Weight {
    pub(crate) fn add(&self, bytes: usize) {
        self.0.fetch_add(bytes, Ordering::AcqRel);
    }

    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }
}

/// The bytes of so many of these side by side, with what their allocation takes.
pub(crate) fn many<T>(len: usize) -> usize {
    if len == 0 { 0 } else { len * size_of::<T>() + ALLOCATION }
}
