//! Text that travels beside a call or a connection: tenants, trace contexts, tokens.

use std::fmt;

/// Ordered key-value pairs. Keys may repeat. Values marked sensitive are never printed.
///
/// A value is sensitive if it was inserted so, and under a key that names a secret by itself. Such a key contains one of these
/// words, in upper or lower case, with or without hyphens, underscores, dots and spaces in between: `authorization`, `cookie`,
/// `token`, `password`, `passwd`, `passphrase`, `secret`, `credential`, `api key`, `access key`, `private key`, `session id`. So
/// `Proxy-Authorization`, `set-cookie`, `x_api_key`, `accessToken` and `db.password` are sensitive without being marked.
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

    /// Adds an entry. Its value is sensitive if the key names a secret.
    pub fn insert(&mut self, key: impl Into<String>, value: impl Into<String>) {
        let key = key.into();
        let sensitive = names_a_secret(&key);
        self.push(key, value.into(), sensitive);
    }

    /// Adds an entry whose value is never printed: a token, a password.
    pub fn insert_sensitive(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.push(key.into(), value.into(), true);
    }

    /// Adds an entry as a peer sent it, or as it was added elsewhere.
    pub(crate) fn push(&mut self, key: String, value: String, sensitive: bool) {
        self.entries.get_or_insert_default().0.push(Entry { key, value, sensitive });
    }

    /// Says which limit this is over, if any.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.len() > Self::MAX_ENTRIES {
            return Err(format!(
                "{} entries of metadata, over `Metadata::MAX_ENTRIES`, {}",
                self.len(),
                Self::MAX_ENTRIES
            ));
        }
        let mut total = 0;
        for (key, value) in self.iter() {
            if key.is_empty() || key.len() > Self::MAX_KEY {
                return Err(format!(
                    "a metadata key of {} bytes, outside of 1 to `Metadata::MAX_KEY`, {}",
                    key.len(),
                    Self::MAX_KEY
                ));
            }
            total += key.len() + value.len();
        }
        if total > Self::MAX_BYTES {
            return Err(format!("{total} bytes of metadata, over `Metadata::MAX_BYTES`, {}", Self::MAX_BYTES));
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
                // A peer need not know which keys name secrets.
                let hidden = entry.sensitive || names_a_secret(&entry.key);
                let value = if hidden { "[redacted]" } else { entry.value.as_str() };
                (entry.key.as_str(), value)
            }))
            .finish()
    }
}

/// The words that make a key the name of a secret, without what may stand between them.
const SECRETS: &[&[u8]] = &[
    b"authorization",
    b"cookie",
    b"token",
    b"password",
    b"passwd",
    b"passphrase",
    b"secret",
    b"credential",
    b"apikey",
    b"accesskey",
    b"privatekey",
    b"sessionid",
];

/// Whether a key says by itself that its value is a secret.
fn names_a_secret(key: &str) -> bool {
    let key = key.as_bytes();
    (0..key.len()).any(|start| SECRETS.iter().any(|word| starts_with(&key[start..], word)))
}

/// Whether `text` starts with `word`, whatever its case and separators.
fn starts_with(text: &[u8], word: &[u8]) -> bool {
    let mut letters = text.iter().filter(|byte| !matches!(byte, b'-' | b'_' | b'.' | b' '));
    word.iter().all(|expected| letters.next().is_some_and(|byte| byte.to_ascii_lowercase() == *expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_name_a_secret_are_sensitive_by_themselves() {
        let secret = [
            "authorization",
            "Authorization",
            "PROXY-AUTHORIZATION",
            "cookie",
            "Set-Cookie",
            "token",
            "x-auth-token",
            "accessToken",
            "refresh_token",
            "password",
            "db.password",
            "PassWd",
            "client secret",
            "api-key",
            "X-Api-Key",
            "api_key",
            "apikey",
            "aws-secret-access-key",
            "credentials",
            "ssh.private.key",
            "Session-Id",
            "pass-phrase",
        ];
        let open = [
            "tenant",
            "traceparent",
            "tracestate",
            "baggage",
            "who",
            "key",
            "author",
            "pass",
            "api",
            "x-request-id",
            "t",
            "é",
        ];
        for (key, hidden) in secret.map(|key| (key, true)).into_iter().chain(open.map(|key| (key, false))) {
            assert_eq!(names_a_secret(key), hidden, "{key}");
            let mut here = Metadata::new();
            here.insert(key, "hunter2");
            assert!(here.entries().all(|(.., sensitive)| sensitive == hidden), "the peer is told: {key}");
            // As it comes from a peer that did not know.
            let mut there = Metadata::new();
            there.push(key.to_owned(), "hunter2".to_owned(), false);
            for metadata in [here, there] {
                assert_eq!(format!("{metadata:?}").contains("hunter2"), !hidden, "{key}");
                assert_eq!(metadata.get(key), Some("hunter2"));
            }
        }
    }

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
