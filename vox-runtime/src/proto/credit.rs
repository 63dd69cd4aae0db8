//! What a channel's sender may send, counted in items and in bytes.
//!
//! A grant names both. An item may be sent while at least one item *and* at least one byte is left; its
//! bytes may overdraw what is left, so an item of any permitted length fits any window, and the receiver
//! holds at most its window and one message more.

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

    /// Takes one item of `len` bytes. Only after [`may_send`](Self::may_send).
    pub(crate) fn charge(&mut self, len: usize) {
        debug_assert!(self.may_send());
        self.items -= 1;
        self.bytes -= len as i64;
    }

    /// Adds a grant. `Err` where it would pass the ceiling.
    pub(crate) fn grant(&mut self, items: u32, bytes: u32) -> Result<(), ()> {
        self.items += i64::from(items);
        self.bytes += i64::from(bytes);
        if self.items > CREDIT_CEILING || self.bytes > CREDIT_CEILING { Err(()) } else { Ok(()) }
    }
}

/// The receiver's side: what the sender may still send, and what was consumed and not yet granted again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    size: (i64, i64),
    left: (i64, i64),
    consumed: (i64, i64),
}

impl Window {
    pub(crate) fn new(items: u32, bytes: u32) -> Self {
        let size = (i64::from(items.max(1)), i64::from(bytes.max(1)));
        Self { size, left: size, consumed: (0, 0) }
    }

    /// Counts an item that arrived. `Err` where the sender had no credit for it.
    pub(crate) fn receive(&mut self, len: usize) -> Result<(), ()> {
        if self.left.0 <= 0 || self.left.1 <= 0 {
            return Err(());
        }
        self.left.0 -= 1;
        self.left.1 -= len as i64;
        Ok(())
    }

    /// The items that arrived and were not consumed, and their bytes.
    #[cfg(test)]
    pub(crate) fn kept(&self) -> (i64, i64) {
        (self.size.0 - self.left.0 - self.consumed.0, self.size.1 - self.left.1 - self.consumed.1)
    }

    /// Counts items that were consumed. Gives back a grant once half the window is consumed, so that grants
    /// are few and the sender never runs dry while its reader keeps up; or, where memory `is_short`, once all that came is.
    pub(crate) fn consume(&mut self, items: u32, bytes: u64, is_short: bool) -> Option<(u32, u32)> {
        self.consumed.0 += i64::from(items);
        self.consumed.1 += i64::try_from(bytes).unwrap_or(CREDIT_CEILING);
        if self.consumed.0 * 2 < self.size.0 && self.consumed.1 * 2 < self.size.1 {
            return None;
        }
        if is_short && self.left.0 + self.consumed.0 < self.size.0 {
            return None;
        }
        let grant = std::mem::take(&mut self.consumed);
        self.left.0 += grant.0;
        self.left.1 += grant.1;
        let narrow = |n: i64| u32::try_from(n).unwrap_or(u32::MAX);
        Some((narrow(grant.0), narrow(grant.1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pitfall 31: what a sender has, what is under way and what is consumed always sum to the window.
    #[test]
    fn pitfall_31_grants_never_exceed_what_was_consumed() {
        let mut window = Window::new(16, 1000);
        let mut credit = SendCredit::new(16, 1000);
        let mut seed = 7u64;
        let mut queue = std::collections::VecDeque::new();
        for _ in 0..100_000 {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let len = (seed >> 33) as usize % 300;
            if seed >> 63 == 0 && credit.may_send() {
                credit.charge(len);
                window.receive(len).expect("a sender with credit is never refused");
                queue.push_back(len);
            } else if let Some(len) = queue.pop_front()
                && let Some((items, bytes)) = window.consume(1, len as u64, seed & 64 == 0)
            {
                credit.grant(items, bytes).expect("honest grants stay under the ceiling");
            }
            assert!(queue.len() <= 16);
            assert_eq!((credit.items, credit.bytes), window.left);
            let queued: usize = queue.iter().sum();
            assert_eq!(window.left.0 + window.consumed.0 + queue.len() as i64, 16);
            assert_eq!(window.left.1 + window.consumed.1 + queued as i64, 1000);
        }
    }

    #[test]
    fn a_grant_past_the_ceiling_is_refused() {
        let mut credit = SendCredit::new(1, 1);
        assert_eq!(credit.grant(u32::MAX, 1), Err(()));
    }

    #[test]
    fn where_memory_is_short_only_who_has_read_everything_is_granted_more() {
        let mut window = Window::new(4, 100);
        (0..4).for_each(|_| window.receive(10).expect("credit"));
        assert_eq!([window.consume(2, 20, true), window.consume(1, 10, true)], [None, None]);
        assert_eq!(window.consume(1, 10, true), Some((4, 40)));
        (0..4).for_each(|_| window.receive(10).expect("credit"));
        assert_eq!([window.consume(2, 20, true), window.consume(1, 10, false)], [None, Some((3, 30))]);
    }

    #[test]
    fn one_item_may_overdraw_the_window_and_the_next_may_not() {
        let mut window = Window::new(4, 100);
        assert_eq!(window.receive(5000), Ok(()));
        assert_eq!(window.receive(1), Err(()));
        assert_eq!(window.consume(1, 5000, true), Some((1, 5000)));
        assert_eq!(window.receive(1), Ok(()));
    }
}
