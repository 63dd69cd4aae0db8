//! Operations: the intention that attempts share. What names one, what binds it to a method and its arguments, and what
//! a store is told and answers.

mod holder;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use crate::descriptor::{MethodDescriptor, RetryPolicy};
use crate::escaped::Escaped;
use crate::escaped::hex;
use crate::ids::MethodId;
use crate::schema::Schema;

pub use self::holder::{Holder, PeerKey};

/// Names an operation: what a caller wants done once, however many attempts that takes.
///
/// 128 bits in the layout of a UUID of version 7: 48 bits of time, 12 that count within the millisecond, then 62 random ones.
/// So ids are in the order in which a thread made them, and across threads in that of the time to the millisecond, and a
/// server can tell one that is too old to know anything of.
///
/// ```
/// # extern crate vox_runtime as vox;
/// use vox::OperationId;
///
/// let id = OperationId::new();
/// let kept = id.to_string();
/// assert_eq!(kept.parse(), Ok(id));
/// assert_eq!(OperationId::from_u128(id.to_u128()), id);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(Rust, packed(8))] // As aligned as what it travels with: requests are moved often.
pub struct OperationId(u128);

impl OperationId {
    /// A new id, of the system's clock and its random numbers.
    ///
    /// A server judges it by its own clock, and refuses one that is more than a day old or five minutes ahead. Where this clock
    /// may be wrong, [`Caller::new_operation`](crate::Caller::new_operation) makes one by the server's. Calls that are given no id
    /// have one of that kind.
    ///
    /// # Panics
    ///
    /// If the operating system has no random numbers to give.
    #[expect(clippy::new_without_default, reason = "every one is another")]
    pub fn new() -> Self {
        LAST.with(|last| Self::next(last, SystemTime::now()))
    }

    /// A new id by another clock than the system's, which says that it is `time`.
    pub(crate) fn by(time: SystemTime) -> Self {
        LAST.with(|last| Self::next(last, time))
    }

    /// The id after `last`, which becomes it, by a clock that says it is `time`.
    fn next(last: &Cell<u128>, time: SystemTime) -> Self {
        // Time and count as one number, which only grows: a store finds its newest operations at the end.
        let now = Self::first_at(time).0 >> 80 << COUNT_BITS;
        // A clock that was far ahead, and is set right, is not followed: its ids would be of a time to come.
        let next = if last.get() > now + CLOCK_SET { now } else { now.max(last.get() + 1) };
        last.set(next);
        let (millis, count) = (next >> COUNT_BITS, next & HIGH_BITS);
        Self(millis << 80 | VERSION | count << 64 | VARIANT | (random_bits() & LOW_BITS))
    }

    /// A new id that says it was made at `time`. Times that do not fit count as the first or the last that does.
    ///
    /// ```
    /// # extern crate vox_runtime as vox;
    /// # use std::time::{Duration, SystemTime};
    /// # use vox::OperationId;
    /// let yesterday = SystemTime::now() - Duration::from_secs(24 * 3600);
    /// assert!(OperationId::at(yesterday) < OperationId::new());
    /// ```
    pub fn at(time: SystemTime) -> Self {
        Self::with_bits(time, random_bits())
    }

    /// The id that stands for a name from elsewhere: an `Idempotency-Key` of HTTP, a UUID of version 4, the number of an order.
    ///
    /// The same `key` and `when` give the same id, in any process and version. So keep `when` with the key, as the time at which
    /// whatever it names was asked for, and give the same at every attempt: another `when` is another operation. A server knows
    /// an id for a day, counted from `when` and by the server's clock.
    ///
    /// The id has the layout of a UUID of version 7: the milliseconds of `when`, and in the place of random bits those of the
    /// first sixteen bytes of `key`'s BLAKE3 hash.
    ///
    /// ```
    /// # extern crate vox_runtime as vox;
    /// use std::time::{Duration, UNIX_EPOCH};
    /// use vox::OperationId;
    ///
    /// let asked = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    /// let id = OperationId::derive("8e03978e-40d5-43dd-bc93-6894a57f9324", asked);
    /// assert_eq!(id, OperationId::derive("8e03978e-40d5-43dd-bc93-6894a57f9324", asked));
    /// assert_ne!(id, OperationId::derive("another key", asked));
    /// assert_eq!(id.time(), asked);
    /// ```
    pub fn derive(key: impl AsRef<[u8]>, when: SystemTime) -> Self {
        let hash = blake3::hash(key.as_ref());
        let mut bits = [0; 16];
        bits.copy_from_slice(&hash.as_bytes()[..16]);
        Self::with_bits(when, u128::from_be_bytes(bits))
    }

