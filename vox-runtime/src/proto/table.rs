//! A table keyed by ids that only grow.

use std::collections::VecDeque;

/// Entries in the order of their ids. Ids are pushed in increasing order, so the table stays sorted by
/// itself: a look-up is one look where each id is the one before and two, and else a binary search, an insertion is a push,
/// and a removal leaves a gap that is dropped once gaps are the greater part. Nothing is allocated while the number of entries stays in its range.
#[derive(Debug)]
pub(crate) struct IdTable<T> {
    entries: VecDeque<(u64, Option<T>)>,
    live: usize,
}

impl<T> Default for IdTable<T> {
    fn default() -> Self {
        Self { entries: VecDeque::new(), live: 0 }
    }
}

impl<T> IdTable<T> {
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.live
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Adds an entry. `id` is greater than every id before it.
    #[inline]
    pub(crate) fn push(&mut self, id: u64, value: T) {
        debug_assert!(self.entries.back().is_none_or(|(last, _)| *last < id));
        self.entries.push_back((id, Some(value)));
        self.live += 1;
    }

    /// As [`push`](Self::push), into a table that seldom has more than one entry: for the first, it makes room for no more.
    #[inline]
    pub(crate) fn push_rare(&mut self, id: u64, value: T) {
        if self.entries.is_empty() {
            self.entries.reserve_exact(1);
        }
        self.push(id, value);
    }

    #[inline]
    fn index(&self, id: u64) -> Option<usize> {
        // The lone entry and the newest are the common cases.
        let (first, last) = (self.entries.front()?.0, self.entries.back()?.0);
        if last == id {
            return Some(self.entries.len() - 1);
        }
        // The ids of one end are odd or even. Where no gap was dropped but at the front, this is the place.
        let likely = usize::try_from(id.checked_sub(first)? / 2).ok()?;
        match self.entries.get(likely) {
            Some((found, _)) if *found == id => Some(likely),
            _ if id > last => None,
            _ => self.search(id),
        }
    }

    #[inline(never)]
    fn search(&self, id: u64) -> Option<usize> {
        visit(self.entries.len().max(1).ilog2() as usize);
        self.entries.binary_search_by_key(&id, |(id, _)| *id).ok()
    }

    #[inline]
    pub(crate) fn get(&self, id: u64) -> Option<&T> {
        self.entries[self.index(id)?].1.as_ref()
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: u64) -> Option<&mut T> {
        let index = self.index(id)?;
        self.entries[index].1.as_mut()
    }

    #[inline]
    pub(crate) fn remove(&mut self, id: u64) -> Option<T> {
        let index = self.index(id)?;
        let newest = index + 1 == self.entries.len();
        let value = if newest { self.entries.pop_back()?.1? } else { self.entries[index].1.take()? };
        self.live -= 1;
        // Without the newest there is no gap that was not there before.
        if !newest || self.entries.len() > self.max_entries() {
            self.drop_gaps();
        }
        Some(value)
    }

    /// Takes out the entry with the lowest id.
    #[inline]
    pub(crate) fn pop_first(&mut self) -> Option<T> {
        let value = self.entries.pop_front()?.1;
        debug_assert!(value.is_some(), "a gap comes first");
        self.live -= 1;
        self.drop_gaps();
        value
    }

    /// The lowest id.
    pub(crate) fn first(&self) -> Option<u64> {
        self.iter().next().map(|(id, _)| id)
    }

    /// How many entries there may be, gaps among them.
    fn max_entries(&self) -> usize {
        2 * self.live + 16
    }

    #[inline]
    fn drop_gaps(&mut self) {
        while self.entries.front().is_some_and(|(_, value)| value.is_none()) {
            self.entries.pop_front();
        }
        if self.entries.len() > self.max_entries() {
            self.close_up();
        }
    }

    #[inline(never)]
    fn close_up(&mut self) {
        visit(self.entries.len());
        self.entries.retain(|(_, value)| value.is_some());
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        self.entries.iter().inspect(|_| visit(1)).filter_map(|(id, value)| Some((*id, value.as_ref()?)))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (u64, &mut T)> {
        self.entries.iter_mut().inspect(|_| visit(1)).filter_map(|(id, value)| Some((*id, value.as_mut()?)))
    }

    /// The entries with ids from this one to that. No others are looked at.
    pub(crate) fn range(&self, first: u64, last: u64) -> impl Iterator<Item = (u64, &T)> {
        visit(self.entries.len().max(1).ilog2() as usize);
        let start = self.entries.partition_point(|(id, _)| *id < first);
        let entries = self.entries.range(start..).take_while(move |(id, _)| *id <= last);
        entries.inspect(|_| visit(1)).filter_map(|(id, value)| Some((*id, value.as_ref()?)))
    }
}

#[cfg(test)]
pub(super) use super::visits::visit;

/// So many entries were looked at.
#[cfg(not(test))]
#[inline(always)]
pub(super) fn visit(_: usize) {}

#[cfg(test)]
mod tests {
    use super::super::visits::visits;
    use super::*;

    #[test]
    fn a_range_has_the_entries_between_two_ids_and_looks_at_no_others() {
        let mut table = IdTable::default();
        (1..100_000).step_by(3).for_each(|id| table.push(id, id));
        table.remove(50_002);
        let ids = |first, last| table.range(first, last).map(|(id, _)| id).collect::<Vec<_>>();
        assert_eq!(ids(49_998, 50_006), [49_999, 50_005]);
        assert_eq!((ids(0, 0), ids(200_000, 300_000)), (vec![], vec![]));
        assert!(visits(|| drop(ids(49_998, 50_006))) < 20);
    }

    #[test]
    fn entries_are_found_until_they_are_removed() {
        let mut table = IdTable::default();
        for id in (1..200).step_by(2) {
            table.push(id, id * 10);
        }
        assert_eq!(table.get(57), Some(&570));
        assert_eq!(table.get(58), None);
        assert_eq!(table.remove(57), Some(570));
        assert_eq!(table.remove(57), None);
        assert_eq!(table.len(), 99);
        assert_eq!(table.iter().count(), 99);
    }

    #[test]
    fn the_lowest_entry_comes_out_first_past_the_gaps() {
        let mut table = IdTable::default();
        (1..=100).for_each(|id| table.push(id, id));
        for id in [1, 2, 5, 6, 7, 100] {
            table.remove(id);
        }
        let mut left: Vec<_> = (3..100).filter(|id| !(5..8).contains(id)).collect();
        assert_eq!(std::iter::from_fn(|| table.pop_first()).collect::<Vec<_>>(), left);
        assert!(table.is_empty() && table.entries.is_empty());
        // One that came out is gone, and those after it are found.
        left.iter().for_each(|id| table.push(*id, *id));
        left.remove(0);
        assert_eq!((table.pop_first(), table.remove(3), table.remove(4)), (Some(3), None, Some(4)));
        assert_eq!(table.pop_first(), Some(8));
    }

    #[test]
    fn one_old_entry_does_not_keep_the_gaps_of_many_new_ones() {
        let mut table = IdTable::default();
        table.push(1, ());
        for id in 2..10_000 {
            table.push(id, ());
            table.remove(id);
        }
        assert!(table.entries.len() < 32, "{}", table.entries.len());
        assert!(table.get(1).is_some());
    }
}
