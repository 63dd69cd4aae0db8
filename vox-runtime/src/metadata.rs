//! Text that travels beside a call or a connection: tenants, trace contexts, tokens.

use std::fmt;

use crate::escaped::Escaped;

/// Ordered key-value pairs. Keys may repeat. Values marked sensitive are never printed.
///
/// A value is sensitive if it was inserted so, and under a key that names a secret by itself. Such a key contains one of these
/// words, in upper or lower case, with or without hyphens, underscores, dots, slashes, colons and spaces in between:
/// `authorization`, `authorisation`, `bearer`, `cookie`, `token`, `jwt`, `password`, `passwd`, `pwd`, `passphrase`, `passcode`, `secret`,
/// `credential`, `api key`, `auth key`, `access key`, `private key`, `signing key`, `encryption key`, `session id`; or it ends in `auth`.
/// So is the value of a key that is too long to be sent. `Proxy-Authorization`, `set-cookie`, `x_api_key`, `accessToken`, `X-Auth` and
/// `db.password` are sensitive without being marked.
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

impl Entries {
    fn memory(&self) -> usize {
        let texts = self.0.iter().map(|entry| entry.key.capacity() + entry.value.capacity()).sum::<usize>();
        size_of::<Self>() + self.0.capacity() * size_of::<Entry>() + texts
    }
}

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

    /// Adds every entry that `from` has under `key`. Each is as sensitive as it is there, so this is how to pass on what a peer sent.
    ///
    /// ```
    /// # extern crate vox_runtime as vox;
    /// # use vox::Metadata;
    /// let mut theirs = Metadata::new();
    /// theirs.insert_sensitive("tenant", "acme");
    /// let mut ours = Metadata::new();
    /// ours.forward(&theirs, "tenant");
    /// assert_eq!(ours.get("tenant"), Some("acme"));
    /// assert!(!format!("{ours:?}").contains("acme"));
    /// ```
    pub fn forward(&mut self, from: &Self, key: &str) {
        for (key, value, sensitive) in from.entries().filter(|(name, ..)| *name == key) {
            self.push(key.to_owned(), value.to_owned(), sensitive || names_a_secret(key));
        }
    }

    /// Adds an entry as a peer sent it, or as it was added elsewhere.
    pub(crate) fn push(&mut self, key: String, value: String, sensitive: bool) {
        self.entries.get_or_insert_default().0.push(Entry { key, value, sensitive });
    }

    /// What it has allocated, in bytes.
    #[inline]
    pub(crate) fn memory(&self) -> usize {
        self.entries.as_ref().map_or(0, |entries| entries.memory())
    }

    /// Takes the last entry away. Gives its key, and how long it was with its value.
    pub(crate) fn pop(&mut self) -> Option<(String, usize)> {
        let Entry { key, value, .. } = self.entries.as_mut()?.0.pop()?;
        let len = key.len() + value.len();
        Some((key, len))
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

    /// Whether an entry whose key and value are so long together can be added without passing a limit.
    pub(crate) fn has_room(&self, len: usize) -> bool {
        let total: usize = self.iter().map(|(key, value)| key.len() + value.len()).sum();
        self.len() < Self::MAX_ENTRIES && total + len <= Self::MAX_BYTES
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
        let mut map = f.debug_map();
        let mut left = MOST_SHOWN;
        for (index, entry) in self.list().iter().enumerate() {
            if left == 0 {
                map.entry(&format_args!("…"), &format_args!("{} more", self.len() - index));
                break;
            }
            // A peer need not know which keys name secrets.
            let hidden = entry.sensitive || names_a_secret(&entry.key);
            let value = if hidden { "[redacted]" } else { entry.value.as_str() };
            let key = format!("{:?}", Escaped::name(&entry.key));
            let value = format!("{:?}", Escaped::within(value, MOST_SHOWN_OF_VALUE));
            map.entry(&format_args!("{key}"), &format_args!("{value}"));
            left = left.saturating_sub(key.len() + value.len());
        }
        map.finish()
    }
}

