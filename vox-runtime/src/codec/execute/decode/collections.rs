//! Collections: lists, slices, arrays, maps and sets.

use std::ptr;

use super::super::super::charge::{self, Growth};
use super::super::super::description::Scalar;
use super::super::super::program::{Block, BlockIndex, ItemKind, Items, ListOp, MapOp, SetOp, SliceOp};
use super::super::super::varint::unzigzag;
use super::super::super::{Budget, DecodeErrorKind};
use super::super::scratch::Scratch;
use super::Reader;
use super::unwind::drop_items;

impl<'r> Reader<'r, '_> {
    /// Reads the items of a boxed or shared slice.
    ///
    /// # Safety
    ///
    /// `at` is valid for a write of the operation's type, and the cursor is in this reader's frame.
    pub(super) unsafe fn slice(&mut self, op: &'r SliceOp, at: *mut u8, cursor: *const u8, depth: u32) -> *const u8 {
        let block = self.program.block(op.items.block);
        let program = self.program;
        let cost = |len| op.cost(program, len);
        // SAFETY: the caller's promise.
        let Some((len, cursor, depth)) = (unsafe { self.counted(block.min_len, cost, cursor, depth) }) else {
            return ptr::null();
        };
        // SAFETY: the caller's promise. The heap holds `len` items when it comes back, and is as long as they are.
        unsafe {
            let Some((heap, cursor)) = self.heap(op.items, len, cursor, depth) else {
                return ptr::null();
            };
            if op.ops.is_box() {
                // A `Box` of a slice is a pointer to an allocation of its items' layout, and their number.
                let items = ptr::slice_from_raw_parts_mut(heap.into_start().cast::<()>(), len);
                at.cast::<*mut [()]>().write(items);
            } else {
                let builder = op.ops.build();
                for index in 0..len {
                    op.ops.push(builder, heap.start().add(index * block.size));
                }
                op.ops.finish(builder, at);
            }
            cursor
        }
    }

    /// Reads a list, whose items are made where they stay.
    ///
    /// # Safety
    ///
    /// `at` is valid for a write of the operation's type, and the cursor is in this reader's frame.
    pub(super) unsafe fn list(&mut self, op: &'r ListOp, at: *mut u8, cursor: *const u8, depth: u32) -> *const u8 {
        let block = self.program.block(op.items.block);
        let program = self.program;
        let cost = |len| op.cost(program, len);
        // SAFETY: the caller's promise.
        let Some((len, cursor, depth)) = (unsafe { self.counted(block.min_len, cost, cursor, depth) }) else {
            return ptr::null();
        };
        // SAFETY: a list belongs at `at`. What is raw is there in the frame: `counted` has seen
        // to it that as many bytes are left.
        unsafe {
            if let ItemKind::Raw = op.items.kind {
                op.ops.init(at, len);
                let bytes = len * block.size;
                op.ops.items(at).copy_from_nonoverlapping(cursor, bytes);
                op.ops.set_len(at, len);
                return cursor.add(bytes);
            }
            let mut room = Growth::to(len, block.size).first;
            op.ops.init(at, room);
            let (mut made, mut cursor) = (0, cursor);
            while made < len {
                if made == room {
                    op.ops.set_len(at, made);
                    op.ops.reserve(at, room);
                    room *= 2;
                }
                let items = op.ops.items(at);
                cursor = self.items(op.items, items, &mut made, room.min(len), cursor, depth);
                if cursor.is_null() {
                    op.ops.set_len(at, made);
                    op.glue.run(at);
                    return cursor;
                }
            }
            op.ops.set_len(at, made);
            cursor
        }
    }

    /// Makes items side by side from number `made` until number `until`, and counts them.
    ///
    /// # Safety
    ///
    /// There is room for `until` items at `items`, and the cursor is in this reader's frame.
    unsafe fn items(
        &mut self,
        of: Items,
        items: *mut u8,
        made: &mut usize,
        until: usize,
        mut cursor: *const u8,
        depth: u32,
    ) -> *const u8 {
        macro_rules! numbers {
            ($bits:expr, $ty:ty, $read:ident => $value:expr) => {{
                let mut index = *made;
                while index < until {
                    let mut $read = 0u64;
                    // SAFETY: the caller's promise.
                    unsafe {
                        let next = self.varint::<{ $bits }>(cursor, &mut $read);
                        if next.is_null() {
                            *made = index;
                            return next;
                        }
                        items.cast::<$ty>().add(index).write($value as $ty);
                        cursor = next;
                    }
                    index += 1;
                }
                *made = index;
                cursor
            }};
        }
        match of.kind {
            ItemKind::Scalar(Scalar::U32) => numbers!(32, u32, read => read),
            ItemKind::Scalar(Scalar::U64) => numbers!(64, u64, read => read),
            ItemKind::Scalar(Scalar::I32) => numbers!(32, i32, read => unzigzag(read)),
            ItemKind::Scalar(Scalar::I64) => numbers!(64, i64, read => unzigzag(read)),
            ItemKind::String => {
                while *made < until {
                    // SAFETY: the caller's promise.
                    cursor = unsafe { self.string(items.cast::<String>().add(*made).cast(), cursor) };
                    if cursor.is_null() {
                        return cursor;
                    }
                    *made += 1;
                }
                cursor
            }
            ItemKind::Scalar(_) | ItemKind::Raw | ItemKind::Other => {
                let block = self.program.block(of.block);
                while *made < until {
                    // SAFETY: the caller's promise.
                    unsafe {
                        let item = items.add(*made * block.size);
                        cursor = self.block(block, item, cursor, depth);
                    }
                    if cursor.is_null() {
                        return cursor;
                    }
                    *made += 1;
                }
                cursor
            }
        }
    }

    /// Reads the items of an array.
    ///
    /// # Safety
    ///
    /// `at` is valid for a write of the operation's type, and the cursor is in this reader's frame.
    pub(super) unsafe fn array(
        &mut self,
        item: BlockIndex,
        len: usize,
        at: *mut u8,
        cursor: *const u8,
        depth: u32,
    ) -> *const u8 {
        let block = self.program.block(item);
        let items = Items { block: item, kind: ItemKind::Other };
        let Some(depth) = depth.checked_sub(1) else {
            return self.too_deep(cursor);
        };
        let mut made = 0;
        // SAFETY: there is room for all items; after a failure the first `made` are live.
        unsafe {
            let cursor = self.items(items, at, &mut made, len, cursor, depth);
            if cursor.is_null() {
                drop_items(block, at, made);
            }
            cursor
        }
    }

    /// Reads a set.
    ///
    /// # Safety
    ///
    /// `at` is valid for a write of the operation's type, and the cursor is in this reader's frame.
    pub(super) unsafe fn set(&mut self, op: &'r SetOp, at: *mut u8, cursor: *const u8, depth: u32) -> *const u8 {
        let block = self.program.block(op.items.block);
        let program = self.program;
        let cost = |len| op.cost(program, len);
        // SAFETY: the caller's promise.
        let Some((len, mut cursor, depth)) = (unsafe { self.counted(block.min_len, cost, cursor, depth) }) else {
            return ptr::null();
        };
        let Some(scratch) = Scratch::new(block.size, block.align, usize::from(len > 0)) else {
            return self.over_budget(usize::MAX, cursor);
        };
        // SAFETY: a set belongs at `at`. There is room for an item, which is moved into the set; after a failure the set
        // goes with what it has.
        unsafe {
            op.ops.init(at, Growth::to(len, block.size).first);
            for _ in 0..len {
                cursor = self.block(block, scratch.start(), cursor, depth);
                if cursor.is_null() {
                    op.glue.run(at);
                    return cursor;
                }
                op.ops.insert(at, scratch.start());
            }
        }
        cursor
    }

    /// Reads a map.
    ///
    /// # Safety
    ///
    /// `at` is valid for a write of the operation's type, and the cursor is in this reader's frame.
    pub(super) unsafe fn map(&mut self, op: &'r MapOp, at: *mut u8, cursor: *const u8, depth: u32) -> *const u8 {
        let (key, value) = (self.program.block(op.key.block), self.program.block(op.value.block));
        let min_len = key.min_len.saturating_add(value.min_len);
        let program = self.program;
        let cost = |len| op.cost(program, len);
        // SAFETY: the caller's promise.
        let Some((len, cursor, depth)) = (unsafe { self.counted(min_len, cost, cursor, depth) }) else {
            return ptr::null();
        };
        // SAFETY: a map belongs at `at`.
        unsafe {
            match op.ops.is_hash() {
                true => self.hash_map(op, at, len, cursor, depth),
                false => self.tree_map(op, at, len, cursor, depth),
            }
        }
    }

    /// Reads the entries of a map, each of which is moved into it.
    ///
    /// # Safety
    ///
    /// As for `map`.
    unsafe fn tree_map(
        &mut self,
        op: &'r MapOp,
        at: *mut u8,
        len: usize,
        mut cursor: *const u8,
        depth: u32,
    ) -> *const u8 {
        let (key, value) = (self.program.block(op.key.block), self.program.block(op.value.block));
        let any = usize::from(len > 0);
        let scratch = Scratch::new(key.size, key.align, any);
        let Some((for_key, for_value)) = scratch.zip(Scratch::new(value.size, value.align, any)) else {
            return self.over_budget(usize::MAX, cursor);
        };
        // SAFETY: a map belongs at `at`. There is room for a key and a value, which are moved into
        // the map; after a failure the map goes with what it has.
        unsafe {
            op.ops.init(at, 0);
            for _ in 0..len {
                cursor = self.entry(key, for_key.start(), value, for_value.start(), cursor, depth);
                if cursor.is_null() {
                    op.glue.run(at);
                    return cursor;
                }
                op.ops.insert(at, for_key.start(), for_value.start());
            }
        }
        cursor
    }

    /// Reads the entries of a hash map, which is made of all of them at once.
    ///
    /// # Safety
    ///
    /// As for `map`.
    unsafe fn hash_map(
        &mut self,
        op: &'r MapOp,
        at: *mut u8,
        len: usize,
        mut cursor: *const u8,
        depth: u32,
    ) -> *const u8 {
        let (key, value) = (self.program.block(op.key.block), self.program.block(op.value.block));
        let size = op.pair.layout.size();
        let mut room = Growth::to(len, size).first;
        let Some(mut heap) = Scratch::new(size, op.pair.layout.align(), room) else {
            return self.over_budget(usize::MAX, cursor);
        };
        // SAFETY: there is room for every pair, whose key and value stand where the pair's layout has them; after a failure
        // the pairs that are whole are dropped.
        unsafe {
            for made in 0..len {
                if made == room {
                    room = len.min(room * 2);
                    heap.grow(room * size);
                }
                let pair = heap.start().add(made * size);
                cursor = self.entry(key, pair.add(op.pair.key), value, pair.add(op.pair.value), cursor, depth);
                if cursor.is_null() {
                    for index in 0..made {
                        let pair = heap.start().add(index * size);
                        drop_items(key, pair.add(op.pair.key), 1);
                        drop_items(value, pair.add(op.pair.value), 1);
                    }
                    return cursor;
                }
            }
            op.ops.init_from(at, heap.start(), len);
        }
        cursor
    }

    /// Reads a key and a value. After a failure neither is there.
    ///
    /// # Safety
    ///
    /// There is room for a key and a value of these blocks, and the cursor is in this reader's frame.
    #[inline(always)]
    unsafe fn entry(
        &mut self,
        key: &'r Block,
        for_key: *mut u8,
        value: &'r Block,
        for_value: *mut u8,
        cursor: *const u8,
        depth: u32,
    ) -> *const u8 {
        // SAFETY: the caller's promise; the key is live when its value fails.
        unsafe {
            let cursor = self.block(key, for_key, cursor, depth);
            if cursor.is_null() {
                return cursor;
            }
            let cursor = self.block(value, for_value, cursor, depth);
            if cursor.is_null() {
                drop_items(key, for_key, 1);
            }
            cursor
        }
    }

    /// Reads a collection's length, which its frame can hold and its budget pays for, and goes one
    /// level deeper. `cost` is what so many items cost.
    ///
    /// # Safety
    ///
    /// The cursor is in this reader's frame.
    unsafe fn counted(
        &mut self,
        min_len: usize,
        cost: impl FnOnce(usize) -> usize,
        cursor: *const u8,
        depth: u32,
    ) -> Option<(usize, *const u8, u32)> {
        let mut len = 0;
        // SAFETY: the caller's promise.
        let next = unsafe { self.varint::<64>(cursor, &mut len) };
        if next.is_null() {
            return None;
        }
        if min_len == 0 {
            return self.counted_empty(len, cost, next, depth);
        }
        if len > (self.left(next) / min_len) as u64 {
            self.fail(DecodeErrorKind::BadLength(len), cursor);
            return None;
        }
        let depth = self.deeper(depth, cost(len as usize), cursor)?;
        Some((len as usize, next, depth))
    }

    /// As `counted`, of items that take no bytes.
    #[cold]
    #[inline(never)]
    fn counted_empty(
        &mut self,
        len: u64,
        cost: impl FnOnce(usize) -> usize,
        next: *const u8,
        depth: u32,
    ) -> Option<(usize, *const u8, u32)> {
        let limit = Budget::EMPTY_ITEMS;
        if len > limit as u64 {
            self.fail(DecodeErrorKind::TooManyEmptyItems { count: len, limit }, next);
            return None;
        }
        let len = len as usize;
        let depth = self.deeper(depth, cost(len).saturating_add(len * charge::EMPTY_ITEM), next)?;
        Some((len, next, depth))
    }

    /// Reads `len` items side by side into room of their own, which ends with them.
    ///
    /// # Safety
    ///
    /// The cursor is in this reader's frame, and the budget has paid for the items.
    unsafe fn heap(
        &mut self,
        of: Items,
        len: usize,
        mut cursor: *const u8,
        depth: u32,
    ) -> Option<(Scratch, *const u8)> {
        let block = self.program.block(of.block);
        let mut room = Growth::to(len, block.size).first;
        let Some(mut heap) = Scratch::new(block.size, block.align, room) else {
            self.over_budget(usize::MAX, cursor);
            return None;
        };
        let mut made = 0;
        while made < len {
            if made == room {
                room = len.min(room * 2);
                heap.grow(room * block.size);
            }
            // SAFETY: there is room for that many items; after a failure the first `made` are live.
            unsafe {
                cursor = self.items(of, heap.start(), &mut made, room, cursor, depth);
                if cursor.is_null() {
                    drop_items(block, heap.start(), made);
                    return None;
                }
            }
        }
        Some((heap, cursor))
    }
}
