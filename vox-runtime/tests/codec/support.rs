//! What the tests have in common.

use std::fmt::Debug;

use bytes::Bytes;
use facet::Facet;
use serde::Serialize;
use serde::de::DeserializeOwned;
use vox_runtime::codec::{Budget, DecodeError, Decoder, Encoder, Plan, PlanError};

/// How many of something a test has: `few` under Miri, which is a thousand times slower.
pub(crate) const fn fewer(many: usize, few: usize) -> usize {
    if cfg!(miri) { few } else { many }
}

/// Encodes with a plan of its own.
pub(crate) fn encode<T: Facet<'static>>(value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    Plan::new().encode(value, &mut Encoder::new(&mut out, usize::MAX)).unwrap();
    out
}

/// Decodes all of `bytes` under default limits.
pub(crate) fn decode<T: Facet<'static>>(bytes: &[u8]) -> Result<T, DecodeError> {
    decode_within(bytes, Budget::default_for(bytes.len()))
}

/// Decodes all of `bytes` within `budget`.
pub(crate) fn decode_within<T: Facet<'static>>(bytes: &[u8], budget: Budget) -> Result<T, DecodeError> {
    let frame = Bytes::copy_from_slice(bytes);
    let mut from = Decoder::new(&frame, budget);
    let value = Plan::new().decode(&mut from)?;
    from.finish()?;
    Ok(value)
}

/// Encodes the value and decodes it again, if it can be sent.
pub(crate) fn try_round<T: Facet<'static>>(value: &T) -> Result<T, PlanError> {
    Plan::<T>::new().program().map_err(PlanError::clone)?;
    Ok(decode(&encode(value)).unwrap())
}

/// Decodes all of `bytes` with serde, which ignores what is left by itself.
pub(crate) fn oracle<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let (value, rest) = postcard::take_from_bytes(bytes).ok()?;
    rest.is_empty().then_some(value)
}

/// The plan's error for a type that cannot be sent.
pub(crate) fn refusal<T: Facet<'static>>() -> PlanError {
    Plan::<T>::new().program().unwrap_err().clone()
}

/// The value is encoded as serde would, and comes back.
#[track_caller]
pub(crate) fn check<T>(value: T)
where
    T: Facet<'static> + Serialize + DeserializeOwned + PartialEq + Debug,
{
    let bytes = encode(&value);
    assert_eq!(bytes, postcard::to_allocvec(&value).unwrap(), "encoding of {value:?}");
    let program = Plan::<T>::new();
    let program = program.program().unwrap();
    assert!(program.min_encoded_len() <= bytes.len(), "shortest encoding of {value:?}");
    assert_eq!(decode::<T>(&bytes).as_ref(), Ok(&value), "decoding of {bytes:?}");
    super::json::comes_back::<T>(&bytes);
}

/// Both accept the bytes as the same value, or both refuse them. Not for unordered collections: use
/// [`check_bytes_as`] for those.
#[track_caller]
pub(crate) fn check_bytes<T>(bytes: &[u8])
where
    T: Facet<'static> + Serialize + DeserializeOwned + Debug,
{
    check_bytes_as::<T, T>(bytes, |value| value);
}

/// As [`check_bytes`], for values that are alike if what `ordered` makes of them is.
#[track_caller]
pub(crate) fn check_bytes_as<T, U>(bytes: &[u8], ordered: impl Fn(T) -> U)
where
    T: Facet<'static> + DeserializeOwned + Debug,
    U: Serialize + Debug,
{
    let decoded = decode::<T>(bytes);
    super::json::is_accepted_alike::<T>(bytes, decoded.is_ok());
    match (decoded, oracle::<T>(bytes)) {
        (Ok(ours), Some(theirs)) => {
            let (ours, theirs) = (ordered(ours), ordered(theirs));
            // Compared by their encodings, under which a NaN equals itself.
            let bytes_of = |value: &U| postcard::to_allocvec(value).unwrap();
            assert_eq!(bytes_of(&ours), bytes_of(&theirs), "{bytes:?}: {ours:?} and {theirs:?}");
        }
        (Err(_), None) => {}
        (ours, theirs) => panic!("of {bytes:?}, vox says {ours:?} and serde says {theirs:?}"),
    }
}

/// Counts the allocations of each thread, and the bytes that it holds.
struct Counting;

thread_local! {
    static ALLOCATIONS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
    static HELD: std::cell::Cell<isize> = const { std::cell::Cell::new(0) };
    static PEAK: std::cell::Cell<isize> = const { std::cell::Cell::new(0) };
}

// SAFETY: the system's allocator does it all. Growing is an allocation, a copy and a release, as `GlobalAlloc` has it.
unsafe impl std::alloc::GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: std::alloc::Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        HELD.set(HELD.get() + layout.size() as isize);
        PEAK.set(PEAK.get().max(HELD.get()));
        // SAFETY: the caller's promise.
        unsafe { std::alloc::System.alloc(layout) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: std::alloc::Layout) {
        HELD.set(HELD.get() - layout.size() as isize);
        // SAFETY: the caller's promise.
        unsafe { std::alloc::System.dealloc(start, layout) };
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// How many allocations `f` makes.
pub(crate) fn allocations_of(f: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.get();
    f();
    ALLOCATIONS.get() - before
}

/// The most bytes that are held at once in `f`, beyond those before.
pub(crate) fn peak_of<R>(f: impl FnOnce() -> R) -> (R, usize) {
    let before = HELD.get();
    PEAK.set(before);
    let result = f();
    (result, (PEAK.get() - before) as usize)
}

/// The bytes that this thread holds.
pub(crate) fn held() -> isize {
    HELD.get()
}
