//! The memory that a session leases from what it shares with others.

use std::sync::Arc;

use super::Session;
use crate::error::{Scarce, Short};
use crate::limits::{Purse, Refused};

/// What a session may keep without taking it from anywhere: idle ones and small calls cost nothing, and always have room.
pub(crate) const FREE: usize = 64 << 10;
/// What is taken and given back at a time.
const PIECE: usize = 64 << 10;

impl Session {
    /// Takes the memory for what is kept from this purse, from now on.
    pub(crate) fn takes_from(&mut self, purse: Arc<Box<dyn Purse>>) {
        self.purse = Some(purse);
    }

    /// Whether so much may be kept in all, as far as it is taken from what others have as well.
    #[inline]
    pub(super) fn has_share(&mut self, kept: usize) -> bool {
        let kept = kept - self.taken_elsewhere();
        kept <= FREE || self.has_lease(kept)
    }

    /// What stands is taken by those who share it, once for all of them. It takes of what is free here all the same.
    #[inline]
    fn taken_elsewhere(&self) -> usize {
        self.fx.ledger.standing().saturating_sub(FREE)
    }

    /// As [`has_share`](Self::has_share). What was taken at any rate, beyond what there is, is no room for more.
    fn has_lease(&mut self, kept: usize) -> bool {
        let Some(purse) = &self.purse else { return true };
        if kept > self.leased() {
            return self.lease(kept, false);
        }
        let (taken, limit) = purse.sums();
        taken <= limit
    }

    /// Whether others have nearly all that there is, and this session has more than its free share.
    #[inline]
    pub(crate) fn shares_are_low(&self) -> bool {
        self.purse.as_ref().is_some_and(|purse| purse.is_low())
    }

    /// Takes what is kept by now, and gives back what is not.
    #[inline]
    pub(super) fn settle_lease(&mut self) {
        if self.purse.is_none() {
            return;
        }
        let (memory, leased) = (self.memory() - self.taken_elsewhere(), self.leased());
        if memory > leased {
            let _taken = self.lease(memory, true);
        } else if self.pieces > 0 && (memory + 2 * PIECE < leased || memory <= FREE / 2) {
            self.give_back(memory);
        }
    }

    #[inline]
    fn leased(&self) -> usize {
        FREE + self.pieces as usize * PIECE
    }

    #[cold]
    fn lease(&mut self, kept: usize, at_any_rate: bool) -> bool {
        let Some(purse) = &self.purse else { return true };
        let missing = (kept - self.leased()).div_ceil(PIECE);
        let taken = purse.take(missing * PIECE, at_any_rate);
        self.pieces += if taken { missing as u32 } else { 0 };
        taken
    }

    #[cold]
    fn give_back(&mut self, kept: usize) {
        let needed = kept.saturating_sub(FREE).div_ceil(PIECE);
        let spare = self.pieces as usize - needed;
        if let Some(purse) = &self.purse {
            purse.give_back(spare * PIECE);
            self.pieces = needed as u32;
        }
    }

    /// What is short where so much may not be kept, for others have the rest.
    #[cold]
    pub(super) fn short_of_shares(&self, kept: usize) -> Short {
        let (taken, most) = self.purse.as_ref().map_or((0, 0), |purse| purse.sums());
        let missing = kept.saturating_sub(self.taken_elsewhere() + self.leased()).div_ceil(PIECE);
        Short::new(Scarce::ServerMemory, taken + missing * PIECE, most)
    }

    /// Something was turned down, or has to wait: the sessions that have memory in common count it together.
    pub(crate) fn note_refused(&self, what: Refused) {
        if let Some(purse) = &self.purse {
            purse.note(what);
        }
    }

    /// How much is kept of all sessions together, and how much may be, where that is what is short.
    pub(super) fn shares(&self) -> Option<(usize, usize)> {
        let purse = self.purse.as_ref().filter(|_| self.memory() <= self.limits.session_memory)?;
        Some(purse.sums())
    }

    #[cfg(test)]
    pub(in super::super) fn settle_lease_now(&mut self) {
        self.settle_lease();
    }

    /// What is taken is what is kept, but for what is not worth giving back.
    #[cfg(test)]
    pub(in super::super) fn check_lease(&self) {
        if self.purse.is_none() {
            return;
        }
        let (memory, leased) = (self.memory() - self.taken_elsewhere(), self.leased());
        assert!(memory <= leased, "{memory} bytes are kept, of {leased} taken");
        assert!(self.pieces == 0 || leased <= memory + 2 * PIECE, "{leased} bytes are taken for {memory}");
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.leave_line() {
            self.call_next_in_line();
        }
        if self.pieces > 0
            && let Some(purse) = &self.purse
        {
            purse.give_back(self.pieces as usize * PIECE);
        }
    }
}
