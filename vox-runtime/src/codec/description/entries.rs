//! facet's functions for maps and sets, with plain pointers.
//!
//! As in `vtables`, the pointers must point to what the function says they do, of the type whose shape it came from.

use std::alloc::Layout;

use facet::{IterVTable, MapDef, PtrConst, PtrMut, SetDef};

use super::vtables::{live, owned, room};

/// A map.
#[derive(Clone, Copy)]
pub(in crate::codec) struct MapOps {
    init: facet::MapInitInPlaceWithCapacityFn,
    len: facet::MapLenFn,
    iter: &'static IterVTable<(PtrConst, PtrConst)>,
    iter_init: facet::IterInitWithValueFn,
    insert: facet::MapInsertFn,
    from_pairs: facet::MapFromPairSliceFn,
    pair_size: usize,
    value_offset: usize,
    is_hash: bool,
}

/// Where key and value stand in a pair.
#[derive(Clone, Copy)]
pub(in crate::codec) struct Pair {
    pub(in crate::codec) layout: Layout,
    pub(in crate::codec) key: usize,
    pub(in crate::codec) value: usize,
}

impl MapOps {
    pub(super) fn new(def: &MapDef, is_hash: bool) -> Option<Self> {
        let vtable = def.vtable;
        Some(Self {
            init: vtable.init_in_place_with_capacity,
            len: vtable.len,
            iter: &vtable.iter_vtable,
            iter_init: vtable.iter_vtable.init_with_value?,
            insert: vtable.insert,
            from_pairs: vtable.from_pair_slice?,
            pair_size: vtable.pair_stride,
            value_offset: vtable.value_offset_in_pair,
            is_hash,
        })
    }

    /// Whether it is a hash map, which is made of all its pairs at once. Others are filled one by one.
    pub(in crate::codec) fn is_hash(self) -> bool {
        self.is_hash
    }

    /// Where a key and a value of these layouts stand in a pair. A pair is a tuple: one of them comes first, and the other
    /// as soon after it as its alignment allows.
    pub(in crate::codec) fn pair(self, key: Layout, value: Layout) -> Pair {
        let key_offset = match self.value_offset {
            0 => value.size().next_multiple_of(key.align()),
            _ => 0,
        };
        let align = key.align().max(value.align());
        let layout = Layout::from_size_align(self.pair_size, align).unwrap_or(Layout::new::<()>());
        Pair { layout, key: key_offset, value: self.value_offset }
    }

    /// Whether a pair is as large as these two are in a tuple, and they stand where they can.
    pub(super) fn fits(self, key: Layout, value: Layout) -> bool {
        let pair = self.pair(key, value);
        let (key_end, value_end) = (pair.key + key.size(), pair.value.saturating_add(value.size()));
        let apart = key_end <= pair.value || value_end <= pair.key || key.size() == 0 || value.size() == 0;
        let align = key.align().max(value.align());
        let end = key_end.max(value_end);
        apart && pair.value.is_multiple_of(value.align()) && end.next_multiple_of(align) == self.pair_size
    }

    /// Makes a map at `dst` of `len` pairs side by side, which are moved out, with the map's own hasher.
    ///
    /// # Safety
    ///
    /// `dst` is valid for a write of the map; `len` live pairs stand from `pairs`, given up.
    pub(in crate::codec) unsafe fn init_from(self, dst: *mut u8, pairs: *mut u8, len: usize) {
        // SAFETY: the caller's promise.
        unsafe { (self.from_pairs)(room(dst), pairs, len) };
    }

    /// How many entries the live map has.
    ///
    /// # Safety
    ///
    /// `map` points to a live map of the type these came from.
    pub(in crate::codec) unsafe fn len(self, map: *const u8) -> usize {
        // SAFETY: the caller's promise.
        unsafe { (self.len)(live(map)) }
    }

    /// Makes an empty map with room for `capacity` entries, if it has room, at `dst`.
    ///
    /// # Safety
    ///
    /// `dst` is valid for a write of the map.
    pub(in crate::codec) unsafe fn init(self, dst: *mut u8, capacity: usize) {
        // SAFETY: the caller's promise.
        unsafe { (self.init)(room(dst), capacity) };
    }