    /// The id of a time and of bits that no other id has.
    fn with_bits(time: SystemTime, bits: u128) -> Self {
        let low = (bits & LOW_BITS) | VARIANT;
        let high = (bits >> 64) & HIGH_BITS;
        Self(Self::first_at(time).0 | VERSION | high << 64 | low)
    }

    /// The lowest id of the millisecond of `time`.
    pub(crate) fn first_at(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(since.as_millis().min(LAST_MILLIS) << 80)
    }

    /// Whether it was made in a millisecond after that of `time`, by the clock of its maker.
    pub(crate) fn is_later_than(self, time: SystemTime) -> bool {
        self.0 >> 80 > Self::first_at(time).0 >> 80
    }

    /// The id with this number. Any number is one, but only those in the layout of UUIDv7 say a time that means anything.
    pub const fn from_u128(id: u128) -> Self {
        Self(id)
    }

    /// The id's number.
    pub const fn to_u128(self) -> u128 {
        self.0
    }

    /// When it was made, to the millisecond, by the clock of its maker.
    pub fn time(self) -> SystemTime {
        let millis = u64::try_from(self.0 >> 80).unwrap_or(u64::MAX);
        UNIX_EPOCH + Duration::from_millis(millis)
    }
}

thread_local! {
    /// The time and the count of the last id that this thread made.
    static LAST: Cell<u128> = const { Cell::new(0) };
}

const COUNT_BITS: u32 = 12;
const LAST_MILLIS: u128 = (1 << 48) - 1;
const VERSION: u128 = 7 << 76;
/// How far ids may run ahead of the clock: a second, in their unit.
const CLOCK_SET: u128 = 1000 << COUNT_BITS;
const VARIANT: u128 = 0b10 << 62;
/// The random bits beside the variant.
const LOW_BITS: u128 = (1 << 62) - 1;
/// The random bits beside the version.
const HIGH_BITS: u128 = (1 << 12) - 1;

/// Bits of the operating system's, of which a thread takes some in advance: a `persist` call should not cost a system call.
fn random_bits() -> u128 {
    const SIZE: usize = size_of::<u128>();
    thread_local! {
        static POOL: RefCell<([u8; 32 * SIZE], usize)> = const { RefCell::new(([0; 32 * SIZE], 0)) };
    }
    POOL.with_borrow_mut(|(pool, left)| {
        if *left == 0 {
            getrandom::fill(pool).expect("the operating system has random numbers");
            *left = pool.len();
        }
        *left -= SIZE;
        let mut bits = [0; SIZE];
        bits.copy_from_slice(&pool[*left..*left + SIZE]);
        u128::from_ne_bytes(bits)
    })
}

impl fmt::Display for OperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.0;
        write!(
            f,
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            id >> 96,
            id >> 80 & 0xffff,
            id >> 64 & 0xffff,
            id >> 48 & 0xffff,
            id & 0xffff_ffff_ffff
        )
    }
}

impl fmt::Debug for OperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for OperationId {
    type Err = InvalidOperationId;

