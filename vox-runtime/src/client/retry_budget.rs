//! The retry budget: how many calls may be made again after their sessions were lost. A call that makes its server fail does not come back for ever,
//! nor do many of them keep a server down that is about to come up.

use std::sync::atomic::{AtomicU32, Ordering};

/// What making a call again takes away, and what every call that succeeds gives back: ten of them make up for one.
const COST: u32 = 10;
const REFILL: u32 = 1;

/// As much as is ever there. All calls that a peer's connections can have in flight, by default, may be made again.
const FULL: u32 = 2048 * COST;

/// A bucket of tokens. What is kept is how much is missing, so that who finds it full, as ever on a peer that is well, only looks.
#[derive(Debug, Default)]
pub(super) struct Budget {
    missing: AtomicU32,
}

impl Budget {
    /// Takes leave to make a call again that may have run. `false`: too many were.
    pub(super) fn spend(&self) -> bool {
        let spend = |missing: u32| Some(missing + COST).filter(|missing| *missing <= FULL);
        self.missing.fetch_update(Ordering::Relaxed, Ordering::Relaxed, spend).is_ok()
    }

    /// A call that was made again has been answered: it was worth it.
    pub(super) fn refund(&self) {
        self.give(COST);
    }

    /// A call has been answered, as `is_success` says by its handler.
    #[inline]
    pub(super) fn refill(&self, is_success: impl FnOnce() -> bool) {
        if self.missing.load(Ordering::Relaxed) != 0 && is_success() {
            self.give(REFILL);
        }
    }

    #[cold]
    fn give(&self, tokens: u32) {
        let give = |missing: u32| Some(missing.saturating_sub(tokens));
        let _ = self.missing.fetch_update(Ordering::Relaxed, Ordering::Relaxed, give);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spent_comes_back_with_success_and_never_more() {
        let budget = Budget::default();
        let spendable = || (0..).take_while(|_| budget.spend()).count();
        assert_eq!(spendable(), 2048);
        (0..9).for_each(|_| budget.refill(|| true));
        (0..1000).for_each(|_| budget.refill(|| false));
        assert_eq!(spendable(), 0);
        budget.refill(|| true);
        assert_eq!(spendable(), 1);
        budget.refund();
        assert_eq!(spendable(), 1);
        (0..100_000).for_each(|_| budget.refill(|| true));
        budget.refund();
        assert_eq!(spendable(), 2048);
    }
}
