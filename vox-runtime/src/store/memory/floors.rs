//! The floors: below them, nothing can be said of an operation without a record.

use std::collections::HashMap;

use crate::operation::{OperationId, OperationKey, Principal};

/// The newest id that was forgotten, of all principals and of each.
#[derive(Clone)]
pub(super) struct Floors {
    all: OperationId,
    each: HashMap<Principal, OperationId>,
}

impl Default for Floors {
    fn default() -> Self {
        Self { all: OperationId::from_u128(0), each: HashMap::new() }
    }
}

impl Floors {
    /// Whether an operation without a record may have had one.
    pub(super) fn cover(&self, key: &OperationKey) -> bool {
        key.id <= self.all || self.each.get(&key.principal).is_some_and(|floor| key.id <= *floor)
    }

    /// An operation was forgotten that everybody's ids are too old for, unless the clock goes back.
    pub(super) fn forget_expired(&mut self, id: OperationId) {
        self.all = self.all.max(id);
    }

    /// An operation was forgotten for want of room, which is to harm its principal alone.
    pub(super) fn forget(&mut self, key: OperationKey, max: usize) {
        let floor = self.each.entry(key.principal).or_insert(key.id);
        *floor = key.id.max(*floor);
        if self.each.len() > max {
            self.merge();
        }
    }

    /// Makes the lower half of the floors one floor for all.
    fn merge(&mut self) {
        let mut ids: Vec<_> = self.each.values().copied().collect();
        ids.sort_unstable();
        self.all = self.all.max(ids[ids.len() / 2]);
        self.each.retain(|_, floor| *floor > self.all);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(principal: &str, id: u128) -> OperationKey {
        OperationKey { id: OperationId::from_u128(id), principal: Principal::new(principal) }
    }

    #[test]
    fn a_floor_is_its_principals_alone_until_there_are_too_many() {
        let mut floors = Floors::default();
        floors.forget(key("a", 10), 4);
        floors.forget(key("a", 5), 4);
        assert!(floors.cover(&key("a", 10)));
        assert!(!floors.cover(&key("a", 11)));
        assert!(!floors.cover(&key("b", 10)));

        for (principal, id) in [("b", 20), ("c", 30), ("d", 40), ("e", 50)] {
            floors.forget(key(principal, id), 4);
        }
        assert_eq!(floors.each.len(), 2);
        assert!(floors.cover(&key("z", 30)));
        assert!(!floors.cover(&key("z", 31)));
        assert!(floors.cover(&key("e", 50)));
        assert!(!floors.cover(&key("d", 50)));
    }

    #[test]
    fn what_is_too_old_is_so_for_all() {
        let mut floors = Floors::default();
        floors.forget_expired(OperationId::from_u128(10));
        floors.forget_expired(OperationId::from_u128(5));
        assert!(floors.cover(&key("a", 10)));
        assert!(!floors.cover(&key("a", 11)));
    }
}
