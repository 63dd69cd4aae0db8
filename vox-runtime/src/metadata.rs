//! Text that travels beside a call or a connection: tenants, trace contexts, tokens.

use std::fmt;

/// Ordered key-value pairs. Keys may repeat. Values marked sensitive are never printed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    entries: Vec<Entry>,
}

#[derive(Clone, PartialEq, Eq)]
struct Entry {
    key: String,
    value: String,
    sensitive: bool,
}

impl Metadata {
    /// No entries, no allocation.
    pub const fn new() -> Self {
        Self { entries: Vec::new() }
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
        self.entries.push(Entry { key, value, sensitive });
    }

    /// The first value under `key`.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter().find(|(k, _)| *k == key).map(|(_, value)| value)
    }

    /// All entries, in the order they were added.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.iter().map(|entry| (entry.key.as_str(), entry.value.as_str()))
    }

    pub(crate) fn entries(&self) -> impl ExactSizeIterator<Item = (&str, &str, bool)> {
        self.entries.iter().map(|entry| (entry.key.as_str(), entry.value.as_str(), entry.sensitive))
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.entries.iter().map(|entry| {
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
