//! Sessions that wait for a link, and which of them ends first where they are too many.
//!
//! The peer that has the most of them gives up one: first those over which nothing ever came, then the one that has waited
//! longest. So a peer that fills the table with handshakes pushes out its own sessions.

use std::collections::{BTreeMap, BTreeSet};

/// The sessions of one server that wait for a link.
#[derive(Default)]
pub(super) struct Detached {
    holders: BTreeMap<u64, Holder>,
    /// The accounts, by how many they have.
    by_count: BTreeSet<(usize, u64)>,
    len: usize,
    next: u64,
}

/// Those of one account, by the order in which they came: of no use yet, and others.
#[derive(Default)]
struct Holder {
    unused: BTreeMap<u64, u64>,
    used: BTreeMap<u64, u64>,
}

/// Where a session waits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    account: u64,
    is_used: bool,
    order: u64,
}

impl Holder {
    fn len(&self) -> usize {
        self.unused.len() + self.used.len()
    }

    fn half(&mut self, is_used: bool) -> &mut BTreeMap<u64, u64> {
        if is_used { &mut self.used } else { &mut self.unused }
    }
}

impl Detached {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Adds a session that begins to wait. `account`: whose it is; those of which nothing is known share one.
    pub(super) fn push(&mut self, account: u64, is_used: bool, session: u64) -> Place {
        self.next += 1;
        let place = Place { account, is_used, order: self.next };
        self.change(account, |holder| holder.half(is_used).insert(place.order, session));
        self.len += 1;
        place
    }

    /// It waits no more, if it still did.
    pub(super) fn remove(&mut self, place: Place) {
        if self.change(place.account, |holder| holder.half(place.is_used).remove(&place.order)).is_some() {
            self.len -= 1;
        }
    }

    /// Takes out the one that gives up.
    pub(super) fn pop(&mut self) -> Option<u64> {
        let &(_, account) = self.by_count.last()?;
        let (_, session) =
            self.change(account, |holder| holder.unused.pop_first().or_else(|| holder.used.pop_first()))?;
        self.len -= 1;
        Some(session)
    }

    fn change<T>(&mut self, account: u64, change: impl FnOnce(&mut Holder) -> T) -> T {
        let holder = self.holders.entry(account).or_default();
        let before = holder.len();
        let changed = change(holder);
        let after = holder.len();
        self.by_count.remove(&(before, account));
        match after {
            0 => drop(self.holders.remove(&account)),
            _ => drop(self.by_count.insert((after, account))),
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_the_most_gives_up_first_what_was_of_no_use() {
        let mut detached = Detached::default();
        detached.push(1, true, 10);
        detached.push(2, true, 20);
        detached.push(2, false, 21);
        detached.push(2, false, 22);
        let place = detached.push(3, false, 30);
        assert_eq!(detached.len(), 5);
        detached.remove(place);
        detached.remove(place);
        assert_eq!(detached.len(), 4);
        assert_eq!(detached.pop(), Some(21));
        assert_eq!(detached.pop(), Some(22));
        // Two that have as many: whose account is newer.
        assert_eq!((detached.pop(), detached.pop(), detached.pop()), (Some(20), Some(10), None));
        assert_eq!((detached.len(), detached.holders.len(), detached.by_count.len()), (0, 0, 0));
    }

    /// However the strangers come, one of another account stays.
    #[test]
    fn a_session_outlives_any_number_of_strangers() {
        let mut detached = Detached::default();
        detached.push(1, true, 7);
        for n in 0..10_000 {
            detached.push(2 + n % 3, n % 2 == 0, 100 + n);
            if detached.len() > 64 {
                assert_ne!(detached.pop(), Some(7));
            }
        }
        assert_eq!(detached.len(), 64);
    }
}