/// After so many bytes of keys and values no further entry is printed, and of a value no more than so many.
const MOST_SHOWN: usize = 4 << 10;
const MOST_SHOWN_OF_VALUE: usize = 1 << 10;

/// The words that make a key the name of a secret, without what may stand between them.
const SECRETS: &[&[u8]] = &[
    b"authorization",
    b"authorisation",
    b"bearer",
    b"cookie",
    b"token",
    b"jwt",
    b"password",
    b"passwd",
    b"pwd",
    b"passphrase",
    b"passcode",
    b"secret",
    b"credential",
    b"apikey",
    b"authkey",
    b"accesskey",
    b"privatekey",
    b"signingkey",
    b"encryptionkey",
    b"sessionid",
];
/// The word that makes it one at its end: inside of a key it may be a part of `author`.
const LAST: &[u8] = b"auth";

/// Whether a key says by itself that its value is a secret.
fn names_a_secret(key: &str) -> bool {
    if key.len() > Metadata::MAX_KEY {
        // It is not sent, and not looked at.
        return true;
    }
    let is_letter = |byte: &u8| !matches!(byte, b'-' | b'_' | b'.' | b'/' | b':' | b' ');
    let mut letters = [0; Metadata::MAX_KEY];
    let mut len = 0;
    for (room, byte) in letters.iter_mut().zip(key.bytes().filter(is_letter)) {
        *room = byte.to_ascii_lowercase();
        len += 1;
    }
    let letters = &letters[..len];
    let has = |word: &[u8]| letters.windows(word.len()).any(|window| window == word);
    letters.ends_with(LAST) || SECRETS.iter().any(|word| has(word))
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
            "Authorisation",
            "auth",
            "X-Auth",
            "basicAuth",
            "aws:secret",
            "api/key",
            "pwd",
            "Bearer",
            "id.jwt",
            "signing_key",
        ];
        let open = [
            "tenant",
            "traceparent",
            "tracestate",
            "baggage",
            "who",
            "key",
            "author",
            "x-authored-by",
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
    fn a_key_that_is_too_long_to_be_sent_hides_its_value() {
        let mut metadata = Metadata::new();
        metadata.insert(format!("{}-token", "x".repeat(Metadata::MAX_KEY)), "hunter2");
        assert!(!format!("{metadata:?}").contains("hunter2"));
    }

    #[test]
    fn what_is_printed_is_escaped_and_cut() {
        let mut metadata = Metadata::new();
        metadata.push("a\nb".to_owned(), "\u{202e}\x1b".to_owned(), false);
        assert_eq!(format!("{metadata:?}"), r#"{"a\nb": "\u{202e}\u{1b}"}"#);
        for (entries, value) in [(1, 8 << 10), (63, 128), (8, 1000), (64, 0)] {
            let mut metadata = Metadata::new();
            for _ in 0..entries {
                metadata.push("\x01".to_owned(), "\x01".repeat(value), false);
            }
            let printed = format!("{metadata:?}");
            assert!(
                printed.len() < MOST_SHOWN + 2 * MOST_SHOWN_OF_VALUE,
                "{entries} of {value}: {} bytes",
                printed.len()
            );
            assert!(!printed.contains('\x01'));
        }
    }

    #[test]
    fn what_is_passed_on_is_as_sensitive_as_it_was() {
        let mut theirs = Metadata::new();
        theirs.push("tenant".to_owned(), "hunter2".to_owned(), true);
        theirs.push("tenant".to_owned(), "open".to_owned(), false);
        theirs.push("token".to_owned(), "hunter2".to_owned(), false);
        theirs.push("other".to_owned(), "hunter2".to_owned(), false);
        let mut ours = Metadata::new();
        ["tenant", "token", "none"].iter().for_each(|key| ours.forward(&theirs, key));
        let passed: Vec<_> = ours.entries().collect();
        assert_eq!(passed, [("tenant", "hunter2", true), ("tenant", "open", false), ("token", "hunter2", true)]);
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