    /// Reads what `Display` writes: a UUID with its hyphens, in either case.
    fn from_str(text: &str) -> Result<Self, InvalidOperationId> {
        const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];
        let mut groups = text.split('-');
        let mut id = 0;
        for len in GROUPS {
            let group = groups.next().ok_or_else(|| InvalidOperationId::of(text))?;
            if group.len() != len || !group.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return Err(InvalidOperationId::of(text));
            }
            let digits = u128::from_str_radix(group, 16).map_err(|_| InvalidOperationId::of(text))?;
            id = id << (4 * len) | digits;
        }
        match groups.next() {
            None => Ok(Self(id)),
            Some(_) => Err(InvalidOperationId::of(text)),
        }
    }
}

/// A text that is no [`OperationId`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidOperationId {
    /// As much of it as an error should quote.
    text: Box<str>,
}

impl InvalidOperationId {
    fn of(text: &str) -> Self {
        const QUOTED: usize = 64;
        Self { text: text.chars().take(QUOTED).collect() }
    }
}

impl fmt::Display for InvalidOperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is no operation id, which is a UUID with its hyphens: 8, 4, 4, 4 and 12 hexadecimal digits; \
             `OperationId::derive(key, when)` makes one of another name",
            self.text
        )
    }
}

impl std::error::Error for InvalidOperationId {}

/// Who a peer was authenticated as. A peer that was not is [anonymous](Principal::anonymous), together with all others that
/// were not.
///
/// ```
/// # extern crate vox_runtime as vox;
/// use vox::Principal;
///
/// assert_eq!(Principal::new("acme").as_str(), "acme");
/// // A name that is missing makes nobody anonymous. A server refuses a peer that is given it.
/// assert_ne!(Principal::new(""), Principal::anonymous());
/// ```
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Principal(Option<Arc<str>>);

impl Principal {
    /// The principal of this name. With an empty name it is not the [anonymous](Self::anonymous) one, and no peer can have it:
    /// a server whose `authenticate` answers with it refuses the peer.
    pub fn new(name: impl AsRef<str>) -> Self {
        Self(Some(Arc::from(name.as_ref())))
    }

    /// The one that everybody is who was not authenticated.
    pub const fn anonymous() -> Self {
        Self(None)
    }

    /// The principal that [`as_str`](Self::as_str) says so of: with an empty name, the anonymous one.
    #[cfg(feature = "sqlite")]
    pub(crate) fn of_str(name: &str) -> Self {
        if name.is_empty() { Self::anonymous() } else { Self::new(name) }
    }

    /// The name; empty for the anonymous one.
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }

    /// Whether its name is empty, and it is not the anonymous one.
    pub(crate) fn is_nameless(&self) -> bool {
        self.0.as_deref() == Some("")
    }

    /// Whether this is the anonymous one.
    pub const fn is_anonymous(&self) -> bool {
        self.0.is_none()
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(name) => fmt::Display::fmt(&Escaped::new(name), f),
            None => f.write_str("(anonymous)"),
        }
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(name) => write!(f, "{:?}", Escaped::new(name)),
            None => f.write_str("(anonymous)"),
        }
    }
}

/// What a store finds an operation by: its id, and whose it is. The same id of two principals is two operations.
///
/// Keys are ordered by id, so by time, first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(clippy::exhaustive_structs, reason = "a key is these two")]
pub struct OperationKey {
    /// Which operation.
    pub id: OperationId,
    /// Whose.
    pub principal: Principal,
}

/// What binds an operation to its method and its arguments: BLAKE3 over the method's id, eight bytes in little-endian
/// order, and the bytes of the arguments as they were first sent.
///
/// ```
/// # extern crate vox_runtime as vox;
/// use vox::descriptor::MethodId;
/// use vox::store::Digest;
///
/// let digest = Digest::of(MethodId(1), b"arguments");
/// assert_ne!(digest, Digest::of(MethodId(2), b"arguments"));
/// assert_ne!(digest, Digest::of(MethodId(1), b"other arguments"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(clippy::exhaustive_structs, reason = "a hash by another name")]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of a call.
    pub fn of(method: MethodId, arguments: &[u8]) -> Self {
        let method = method.0.to_le_bytes();
        // Mostly they are few, and a hasher is two kilobytes.
        let mut few = [0; 136];
        if let Some(rest) = few[method.len()..].get_mut(..arguments.len()) {
            rest.copy_from_slice(arguments);
            few[..method.len()].copy_from_slice(&method);
            return Self(*blake3::hash(&few[..method.len() + arguments.len()]).as_bytes());
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(&method);
        hasher.update(arguments);
        Self(*hasher.finalize().as_bytes())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(f, &self.0)
    }
}

