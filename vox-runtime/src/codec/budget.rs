//! The most that decoding one message may cost.

/// What a message may still cost while it is decoded: bytes of memory, and nesting.
///
/// Every allocation is charged by its size before it is made, with what the container takes beside its contents, so that a
/// short message cannot become a value of more than the budget. It is the same for every message, however short: a value
/// may be wide in memory and small on the wire. Items that take no bytes on the wire are charged a fixed number of bytes
/// each, so that they cannot be had for nothing either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    bytes: usize,
    /// What may be spent beyond that, where the keeper of the value allows it.
    rest: usize,
    limit: usize,
    depth: u32,
}

impl Budget {
    /// The most memory one message may become, by default.
    pub const MAX_BYTES: usize = 64 << 20;
    /// How deep values may nest, by default. Each box, owner, collection, option, result and variant with members is a
    /// level of its own.
    pub const DEPTH: u32 = 128;
    /// The most items of one collection that take no bytes on the wire, such as those of a `Vec<()>`.
    pub const EMPTY_ITEMS: usize = 65_536;

    /// A budget of `max_bytes` of memory and `depth` levels of nesting.
    #[must_use]
    #[inline]
    pub const fn new(max_bytes: usize, depth: u32) -> Self {
        Self { bytes: max_bytes, rest: 0, limit: max_bytes, depth }
    }

    /// The budget of a message of `len` bytes under the default limits: the same for every length.
    #[must_use]
    pub const fn default_for(len: usize) -> Self {
        let _ = len;
        Self::new(Self::MAX_BYTES, Self::DEPTH)
    }

    /// The same budget, of which more than the first `bytes` are to be asked for.
    #[must_use]
    pub(crate) fn with_first(self, bytes: usize) -> Self {
        let first = self.bytes.min(bytes);
        Self { bytes: first, rest: self.bytes - first, ..self }
    }

    /// Bytes of memory that may still be spent.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes + self.rest
    }

    /// Bytes of memory that are spent.
    pub(crate) fn spent(&self) -> usize {
        self.limit - self.bytes()
    }

    /// How much of it was asked for, where it was given so much at first.
    pub(crate) fn asked(&self, first: usize) -> usize {
        self.limit.saturating_sub(first) - self.rest
    }

    /// How much has to be asked for before `bytes` more can be spent, a `piece` at least where there is so much. `None`: there is not.
    pub(super) fn lacks(&self, bytes: usize, piece: usize) -> Option<usize> {
        let lacking = bytes.saturating_sub(self.bytes);
        (lacking > 0 && lacking <= self.rest).then(|| lacking.max(piece).min(self.rest))
    }

    /// So much of the rest was asked for, and may be spent.
    pub(super) fn allow(&mut self, bytes: usize) {
        self.rest -= bytes;
        self.bytes += bytes;
    }

    /// Bytes of memory that could be spent at first.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// How deep values may nest.
    #[must_use]
    #[inline]
    pub fn depth(&self) -> u32 {
        self.depth
    }

    /// What the message costs at least, if it is charged `bytes` more.
    pub(crate) fn needed(&self, bytes: usize) -> usize {
        self.spent().saturating_add(bytes)
    }

    /// Spends `bytes`, or spends nothing and says no.
    pub(crate) fn charge(&mut self, bytes: usize) -> bool {
        match self.bytes.checked_sub(bytes) {
            Some(left) => {
                self.bytes = left;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Budget;

    #[test]
    fn what_is_to_be_asked_for_is_part_of_the_budget() {
        let mut budget = Budget::new(100, 1).with_first(10);
        assert_eq!((budget.bytes(), budget.spent()), (100, 0));
        assert!(!budget.charge(11));
        assert_eq!([budget.lacks(10, 5), budget.lacks(11, 5), budget.lacks(90, 5)], [None, Some(5), Some(80)]);
        assert_eq!([budget.lacks(100, 5), budget.lacks(101, 5), budget.lacks(11, 500)], [Some(90), None, Some(90)]);
        assert_eq!(budget.asked(10), 0);
        budget.allow(80);
        assert_eq!(budget.asked(10), 80);
        assert!(budget.charge(90));
        assert_eq!((budget.bytes(), budget.spent(), budget.needed(1)), (10, 90, 91));
    }

    #[test]
    fn a_refused_charge_costs_nothing() {
        let mut budget = Budget::new(100, 1);
        assert!(!budget.charge(101));
        assert!(budget.charge(60));
        assert_eq!((budget.bytes(), budget.limit(), budget.needed(41)), (40, 100, 101));
        assert!(budget.charge(40));
        assert!(!budget.charge(1));
        assert!(budget.charge(0));
    }
}
