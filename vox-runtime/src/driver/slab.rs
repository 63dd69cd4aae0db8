//! Values under small reusable numbers.

use crate::proto::Token;

/// A table whose keys are handed out by it. A removed key is reused.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    entries: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slab<T> {
    #[inline]
    pub(crate) fn insert(&mut self, value: T) -> Token {
        if let Some(key) = self.free.pop() {
            self.entries[key as usize] = Some(value);
            return Token(key);
        }
        let key = u32::try_from(self.entries.len()).expect("bounded by the limits on calls and channels");
        self.entries.push(Some(value));
        Token(key)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, key: Token) -> Option<&mut T> {
        self.entries.get_mut(key.0 as usize)?.as_mut()
    }

    #[inline]
    pub(crate) fn remove(&mut self, key: Token) -> Option<T> {
        let value = self.entries.get_mut(key.0 as usize)?.take()?;
        self.free.push(key.0);
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
        self.entries.iter_mut().flatten()
    }
}
