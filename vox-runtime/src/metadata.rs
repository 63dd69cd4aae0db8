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

/// All in one text, so that as many as there may be are read, copied and dropped at the cost of a few.
#[derive(Clone, Default, PartialEq, Eq)]
struct Entries {
    /// Each key, and its value behind it.
    texts: String,
    places: Vec<Place>,
}

/// Where an entry stands in the texts, behind the one before it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place {
    key_end: usize,
    end: usize,
    sensitive: bool,
}

impl Entries {
    fn memory(&self) -> usize {
        size_of::<Self>() + self.texts.capacity() + self.places.capacity() * size_of::<Place>()
    }

    /// The entry of this number.
    fn get(&self, index: usize) -> (&str, &str, bool) {
        let start = index.checked_sub(1).map_or(0, |before| self.places[before].end);
        let Place { key_end, end, sensitive } = self.places[index];
        (&self.texts[start..key_end], &self.texts[key_end..end], sensitive)
    }
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
    pub fn insert(&mut self, key: impl AsRef<str>, value: impl AsRef<str>) {
        let key = key.as_ref();
        self.push(key, value.as_ref(), names_a_secret(key));
    }

    /// Adds an entry whose value is never printed: a token, a password.
    pub fn insert_sensitive(&mut self, key: impl AsRef<str>, value: impl AsRef<str>) {
        self.push(key.as_ref(), value.as_ref(), true);
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
            self.push(key, value, sensitive || names_a_secret(key));
        }
    }

    /// Without entries, and with room for so many, and so many bytes of them in all.
    pub(crate) fn with_room(entries: usize, bytes: usize) -> Self {
        let room = Entries { texts: String::with_capacity(bytes), places: Vec::with_capacity(entries) };
        Self { entries: Some(Box::new(room)) }
    }

    /// Adds an entry as a peer sent it, or as it was added elsewhere.
    pub(crate) fn push(&mut self, key: &str, value: &str, sensitive: bool) {
        let Entries { texts, places } = &mut **self.entries.get_or_insert_default();
        let added = key.len() + value.len();
        if texts.is_empty() {
            texts.reserve_exact(added);
        }
        texts.push_str(key);
        let key_end = texts.len();
        texts.push_str(value);
        places.push(Place { key_end, end: texts.len(), sensitive });
    }

    /// What it has allocated, in bytes.
    #[inline]
    pub(crate) fn memory(&self) -> usize {
        self.entries.as_ref().map_or(0, |entries| entries.memory())
    }

    /// Takes the last entry away. Gives its key, and how long it was with its value.
    pub(crate) fn pop(&mut self) -> Option<(String, usize)> {
        let entries = self.entries.as_mut()?;
        let last = entries.places.len().checked_sub(1)?;
        let (key, value, _) = entries.get(last);
        let (key, len) = (key.to_owned(), key.len() + value.len());
        entries.places.pop();
        entries.texts.truncate(entries.texts.len() - len);
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

    /// The first value under `key`.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter().find(|(k, _)| *k == key).map(|(_, value)| value)
    }

    /// All entries, in the order they were added.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries().map(|(key, value, _)| (key, value))
    }

    pub(crate) fn entries(&self) -> impl ExactSizeIterator<Item = (&str, &str, bool)> {
        (0..self.len()).map(|index| self.entries.as_ref().map_or(("", "", false), |entries| entries.get(index)))
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.as_ref().map_or(0, |entries| entries.places.len())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        let mut left = MOST_SHOWN;
        for (index, (key, value, sensitive)) in self.entries().enumerate() {
            if left == 0 {
                map.entry(&format_args!("…"), &format_args!("{} more", self.len() - index));
                break;
            }
            // A peer need not know which keys name secrets.
            let hidden = sensitive || names_a_secret(key);
            let value = if hidden { "[redacted]" } else { value };
            let key = format!("{:?}", Escaped::name(key));
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
            there.push(key, "hunter2", false);
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
        metadata.push("a\nb", "\u{202e}\x1b", false);
        assert_eq!(format!("{metadata:?}"), r#"{"a\nb": "\u{202e}\u{1b}"}"#);
        for (entries, value) in [(1, 8 << 10), (63, 128), (8, 1000), (64, 0)] {
            let mut metadata = Metadata::new();
            for _ in 0..entries {
                metadata.push("\x01", &"\x01".repeat(value), false);
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
    fn entries_stand_apart_and_in_order_though_they_are_one_text() {
        let of = |entries: &[(&str, &str, bool)]| {
            let mut metadata = Metadata::new();
            entries.iter().for_each(|(key, value, sensitive)| metadata.push(key, value, *sensitive));
            metadata
        };
        let entries = [("a", "bc", false), ("é", "", true), ("a", "", false), ("b", "ü", false)];
        let mut metadata = of(&entries);
        for left in (1..=entries.len()).rev() {
            assert!(metadata.entries().eq(entries[..left].iter().copied()), "{left}");
            assert_eq!((metadata.len(), &metadata), (left, &of(&entries[..left])));
            let (key, value, _) = entries[left - 1];
            assert_eq!(metadata.pop(), Some((key.to_owned(), key.len() + value.len())));
        }
        assert!(metadata.is_empty() && metadata.pop().is_none());
        assert_ne!(of(&[("a", "bc", false)]), of(&[("ab", "c", false)]));
        assert_ne!(of(&[("a", "b", false)]), of(&[("a", "b", true)]));
        let mut room = Metadata::with_room(64, 8 << 10);
        let before = room.memory();
        (0..64).for_each(|n| room.push(&n.to_string(), "value", false));
        assert_eq!(room.memory(), before);
    }

    #[test]
    fn what_is_passed_on_is_as_sensitive_as_it_was() {
        let mut theirs = Metadata::new();
        theirs.push("tenant", "hunter2", true);
        theirs.push("tenant", "open", false);
        theirs.push("token", "hunter2", false);
        theirs.push("other", "hunter2", false);
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
