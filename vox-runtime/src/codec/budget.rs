//! What one message may cost its reader.

/// What a message may still cost while it is decoded: bytes of memory, and nesting.
///
/// Every allocation is charged by its size before it is made, with what the container takes beside its contents, so that a
/// short message cannot become a value of more than the budget. It is the same for every message, however short: a value
/// may be wide in memory and small on the wire. Items that take no bytes on the wire are charged a fixed number of bytes
/// each, so that they cannot be had for nothing either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    bytes: usize,
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
    pub const fn new(max_bytes: usize, depth: u32) -> Self {
        Self { bytes: max_bytes, limit: max_bytes, depth }
    }

    /// The budget of a message of `len` bytes under the default limits: the same for every length.
    #[must_use]
    pub const fn default_for(len: usize) -> Self {
        let _ = len;
        Self::new(Self::MAX_BYTES, Self::DEPTH)
    }

    /// Bytes of memory that may still be spent.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes of memory that could be spent at first.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// How deep values may nest.
    #[must_use]
    pub fn depth(&self) -> u32 {
        self.depth
    }

    /// What the message costs at least, if it is charged `bytes` more.
    pub(super) fn needed(&self, bytes: usize) -> usize {
        (self.limit - self.bytes).saturating_add(bytes)
    }

    /// Spends `bytes`, or spends nothing and says no.
    pub(super) fn charge(&mut self, bytes: usize) -> bool {
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
