//! Text that travels beside a call or a connection: tenants, trace contexts, tokens.

use std::fmt;

/// Ordered key-value pairs. Keys may repeat. Values marked sensitive are never printed.
///
/// What one message may carry is fixed by the protocol, for both peers alike: [`MAX_ENTRIES`](Self::MAX_ENTRIES),
/// [`MAX_KEY`](Self::MAX_KEY) and [`MAX_BYTES`](Self::MAX_BYTES). More is refused before it is sent.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    // Thin, and `None` where there is nothing: most calls carry none, and it moves with each of them.
    entries: Option<Box<Entries>>,
}

#[derive(Clone, Default, PartialEq, Eq)]
struct Entries(Vec<Entry>);

#[derive(Clone, PartialEq, Eq)]
struct Entry {
    key: String,
    value: String,
    sensitive: bool,
}

impl Metadata {
    /// The most entries on one message.
    pub const MAX_ENTRIES: usize = 64;
    /// The longest key, in bytes. The shortest is one byte.
    pub const MAX_KEY: usize = 128;
    /// The most bytes of keys and values together on one message.
    pub const MAX_BYTES: usize = 8 << 10;

    /// No entries, no allocation.
    pub const fn new() -> Self {
        Self { entries: None }
    }

    /// Adds an entry.
    pub fn insert(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.push(key.into(), value.into(), false);
    }

    /// Adds an entry whose value is never printed: a token, a password.
    pub fn insert_sensitive(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.push(key.into(), value.into(), true);
    }

    pub(crate) fn push(&mut self, key: String, value: String, sensitive: bool) {
        self.entries.get_or_insert_default().0.push(Entry { key, value, sensitive });
    }

    /// Says which limit this is over, if any.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.len() > Self::MAX_ENTRIES {
            return Err(format!("{} entries of metadata, over the limit of {}", self.len(), Self::MAX_ENTRIES));
        }
        let mut total = 0;
        for (key, value) in self.iter() {
            if key.is_empty() || key.len() > Self::MAX_KEY {
                return Err(format!("a metadata key of {} bytes, outside 1..={}", key.len(), Self::MAX_KEY));
            }
            total += key.len() + value.len();
        }
        if total > Self::MAX_BYTES {
            return Err(format!("{total} bytes of metadata, over the limit of {}", Self::MAX_BYTES));
        }
        Ok(())
    }

    fn list(&self) -> &[Entry] {
        self.entries.as_ref().map_or(&[], |entries| &entries.0)
    }

    /// The first value under `key`.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter().find(|(k, _)| *k == key).map(|(_, value)| value)
    }

    /// All entries, in the order they were added.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.list().iter().map(|entry| (entry.key.as_str(), entry.value.as_str()))
    }

    pub(crate) fn entries(&self) -> impl ExactSizeIterator<Item = (&str, &str, bool)> {
        self.list().iter().map(|entry| (entry.key.as_str(), entry.value.as_str(), entry.sensitive))
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.list().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list().is_empty()
    }
}

impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.list().iter().map(|entry| {
                let value = if entry.sensitive { "[redacted]" } else { entry.value.as_str() };
                (entry.key.as_str(), value)
            }))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sensitive_values_are_not_printed() {
        let mut metadata = Metadata::new();
        metadata.insert("tenant", "acme");
        metadata.insert_sensitive("token", "hunter2");
        let printed = format!("{metadata:?}");
        assert!(printed.contains("acme"));
        assert!(!printed.contains("hunter2"), "{printed}");
        assert_eq!(metadata.get("token"), Some("hunter2"));
    }
}