/// What a store gives with an admission, and wants to see again: that of an older admission of the same operation no
/// longer counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(clippy::exhaustive_structs, reason = "a number by another name")]
pub struct Fence(pub u64);

/// An attempt at an operation that asks for admission.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "tests of stores make one")]
pub struct NewOperation {
    /// Which operation, and whose.
    pub key: OperationKey,
    /// Whose share its record counts for, where the principal is anonymous. `None` where that is not known.
    pub peer: Option<PeerKey>,
    /// The name of the method's service, for people who read the records.
    pub service: &'static str,
    /// Which method it calls.
    pub method: MethodId,
    /// What the method's policy is now. It decides what becomes of a record that cannot be replayed.
    pub policy: RetryPolicy,
    /// What it calls the method with.
    pub digest: Digest,
    /// What the method's response looks like now.
    pub schema: Schema,
}

/// What a handler's return came to: the whole response as it goes onto the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "stores make one")]
pub struct Outcome {
    /// The response's bytes.
    pub bytes: Bytes,
    /// What they are an encoding of.
    pub schema: Schema,
}

/// What a store says to an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "these are all that the semantics know")]
pub enum Admission {
    /// Run it, and end the admission under this fence.
    Granted(Fence),
    /// It has run, and this is its outcome, perhaps of another schema than the method has now.
    Replay(Outcome),
    /// Another attempt was admitted and has not ended.
    Running,
    /// The id belongs to another method or other arguments.
    Conflict,
    /// It was admitted once and nobody will ever know its outcome.
    Indeterminate,
    /// The id is too old, or of a time to come, or its caller said that it would not ask again.
    Expired,
}

/// The operation that a handler runs for: what [`SqliteStore::seal_in`](crate::store) needs.
#[derive(Debug, Clone)]
pub struct Operation {
    pub(crate) key: OperationKey,
    pub(crate) fence: Fence,
    pub(crate) method: &'static MethodDescriptor,
}

impl Operation {
    /// Its id.
    pub fn id(&self) -> OperationId {
        self.key.id
    }

    /// The id under which a handler asks another server to do the operation, to which callers are all one: for an anonymous caller the id itself;
    /// for another an id that is made of the principal and of the id, and has its time. So the operations of one principal are no other's there
    /// either, and one that is tried again is the same again.
    pub fn forwarded_id(&self) -> OperationId {
        let OperationKey { id, principal } = &self.key;
        match principal == &Principal::anonymous() {
            true => *id,
            false => OperationId::derive(format!("{id} of {}", principal.as_str()), id.time()),
        }
    }

    /// Whose it is.
    pub fn principal(&self) -> &Principal {
        &self.key.principal
    }

    /// Its key in the store.
    pub fn key(&self) -> &OperationKey {
        &self.key
    }

    /// The fence of its admission.
    pub fn fence(&self) -> Fence {
        self.fence
    }

    /// The method that it calls.
    pub fn method(&self) -> &'static MethodDescriptor {
        self.method
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_layout_of_uuid_7_and_the_order_of_their_times() {
        let time = UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
        let (id, later) = (OperationId::at(time), OperationId::at(time + Duration::from_millis(1)));
        assert_eq!(id.time(), time);
        assert!(id < later);
        let text = id.to_string();
        assert_eq!(text.len(), 36);
        assert_eq!(&text[14..15], "7");
        assert!(matches!(&text[19..20], "8" | "9" | "a" | "b"), "{text}");
        assert_eq!(text.parse(), Ok(id));
        assert_eq!(text.to_uppercase().parse(), Ok(id));
    }

