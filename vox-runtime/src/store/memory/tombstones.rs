//! The keys of acknowledged operations, in order: ids grow with time, so nearly all of them come at the end.

use std::collections::VecDeque;

use crate::operation::OperationKey;

/// How many keys one run holds at most: what an insertion out of order may have to move.
const RUN: usize = 512;

/// A set of keys in sorted runs, each below the next. What is newest is added to the last run without a search, where
/// a tree would walk down its whole edge and compare with every key on the way.
#[derive(Clone, Default)]
pub(super) struct Tombstones {
    /// None is empty.
    runs: VecDeque<VecDeque<OperationKey>>,
    len: usize,
}

impl Tombstones {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn first(&self) -> Option<&OperationKey> {
        self.runs.front()?.front()
    }

    fn last(&self) -> Option<&OperationKey> {
        self.runs.back()?.back()
    }

    pub(super) fn contains(&self, key: &OperationKey) -> bool {
        // Most that are asked for are newer than all that is over.
        self.last().is_some_and(|last| key <= last)
            && self.runs.get(self.run_of(key)).is_some_and(|run| run.binary_search(key).is_ok())
    }

    pub(super) fn insert(&mut self, key: OperationKey) {
        if self.last().is_none_or(|last| *last < key) {
            self.len += 1;
            match self.runs.back_mut() {
                Some(run) if run.len() < RUN => run.push_back(key),
                _ => self.runs.push_back(VecDeque::from([key])),
            }
            return;
        }
        let at = self.run_of(&key);
        let Some(run) = self.runs.get_mut(at) else { return };
        let Err(place) = run.binary_search(&key) else { return };
        run.insert(place, key);
        self.len += 1;
        if run.len() > RUN {
            let upper = run.split_off(RUN / 2);
            self.runs.insert(at + 1, upper);
        }
    }

    pub(super) fn pop_first(&mut self) -> Option<OperationKey> {
        let run = self.runs.front_mut()?;
        let first = run.pop_front();
        if run.is_empty() {
            self.runs.pop_front();
        }
        self.len -= usize::from(first.is_some());
        first
    }

    /// The first run that does not end below the key.
    fn run_of(&self, key: &OperationKey) -> usize {
        self.runs.partition_point(|run| run.back().is_some_and(|last| last < key))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::operation::{OperationId, Principal};

    /// The same insertions and removals into a tree: whatever the order is, it holds the same.
    fn check(ids: impl Iterator<Item = u128>) {
        let key = |id| OperationKey { id: OperationId::from_u128(id), principal: Principal::anonymous() };
        let (mut set, mut tree) = (Tombstones::default(), BTreeSet::new());
        for (turn, id) in ids.enumerate() {
            set.insert(key(id));
            tree.insert(key(id));
            if turn % 3 == 0 {
                assert_eq!(set.pop_first(), tree.pop_first());
            }
            assert_eq!((set.len(), set.first(), set.last()), (tree.len(), tree.first(), tree.last()));
            for other in [id, id + 1, id / 2] {
                assert_eq!(set.contains(&key(other)), tree.contains(&key(other)));
            }
        }
        while let Some(first) = tree.pop_first() {
            assert_eq!(set.pop_first(), Some(first));
        }
        assert_eq!((set.len(), set.pop_first()), (0, None));
    }

    #[test]
    fn keys_that_grow_are_kept() {
        check(0..5000);
    }

    #[test]
    fn keys_in_any_order_are_kept() {
        check((0..5000_u128).map(|n| n * 7919 % 5003));
        check((0..5000).rev());
        check((0..5000).map(|n| n / 2 * 31 % 100));
    }
}
