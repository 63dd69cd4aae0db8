//! The credit of a channel's sender: how many items and bytes it may send.
//!
//! A grant names both. An item may be sent while at least one item *and* at least one byte is left; its
//! bytes may overdraw what is left, so an item of any permitted length fits any window, and the receiver
//! holds at most its window and one message more. The receiver's side is [`Window`](super::receive_window::Window).

/// The most items or bytes that a sender's credit may ever be.
pub(crate) const CREDIT_CEILING: i64 = 1 << 31;

/// The sender's side: what it may still send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SendCredit {
    items: i64,
    bytes: i64,
}

impl SendCredit {
    pub(crate) fn new(items: u64, bytes: u64) -> Self {
        let clamp = |n: u64| i64::try_from(n).unwrap_or(CREDIT_CEILING).min(CREDIT_CEILING);
        Self { items: clamp(items), bytes: clamp(bytes) }
    }

    pub(crate) fn may_send(&self) -> bool {
        self.items > 0 && self.bytes > 0
    }

    /// What may still be sent, in items and bytes.
    pub(super) fn left(&self) -> (i64, i64) {
        (self.items, self.bytes)
    }

    /// Takes one item of `len` bytes. Only after [`may_send`](Self::may_send).
    pub(crate) fn charge(&mut self, len: usize) {
        debug_assert!(self.may_send());
        self.items -= 1;
        self.bytes -= len as i64;
    }

    /// Takes so many items at once, of so many bytes together. Only as many as each could have been sent after the others.
    pub(super) fn charge_run(&mut self, items: u32, bytes: usize) {
        debug_assert!(self.may_send());
        self.items -= i64::from(items);
        self.bytes -= bytes as i64;
    }

    /// Adds a grant. `Err` where it would pass the ceiling.
    pub(crate) fn grant(&mut self, items: u32, bytes: u32) -> Result<(), ()> {
        self.items += i64::from(items);
        self.bytes += i64::from(bytes);
        if self.items > CREDIT_CEILING || self.bytes > CREDIT_CEILING { Err(()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_past_the_ceiling_is_refused() {
        let mut credit = SendCredit::new(1, 1);
        assert_eq!(credit.grant(u32::MAX, 1), Err(()));
    }
}