    #[test]
    fn a_threads_ids_only_grow_and_no_two_threads_make_the_same() {
        let make = || (0..10_000).map(|_| OperationId::new()).collect::<Vec<_>>();
        let threads = [(); 4].map(|()| std::thread::spawn(make));
        let made = threads.map(|thread| thread.join().expect("no panic"));
        assert!(made.iter().all(|ids| ids.is_sorted_by(|one, next| one < next)));
        let latest = SystemTime::now() + Duration::from_millis(10);
        assert!(made.iter().flatten().all(|id| id.time() <= latest), "the count does not run ahead of the time");
        let all: std::collections::BTreeSet<_> = made.into_iter().flatten().collect();
        assert_eq!(all.len(), 40_000);
    }

    #[test]
    fn a_clock_that_is_set_back_by_little_is_waited_for_and_by_much_is_followed() {
        let (last, start) = (Cell::new(0), UNIX_EPOCH + Duration::from_millis(1_700_000_000_000));
        let slack = Duration::from_secs(1);
        // By how many milliseconds it is set back, and whether ids go on growing.
        for (back, grows) in [(1, true), (500, true), (990, true), (1_500, false), (3_600_000, false)] {
            last.set(0);
            let before: Vec<_> = (0..10).map(|_| OperationId::next(&last, start)).collect();
            let set = start - Duration::from_millis(back);
            let after: Vec<_> = (0..10_000).map(|_| OperationId::next(&last, set)).collect();
            assert!(after.is_sorted_by(|one, next| one < next), "set back by {back} ms");
            assert_eq!(before[9] < after[0], grows, "set back by {back} ms");
            let latest = after.iter().map(|id| id.time()).max().expect("some");
            assert!(latest <= set + slack + Duration::from_millis(10), "ids of a time to come: {back} ms");
            let unique: std::collections::BTreeSet<_> = before.iter().chain(&after).collect();
            assert_eq!(unique.len(), 10_010);
        }
    }

    #[test]
    fn times_that_do_not_fit_are_cut() {
        assert_eq!(OperationId::at(UNIX_EPOCH - Duration::from_secs(1)).time(), UNIX_EPOCH);
        let far = OperationId::at(UNIX_EPOCH + Duration::from_millis(1 << 50));
        assert_eq!(far.time(), UNIX_EPOCH + Duration::from_millis((1 << 48) - 1));
        assert_eq!(far.to_string().parse(), Ok(far));
        assert_eq!(OperationId::from_u128(u128::MAX).time(), far.time());
    }

    #[test]
    fn texts_that_are_no_uuid_are_refused() {
        let id = OperationId::new().to_string();
        for text in ["", "-----", "a", &id[1..], &format!("{id}-"), &format!("{id}0"), &id.replace('-', "+")] {
            assert_eq!(text.parse::<OperationId>(), Err(InvalidOperationId::of(text)), "{text}");
        }
        assert!("+1234567-0000-0000-0000-000000000000".parse::<OperationId>().is_err());
    }

    #[test]
    fn pitfall_4_ids_do_not_repeat_across_threads() {
        let make = || (0..1_000).map(|_| OperationId::at(UNIX_EPOCH)).collect::<Vec<_>>();
        let threads = [(); 4].map(|()| std::thread::spawn(make));
        let mut ids: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 4_000);
    }

    #[test]
    fn pitfall_13_a_digest_binds_method_and_arguments() {
        // BLAKE3 of eight zero bytes and of one, a zero and "a": the same on every machine and in every version.
        assert_eq!(Digest::of(MethodId(0), b"").0, *blake3::hash(&[0; 8]).as_bytes());
        assert_eq!(Digest::of(MethodId(1), b"a").0, *blake3::hash(b"\x01\0\0\0\0\0\0\0a").as_bytes());
        for len in [0, 1, 127, 128, 129, 5000] {
            let arguments = vec![7; len];
            let together = [&9_u64.to_le_bytes()[..], &arguments].concat();
            assert_eq!(Digest::of(MethodId(9), &arguments).0, *blake3::hash(&together).as_bytes(), "{len} bytes");
        }
    }
}
