//! A map for keys of which nearly every new one is the greatest, and nearly every one that goes is the oldest.

use std::cmp::Ordering;
use std::collections::VecDeque;

/// A sorted map in runs of at most `RUN` entries, each below the next. What is newest is added to the last run without a
/// search, where a tree would walk down its whole edge and compare with every key on the way; and where the number of entries
/// stays in its range nothing is allocated.
///
/// An insertion or a removal out of order moves half a run at most. Two neighbours hold more than half a run together, so the
/// memory is in proportion to the entries, in whatever order they go.
#[derive(Debug, Clone)]
pub(crate) struct Sorted<K, V, const RUN: usize> {
    /// None is empty, unless it is the only one.
    runs: VecDeque<VecDeque<(K, V)>>,
    len: usize,
    /// The memory of a run that is gone.
    spare: VecDeque<(K, V)>,
}

/// Where an entry is: in which run, and at which place in it.
type Place = (usize, usize);

impl<K, V, const RUN: usize> Default for Sorted<K, V, RUN> {
    fn default() -> Self {
        Self { runs: VecDeque::new(), len: 0, spare: VecDeque::new() }
    }
}

impl<K: Ord, V, const RUN: usize> Sorted<K, V, RUN> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn first(&self) -> Option<(&K, &V)> {
        self.runs.front()?.front().map(|(key, value)| (key, value))
    }

    pub(crate) fn contains_key(&self, key: &K) -> bool {
        self.place(key).is_ok()
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        let (run, at) = self.place(key).ok()?;
        Some(&self.runs[run][at].1)
    }

    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let (run, at) = self.place(key).ok()?;
        Some(&mut self.runs[run][at].1)
    }

    /// All entries, in order.
    #[cfg(test)]
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.runs.iter().flatten().map(|(key, value)| (key, value))
    }

    /// The first entry above this key; the very first, where there is none.
    pub(crate) fn above(&self, key: Option<&K>) -> Option<(&K, &V)> {
        let Some(key) = key else { return self.first() };
        let (run, at) = self.place(key).map_or_else(|place| place, |(run, at)| (run, at + 1));
        let here = self.runs.get(run)?;
        let entry = here.get(at).or_else(|| self.runs.get(run + 1)?.front())?;
        Some((&entry.0, &entry.1))
    }

    /// Puts in an entry, and gives back the value that it takes the place of.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let (run, at) = match self.place(&key) {
            Ok((run, at)) => return Some(std::mem::replace(&mut self.runs[run][at].1, value)),
            Err(place) => place,
        };
        self.len += 1;
        match self.runs.get_mut(run) {
            Some(last) if last.len() < RUN && at == last.len() => last.push_back((key, value)),
            Some(here) if here.len() < RUN => here.insert(at, (key, value)),
            Some(full) if at < RUN => {
                let upper = full.split_off(RUN / 2);
                self.runs.insert(run + 1, upper);
                let (run, at) = if at <= RUN / 2 { (run, at) } else { (run + 1, at - RUN / 2) };
                self.runs[run].insert(at, (key, value));
            }
            // Above all that there is.
            _ => {
                let mut next = std::mem::take(&mut self.spare);
                next.push_back((key, value));
                self.runs.push_back(next);
            }
        }
        None
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let place = self.place(key).ok()?;
        self.take(place).map(|(_, value)| value)
    }

    pub(crate) fn pop_first(&mut self) -> Option<(K, V)> {
        self.take((0, 0))
    }

    /// Where a key is, or where it belongs: past the end of the last run, where it is above all.
    fn place(&self, key: &K) -> Result<Place, Place> {
        let Some((last, (greatest, _))) = self.runs.back().and_then(|last| Some((last, last.back()?))) else {
            return Err((0, 0));
        };
        // The newest and the oldest are the common cases.
        let end = (self.runs.len() - 1, last.len());
        match key.cmp(greatest) {
            Ordering::Greater => return Err(end),
            Ordering::Equal => return Ok((end.0, end.1 - 1)),
            Ordering::Less => {}
        }
        if self.first().is_some_and(|(least, _)| key == least) {
            return Ok((0, 0));
        }
        let run = match self.runs.len() {
            1 => 0,
            _ => self.runs.partition_point(|run| run.back().is_some_and(|(greatest, _)| greatest < key)),
        };
        let found = self.runs[run].binary_search_by(|(other, _)| other.cmp(key));
        found.map(|at| (run, at)).map_err(|at| (run, at))
    }

    fn take(&mut self, (run, at): Place) -> Option<(K, V)> {
        let here = self.runs.get_mut(run)?;
        let entry = match at {
            at if at + 1 == here.len() => here.pop_back(),
            0 => here.pop_front(),
            at => here.remove(at),
        }?;
        self.len -= 1;
        let is_empty = here.is_empty();
        match self.runs.len() {
            1 => {}
            _ if is_empty => self.spare = self.runs.remove(run).unwrap_or_default(),
            _ => {
                self.join(run);
                if let Some(before) = run.checked_sub(1) {
                    self.join(before);
                }
            }
        }
        Some(entry)
    }

    /// Makes one run of this and the next, where they are short.
    fn join(&mut self, run: usize) {
        let (Some(one), Some(next)) = (self.runs.get(run), self.runs.get(run + 1)) else { return };
        if one.len() + next.len() <= RUN / 2
            && let Some(mut next) = self.runs.remove(run + 1)
        {
            self.runs[run].append(&mut next);
            self.spare = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const RUN: usize = 16;

    /// What is put in, and what is taken out again.
    enum Turn {
        Put(u64),
        Take(u64),
        TakeFirst,
    }

    /// The same turns with a tree: whatever the order is, it holds the same, in memory for twice as much and two runs.
    fn check(turns: impl Iterator<Item = Turn>) {
        let (mut sorted, mut tree) = (Sorted::<u64, u64, RUN>::default(), BTreeMap::new());
        for (turn, what) in turns.enumerate() {
            let (turn, about) = (
                turn as u64,
                match what {
                    Turn::Put(key) | Turn::Take(key) => key,
                    Turn::TakeFirst => 0,
                },
            );
            match what {
                Turn::Put(key) => assert_eq!(sorted.insert(key, turn), tree.insert(key, turn)),
                Turn::Take(key) => assert_eq!(sorted.remove(&key), tree.remove(&key)),
                Turn::TakeFirst => assert_eq!(sorted.pop_first(), tree.pop_first()),
            }
            assert_eq!((sorted.len(), sorted.first()), (tree.len(), tree.first_key_value()));
            for key in [about, about + 1, about / 2] {
                assert_eq!(sorted.get(&key), tree.get(&key));
                assert_eq!(sorted.get_mut(&key), tree.get_mut(&key));
                assert_eq!(sorted.contains_key(&key), tree.contains_key(&key));
                assert_eq!(sorted.above(Some(&key)), tree.range(key + 1..).next());
            }
            assert_eq!(sorted.above(None), tree.first_key_value());
            let least = |pair: (&VecDeque<_>, &VecDeque<_>)| pair.0.len() + pair.1.len() > RUN / 2;
            assert!(sorted.runs.iter().zip(sorted.runs.iter().skip(1)).all(least), "{sorted:?}");
            assert!(
                sorted.runs.iter().all(|run| run.len() <= RUN && (!run.is_empty() || sorted.runs.len() == 1)),
                "{sorted:?}"
            );
        }
        assert!(sorted.iter().eq(tree.iter()));
    }

    #[test]
    fn keys_that_grow_are_kept_while_the_oldest_go() {
        check((0..2000).map(|n| if n % 3 == 2 { Turn::TakeFirst } else { Turn::Put(n) }));
        check((0..2000).map(|n| if n % 2 == 1 { Turn::Take(n - 1) } else { Turn::Put(n) }));
        check((0..2000_u64).map(|n| if n % 2 == 1 { Turn::Take(n.saturating_sub(65)) } else { Turn::Put(n) }));
    }

    #[test]
    fn keys_in_any_order_are_kept() {
        let scatter = |n: u64| n * 7919 % 1009;
        check((0..1000).map(scatter).map(Turn::Put));
        check((0..1000).rev().map(Turn::Put));
        check((0..3000).map(|n| if n % 5 < 3 { Turn::Put(scatter(n)) } else { Turn::Take(scatter(n * 31)) }));
    }

    #[test]
    fn what_is_left_of_many_takes_little_room() {
        // All but every tenth are taken, and then all.
        let (put, few) = ((0..2000).map(Turn::Put), (0..2000).filter(|n| n % 10 != 0));
        check(put.chain(few.map(|n| Turn::Take(n * 7 % 2000))).chain((0..2000).rev().map(Turn::Take)));
    }
}
