//! Types that are encoded whole, each by a few lines of safe code.
//!
//! A leaf is a concrete type whose encoding the program does not look into: strings in their many
//! owners, addresses, durations. Each writes exactly what its `serde` implementation writes through
//! postcard, which the tests hold it to.

mod foreign;
mod net;
mod owned;
mod rest;

use std::alloc::Layout;
use std::any::TypeId;
use std::collections::HashMap;
use std::mem;
use std::ptr;
use std::sync::LazyLock;

use super::{DecodeError, Decoder, EncodeError, Encoder};
pub(crate) use rest::Rest;

/// The name of every encoding that is a length and UTF-8.
pub(super) const STRING: &str = "string";
/// The name of every encoding that is a length and bytes.
pub(super) const BYTES: &str = "bytes";

/// A type that is encoded whole.
pub(super) trait Leaf: Sized + 'static {
    /// What its encoding is called in schemas. Types of the same name have the same encodings.
    const NAME: &'static str;

    /// The fewest bytes an encoding takes.
    const MIN: usize;

    /// The most that decoding charges for each byte of an encoding.
    const RATE: usize = 128;

    /// Appends the encoding.
    fn put(&self, to: &mut Encoder<'_>) -> Result<(), EncodeError>;

    /// Reads an encoding. Memory it allocates is charged to the decoder's budget first.
    fn take(from: &mut Decoder<'_>) -> Result<Self, DecodeError>;
}

/// A leaf type's functions, with the type erased.
pub(super) struct LeafOps {
    pub(super) name: &'static str,
    pub(super) min: usize,
    pub(super) rate: usize,
    pub(super) layout: Layout,
    /// Appends the value at the pointer, which must be a live value of the leaf type.
    pub(super) put: unsafe fn(*const u8, &mut Encoder<'_>) -> Result<(), EncodeError>,
    /// Initialises the pointer, valid for writes of the leaf type, unless it returns an error.
    pub(super) take: unsafe fn(*mut u8, &mut Decoder<'_>) -> Result<(), DecodeError>,
    /// Reads a value and lets go of it, for what that charges the decoder.
    pub(super) measure: fn(&mut Decoder<'_>) -> Result<(), DecodeError>,
    /// Drops the live value at the pointer.
    pub(super) drop: Option<unsafe fn(*mut u8)>,
}

/// The leaf of a type, if it is one.
pub(super) fn leaf_of(id: TypeId) -> Option<&'static LeafOps> {
    static LEAVES: LazyLock<HashMap<TypeId, &'static LeafOps>> = LazyLock::new(|| {
        let mut table = Table(HashMap::new());
        owned::register(&mut table);
        net::register(&mut table);
        foreign::register(&mut table);
        // By its type alone: no peer's schema names it.
        table.add::<Rest>();
        table.0
    });
    LEAVES.get(&id).copied()
}

/// A leaf whose encoding has this name in schemas, if this end has one.
pub(super) fn leaf_named(name: &str) -> Option<&'static LeafOps> {
    static NAMED: LazyLock<HashMap<&str, &'static LeafOps>> = LazyLock::new(|| {
        let mut table = Table(HashMap::new());
        owned::register(&mut table);
        net::register(&mut table);
        foreign::register(&mut table);
        table.0.into_values().map(|ops| (ops.name, ops)).collect()
    });
    NAMED.get(name).copied()
}

/// The names of all leaves that a peer's schema may name: each as often as there are types of it.
#[cfg(test)]
pub(crate) fn names() -> Vec<&'static str> {
    let mut table = Table(HashMap::new());
    owned::register(&mut table);
    net::register(&mut table);
    foreign::register(&mut table);
    table.0.into_values().map(|ops| ops.name).collect()
}

/// The leaves by type.
struct Table(HashMap<TypeId, &'static LeafOps>);

impl Table {
    fn add<T: Leaf>(&mut self) {
        self.0.insert(TypeId::of::<T>(), erased::<T>());
    }
}

#[allow(unsafe_code, reason = "the functions of a leaf get pointers, for its type is erased")]
fn erased<T: Leaf>() -> &'static LeafOps {
    /// Appends the value.
    ///
    /// # Safety
    ///
    /// `value` points to a live value of the leaf type.
    unsafe fn put<T: Leaf>(value: *const u8, to: &mut Encoder<'_>) -> Result<(), EncodeError> {
        // SAFETY: the caller's promise.
        unsafe { &*value.cast::<T>() }.put(to)
    }
    /// Reads a value to `dst`, which is untouched after an error.
    ///
    /// # Safety
    ///
    /// `dst` is valid for a write of the leaf type.
    unsafe fn take<T: Leaf>(dst: *mut u8, from: &mut Decoder<'_>) -> Result<(), DecodeError> {
        let value = T::take(from)?;
        // SAFETY: the caller's promise.
        unsafe { dst.cast::<T>().write(value) };
        Ok(())
    }
    fn drop_value<T>(_: T) {}
    /// Drops the value.
    ///
    /// # Safety
    ///
    /// `value` points to a live value of the leaf type and is given up.
    unsafe fn drop<T: Leaf>(value: *mut u8) {
        // SAFETY: the caller's promise.
        unsafe { ptr::drop_in_place(value.cast::<T>()) };
    }
    &const {
        LeafOps {
            name: T::NAME,
            min: T::MIN,
            rate: T::RATE,
            layout: Layout::new::<T>(),
            put: put::<T>,
            take: take::<T>,
            measure: |from| T::take(from).map(drop_value),
            drop: if mem::needs_drop::<T>() { Some(drop::<T>) } else { None },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{BYTES, STRING, names};

    /// A schema knows a type by its name alone.
    #[test]
    fn no_two_types_have_one_name_that_are_written_differently() {
        let mut types = BTreeMap::<_, usize>::new();
        names().into_iter().for_each(|name| *types.entry(name).or_default() += 1);
        types.retain(|name, count| *count > 1 && ![STRING, BYTES].contains(name));
        // Of chrono, in three kinds of time zones.
        assert!(types.remove("DateTime").is_none_or(|count| count == 3));
        assert_eq!(types, BTreeMap::new());
    }
}