    /// Moves an entry into the live map.
    ///
    /// # Safety
    ///
    /// `map` points to a live map of the type these came from, which is no hash map; `key` and `value` point to live ones, given up.
    pub(in crate::codec) unsafe fn insert(self, map: *mut u8, key: *mut u8, value: *mut u8) {
        // SAFETY: the caller's promise.
        unsafe { (self.insert)(owned(map), owned(key), owned(value)) };
    }

    /// Goes through the live map, which outlives the iteration.
    ///
    /// # Safety
    ///
    /// `map` points to a live map of the type these came from, which outlives the iteration unchanged.
    pub(in crate::codec) unsafe fn iterate(self, map: *const u8) -> Iteration<(PtrConst, PtrConst)> {
        // SAFETY: the caller's promise.
        let state = unsafe { (self.iter_init)(live(map)) };
        Iteration { state, vtable: self.iter }
    }
}

/// A set.
#[derive(Clone, Copy)]
pub(in crate::codec) struct SetOps {
    init: facet::SetInitInPlaceWithCapacityFn,
    len: facet::SetLenFn,
    iter: &'static IterVTable<PtrConst>,
    iter_init: facet::IterInitWithValueFn,
    insert: facet::SetInsertFn,
    is_hash: bool,
}

impl SetOps {
    pub(super) fn new(def: &SetDef, is_hash: bool) -> Option<Self> {
        let vtable = def.vtable;
        Some(Self {
            init: vtable.init_in_place_with_capacity,
            len: vtable.len,
            iter: &vtable.iter_vtable,
            iter_init: vtable.iter_vtable.init_with_value?,
            insert: vtable.insert,
            is_hash,
        })
    }

    /// Whether it is a hash set.
    pub(in crate::codec) fn is_hash(self) -> bool {
        self.is_hash
    }

    /// Makes an empty set with room for `capacity` items, if it has room, at `dst`.
    ///
    /// # Safety
    ///
    /// `dst` is valid for a write of the set.
    pub(in crate::codec) unsafe fn init(self, dst: *mut u8, capacity: usize) {
        // SAFETY: the caller's promise.
        unsafe { (self.init)(room(dst), capacity) };
    }

    /// Moves an item into the live set.
    ///
    /// # Safety
    ///
    /// `set` points to a live set of the type these came from; `item` points to a live item, given up.
    pub(in crate::codec) unsafe fn insert(self, set: *mut u8, item: *mut u8) {
        // SAFETY: the caller's promise.
        unsafe { (self.insert)(owned(set), owned(item)) };
    }

    /// How many items the live set has.
    ///
    /// # Safety
    ///
    /// `set` points to a live set of the type these came from.
    pub(in crate::codec) unsafe fn len(self, set: *const u8) -> usize {
        // SAFETY: the caller's promise.
        unsafe { (self.len)(live(set)) }
    }

    /// Goes through the live set, which outlives the iteration.
    ///
    /// # Safety
    ///
    /// `set` points to a live set of the type these came from, which outlives the iteration unchanged.
    pub(in crate::codec) unsafe fn iterate(self, set: *const u8) -> Iteration<PtrConst> {
        // SAFETY: the caller's promise.
        let state = unsafe { (self.iter_init)(live(set)) };
        Iteration { state, vtable: self.iter }
    }
}

/// One pass through a map or a set.
pub(in crate::codec) struct Iteration<T: facet::IterItem + 'static> {
    state: PtrMut,
    vtable: &'static IterVTable<T>,
}

impl<T: facet::IterItem> Drop for Iteration<T> {
    fn drop(&mut self) {
        // SAFETY: the state came from this vtable and is given up once, here.
        unsafe { (self.vtable.dealloc)(self.state) };
    }
}

impl Iterator for Iteration<PtrConst> {
    type Item = *const u8;

    fn next(&mut self) -> Option<*const u8> {
        // SAFETY: the state is live, and so is what it goes through.
        unsafe { (self.vtable.next)(self.state) }.map(PtrConst::raw_ptr)
    }
}

impl Iterator for Iteration<(PtrConst, PtrConst)> {
    type Item = (*const u8, *const u8);

    fn next(&mut self) -> Option<(*const u8, *const u8)> {
        // SAFETY: the state is live, and so is what it goes through.
        let (key, value) = unsafe { (self.vtable.next)(self.state) }?;
        Some((key.raw_ptr(), value.raw_ptr()))
    }
}
