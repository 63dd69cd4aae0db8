//! What one message may cost its reader.

/// What a message may still cost while it is decoded: bytes of memory, and nesting.
///
/// Every allocation is charged by the in-memory size of what it will hold before it is made, so a
/// short message cannot become a large value. Elements that take no bytes on the wire are charged
/// one byte each, so that they cannot be had for nothing either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    bytes: usize,
    depth: u32,
}

impl Budget {
    /// The most memory one message may become, by default.
    pub const MAX_BYTES: usize = 64 << 20;
    /// How many bytes of memory one byte of message may become, by default.
    pub const FACTOR: usize = 32;
    /// How deep values may nest, by default.
    pub const DEPTH: u32 = 64;
    /// What every message may become however short it is: values are honest and wide more often
    /// than they are long (one byte says "first variant" of an enum of 300 bytes).
    pub const FLOOR: usize = 64 << 10;

    /// The budget of a message of `len` bytes: `factor` times its length, at least
    /// [`Budget::FLOOR`], at most `max_bytes`.
    #[must_use]
    pub fn for_message(len: usize, max_bytes: usize, factor: usize, depth: u32) -> Self {
        let bytes = len.saturating_mul(factor).max(Self::FLOOR).min(max_bytes);
        Self { bytes, depth }
    }

    /// The budget of a message of `len` bytes under the default limits.
    #[must_use]
    pub fn default_for(len: usize) -> Self {
        Self::for_message(len, Self::MAX_BYTES, Self::FACTOR, Self::DEPTH)
    }

    /// Bytes of memory that may still be spent.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How deep values may nest.
    #[must_use]
    pub fn depth(&self) -> u32 {
        self.depth
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
    fn budget_is_the_factor_between_floor_and_maximum() {
        let of = |len| Budget::for_message(len, 1 << 20, 32, 64).bytes();
        assert_eq!(of(0), Budget::FLOOR);
        assert_eq!(of(4096), 4096 * 32);
        assert_eq!(of(usize::MAX), 1 << 20);
        assert_eq!(Budget::for_message(9, 10, 32, 64).bytes(), 10);
    }

    #[test]
    fn a_refused_charge_costs_nothing() {
        let mut budget = Budget::for_message(0, 100, 1, 1);
        assert!(!budget.charge(101));
        assert!(budget.charge(100));
        assert!(!budget.charge(1));
        assert!(budget.charge(0));
    }
}
