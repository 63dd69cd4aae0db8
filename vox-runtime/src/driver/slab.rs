//! Values under tokens. A token never names another value.

use crate::proto::Token;

/// A table whose keys are handed out by it. A removed entry is used again, under another token: one that is kept for too long
/// finds nothing.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    entries: Vec<Entry<T>>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Entry<T> {
    /// How often the entry was used before. It begins anew after 2³² times.
    generation: u32,
    value: Option<T>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slab<T> {
    #[inline]
    pub(crate) fn insert(&mut self, value: T) -> Token {
        if let Some(index) = self.free.pop() {
            let entry = &mut self.entries[index as usize];
            entry.value = Some(value);
            return Token::new(index, entry.generation);
        }
        let index = u32::try_from(self.entries.len()).expect("bounded by the limits on calls and channels");
        self.entries.push(Entry { generation: 0, value: Some(value) });
        Token::new(index, 0)
    }

    #[inline]
    fn entry(&mut self, token: Token) -> Option<&mut Entry<T>> {
        self.entries.get_mut(token.index() as usize).filter(|entry| entry.generation == token.generation())
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, token: Token) -> Option<&mut T> {
        self.entry(token)?.value.as_mut()
    }

    #[inline]
    pub(crate) fn remove(&mut self, token: Token) -> Option<T> {
        let entry = self.entry(token)?;
        let value = entry.value.take()?;
        entry.generation = entry.generation.wrapping_add(1);
        self.free.push(token.index());
        Some(value)
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.entries.iter_mut().filter_map(|entry| entry.value.as_mut())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_token_finds_nothing_though_its_entry_is_used_again() {
        let mut slab = Slab::default();
        let first = slab.insert("first");
        assert_eq!(slab.remove(first), Some("first"));
        let second = slab.insert("second");
        assert_eq!((second.index(), slab.len()), (first.index(), 1), "the entry is used again");
        assert_eq!(slab.get_mut(first), None);
        assert_eq!(slab.remove(first), None);
        assert_eq!(slab.get_mut(second), Some(&mut "second"));
        assert_eq!(slab.remove(second), Some("second"));
        assert_eq!(slab.remove(second), None);
        assert!(slab.is_empty());
    }

    #[test]
    fn a_table_is_as_long_as_it_was_full() {
        let mut slab = Slab::default();
        for round in 0..1000 {
            let tokens = [round, round + 1, round + 2].map(|value| slab.insert(value));
            assert_eq!(slab.iter_mut().count(), 3);
            for (token, value) in tokens.into_iter().zip(round..) {
                assert_eq!(slab.remove(token), Some(value));
            }
        }
        assert_eq!((slab.entries.len(), slab.len()), (3, 0));
    }
}
