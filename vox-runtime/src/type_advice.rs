//! Advice for types that do not cross the wire and that the user cannot change.
//!
//! Only the spelling of the type is known where this is asked, at compile time. So help by name also says what to do where the
//! name is that of a type of the user's own.

/// What to write for a type that is spelt `ty` and is not `Facet`: two parts of one sentence.
pub(crate) const fn help(ty: &str) -> [&str; 2] {
    let name = last_segment(ty.as_bytes());
    let is_std = starts_with(ty.as_bytes(), b"std::")
        || starts_with(ty.as_bytes(), b"core::")
        || starts_with(ty.as_bytes(), b"alloc::")
        || starts_with(ty.as_bytes(), b"::");
    let mut at = 0;
    while at < CURES.len() {
        let (names, help) = CURES[at];
        if is_one_of(name, names.as_bytes()) {
            return [help, if is_std { "" } else { UNLESS_OWN }];
        }
        at += 1;
    }
    if is_std { [CONVERT, ""] } else { [DERIVE, UNLESS_FOREIGN] }
}

/// The name of a type: what stands after the last `::` and before the first `<`.
const fn last_segment(ty: &[u8]) -> &[u8] {
    let (mut start, mut end) = (0, 0);
    while end < ty.len() && ty[end] != b'<' {
        if ty[end] == b':' {
            start = end + 1;
        }
        end += 1;
    }
    ty.split_at(end).0.split_at(start).1
}

const fn starts_with(text: &[u8], start: &[u8]) -> bool {
    text.len() >= start.len() && is_same(text.split_at(start.len()).0, start)
}

/// Whether `name` is one of `names`, which have spaces between them.
const fn is_one_of(name: &[u8], names: &[u8]) -> bool {
    let (mut start, mut end) = (0, 0);
    while end <= names.len() {
        if end == names.len() || names[end] == b' ' {
            if is_same(names.split_at(end).0.split_at(start).1, name) {
                return true;
            }
            start = end + 1;
        }
        end += 1;
    }
    false
}

const fn is_same(a: &[u8], b: &[u8]) -> bool {
    let mut at = 0;
    while at < a.len() && at < b.len() && a[at] == b[at] {
        at += 1;
    }
    at == a.len() && at == b.len()
}

const DERIVE: &str = "write `#[derive(facet::Facet)]` above the type";
const UNLESS_FOREIGN: &str = "; if another crate defines it, convert it to a type of yours";
const UNLESS_OWN: &str = "; if the type is yours, write `#[derive(facet::Facet)]` above it";
const CONVERT: &str = "convert it to a type of yours that has `#[derive(facet::Facet)]`";

/// Names of types that no user can change, and what to send in their place.
const CURES: [(&str, &str); 23] = [
    ("Uuid", "switch on the feature `uuid` of vox"),
    ("DateTime NaiveDate NaiveDateTime NaiveTime", "switch on the feature `chrono` of vox"),
    ("OffsetDateTime UtcDateTime", "switch on the feature `time` of vox"),
    ("Timestamp Zoned", "switch on the feature `jiff` of vox"),
    ("Url", "switch on the feature `url` of vox"),
    ("Ulid", "switch on the feature `ulid` of vox"),
    ("Decimal", "switch on the feature `rust_decimal` of vox"),
    ("Utf8PathBuf", "switch on the feature `camino` of vox"),
    ("OrderedFloat NotNan", "switch on the feature `ordered-float` of vox"),
    ("CompactString", "switch on the feature `compact_str` of vox"),
    ("SmolStr", "switch on the feature `smol_str` of vox"),
    ("VecDeque LinkedList BinaryHeap", "send a `Vec`"),
    (
        "SystemTime",
        "send a `Duration` since the epoch, or a time of `chrono`, `jiff` or `time` with the feature of that name",
    ),
    ("Instant", "send a `Duration`: an instant means nothing in another process"),
    ("Ordering", "send an `i8`, or an enum of yours"),
    (
        "RangeInclusive RangeFrom RangeTo RangeToInclusive RangeFull Bound",
        "send its bounds, as a tuple or a struct of yours",
    ),
    ("Reverse Wrapping Saturating Pin ManuallyDrop", "send what is inside of it"),
    ("OsString OsStr Path CString CStr", "send its text, as a `String`"),
    ("Error ErrorKind Report BoxError", "send its text, in an error type of yours"),
    ("Mutex RwLock RefCell Cell UnsafeCell OnceCell OnceLock LazyCell LazyLock", "send the value in it"),
    ("Weak", "send the value that it points to"),
    (
        "AtomicBool AtomicU8 AtomicU16 AtomicU32 AtomicU64 AtomicUsize AtomicI8 AtomicI16 AtomicI32 AtomicI64 AtomicIsize",
        "send the value in it",
    ),
    (
        "Sender Receiver UnboundedSender UnboundedReceiver SyncSender",
        "take a channel of vox's as an argument: `vox::Tx<T>` or `vox::Rx<T>`",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn helped(ty: &str) -> String {
        help(ty).concat()
    }

    #[test]
    fn a_type_of_the_standard_library_has_a_cure_that_can_be_taken() {
        for (ty, expected) in [
            ("std::collections::VecDeque<u64>", "send a `Vec`"),
            ("std::collections::VecDeque<std::cmp::Reverse<u64>>", "send a `Vec`"),
            ("::std::num::Wrapping<u8>", "send what is inside of it"),
            ("core::cmp::Ordering", "send an `i8`, or an enum of yours"),
            ("std::io::Error", "send its text, in an error type of yours"),
            ("std::sync::Mutex<Vec<u8>>", "send the value in it"),
            ("std::process::Command", CONVERT),
            ("::uuid::Uuid", "switch on the feature `uuid` of vox"),
        ] {
            assert_eq!(helped(ty), expected, "{ty}");
        }
    }

    #[test]
    fn a_name_may_be_that_of_a_type_of_the_users() {
        assert_eq!(helped("Ordering"), format!("send an `i8`, or an enum of yours{UNLESS_OWN}"));
        assert_eq!(helped("chrono::DateTime<Utc>"), format!("switch on the feature `chrono` of vox{UNLESS_OWN}"));
        assert_eq!(helped("anyhow::Error"), format!("send its text, in an error type of yours{UNLESS_OWN}"));
        for own in ["Mode", "crate::Mode", "Modes<VecDeque<u8>>", "MyError", "standard::Mode", ""] {
            assert_eq!(helped(own), format!("{DERIVE}{UNLESS_FOREIGN}"), "{own}");
        }
    }
}
