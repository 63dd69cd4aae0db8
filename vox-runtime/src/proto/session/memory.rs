//! How much is kept because of the peer, and how much may be.

use super::Session;

impl Session {
    /// The bytes that are kept because of the peer: its messages that are not whole, its requests until their handlers have ended, its
    /// items until they are consumed, and what is written to it until it has read it, or acknowledged it where that is asked for.
    #[inline]
    pub(crate) fn memory(&self) -> usize {
        self.fx.ledger.sum() + self.arrivals.kept() + self.fx.outbox.held()
    }

    /// Whether a request that was just charged this, and is to be charged so much more, is one too many. One that is alone always fits.
    #[inline]
    pub(super) fn is_over_memory(&self, charge: usize, more: usize) -> bool {
        self.memory() + more > self.limits.session_memory && self.fx.ledger.sum() > charge
    }

    /// What is charged for requests and items.
    #[cfg(test)]
    pub(in super::super) fn kept_of_peer(&self) -> usize {
        self.fx.ledger.sum()
    }

    /// The sum of all charges is what a walk finds.
    #[cfg(test)]
    pub(in super::super) fn check_memory(&self) {
        self.arrivals.check_sums();
        let serving: usize = self.serving.iter().map(|(_, serving)| serving.walk()).sum();
        let calling: usize = self.calling.iter().map(|(_, calling)| calling.channels.walk()).sum();
        let unattached = self.detached.values().chain(self.aborting.values());
        let unattached: usize = unattached.map(super::Charge::bytes).sum();
        let found = serving + calling + unattached + self.fx.ledger.tails();
        assert_eq!(self.fx.ledger.sum(), found, "the sum of what is kept has drifted");
    }
}
