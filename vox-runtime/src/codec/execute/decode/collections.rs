//! Collections: lists, slices, arrays, maps and sets.

use std::ptr;

use super::super::super::DecodeErrorKind;
use super::super::super::description::Scalar;
use super::super::super::program::{Block, BlockIndex, ItemKind, Items, ListOp, MapOp, SetOp, SliceOp};
use super::super::super::varint::unzigzag;
use super::super::scratch::Scratch;
use super::Reader;
use super::unwind::drop_items;

/// The most memory that is allocated before any of it is filled.
const FIRST_ALLOCATION: usize = 1 << 20;

/// A collection of items that take no bytes on the wire may have as many as its frame has bytes, or
/// this many. Each is charged to the budget as one byte, so that the work for all collections of a
/// message is bounded too.
const FEW_EMPTY_ITEMS: usize = 1024;

impl<'r> Reader<'r, '_> {
    /// Reads the items of a boxed or shared slice.
    ///
    /// # Safety
    ///
    /// `at` is valid for a write of the operation's type, and the cursor is in this reader's frame.
    pub(super) unsafe fn slice(&mut self, op: &'r SliceOp, at: *mut u8, cursor: *const u8, depth: u32) -> *const u8 {
        let block = self.program.block(op.items.block);
        // SAFETY: the caller's promise.
        let Some((len, mut cursor, depth)) = (unsafe { self.collection(block, cursor, depth) }) else {
            return ptr::null();
        };
        let Some(scratch) = Scratch::new(block.size, block.align, 1) else {
            return self.fail(DecodeErrorKind::OverBudget, cursor);
        };
        let builder = op.ops.build();
        for _ in 0..len {
            // SAFETY: there is room for an item, which is moved into the builder; after a failure
            // the builder goes, with the items it has.
            unsafe {
                cursor = self.block(block, scratch.start(), cursor, depth);
                if cursor.is_null() {
                    op.ops.free(builder);
                    return cursor;
                }
                op.ops.push(builder, scratch.start());
            }
        }
        // SAFETY: the owner of the builder's items belongs at `at`.
        unsafe { op.ops.finish(builder, at) };
        cursor
    }

    /// Reads a list, whose items are made where they stay.
    ///
    /// # Safety
    ///
    /// `at` is valid for a write of the operation's type, and the cursor is in this reader's frame.
    pub(super) unsafe fn list(&mut self, op: &'r ListOp, at: *mut u8, cursor: *const u8, depth: u32) -> *const u8 {
        let block = self.program.block(op.items.block);
        // SAFETY: the caller's promise.
        let Some((len, cursor, depth)) = (unsafe { self.collection(block, cursor, depth) }) else {
            return ptr::null();
        };
        // SAFETY: a list belongs at `at`. What is raw is there in the frame: `collection` has seen
        // to it that as many bytes are left.
        unsafe {
            if let ItemKind::Raw = op.items.kind {
                op.ops.init(at, len);
                let bytes = len * block.size;
                op.ops.items(at).copy_from_nonoverlapping(cursor, bytes);
                op.ops.set_len(at, len);
                return cursor.add(bytes);
            }
            let mut room = len.min(FIRST_ALLOCATION / block.size.max(1));
            op.ops.init(at, room);
            let (mut made, mut cursor) = (0, cursor);
            while made < len {
                if made == room {
                    op.ops.set_len(at, made);
                    room = len.min(room.saturating_mul(2).max(4));
                    op.ops.reserve(at, room - made);
                }
                let items = op.ops.items(at);
                cursor = self.items(op.items, items, &mut made, room, cursor, depth);
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
        // SAFETY: the caller's promise.
        let Some((len, mut cursor, depth)) = (unsafe { self.collection(block, cursor, depth) }) else {
            return ptr::null();
        };
        let Some(mut heap) = self.heap(block.size, block.align, len, cursor) else {
            return ptr::null();
        };
        let mut made = 0;
        while made < len {
            let until = heap.room_after(made, len);
            // SAFETY: there is room for that many items; after a failure the first `made` are live.
            unsafe {
                let items = heap.scratch.start();
                cursor = self.items(op.items, items, &mut made, until, cursor, depth);
                if cursor.is_null() {
                    drop_items(block, items, made);
                    return cursor;
                }
            }
        }
        // SAFETY: a set belongs at `at`; the items are moved into it.
        unsafe { op.ops.init_from(at, heap.scratch.start(), made) };
        cursor
    }

    /// Reads a map.
    ///
    /// # Safety
    ///
    /// `at` is valid for a write of the operation's type, and the cursor is in this reader's frame.
    pub(super) unsafe fn map(&mut self, op: &'r MapOp, at: *mut u8, cursor: *const u8, depth: u32) -> *const u8 {
        let (key, value) = (self.program.block(op.key.block), self.program.block(op.value.block));
        let size = op.ops.pair_size;
        let min_len = key.min_len.saturating_add(value.min_len);
        // SAFETY: the caller's promise.
        let Some((len, mut cursor, depth)) = (unsafe { self.counted(size, min_len, cursor, depth) }) else {
            return ptr::null();
        };
        let scratch = Scratch::new(key.size, key.align, 1);
        let Some((for_key, for_value)) = scratch.zip(Scratch::new(value.size, value.align, 1)) else {
            self.fail(DecodeErrorKind::OverBudget, cursor);
            return ptr::null();
        };
        // SAFETY: a map belongs at `at`. There is room for a key and a value, which are moved into
        // the map; after a failure the map goes with what it has, and so does the key if it was its
        // value that failed.
        unsafe {
            op.ops.init(at, len.min(FIRST_ALLOCATION / size.max(1)));
            for _ in 0..len {
                cursor = self.block(key, for_key.start(), cursor, depth);
                if !cursor.is_null() {
                    cursor = self.block(value, for_value.start(), cursor, depth);
                    if cursor.is_null() {
                        drop_items(key, for_key.start(), 1);
                    }
                }
                if cursor.is_null() {
                    op.glue.run(at);
                    return cursor;
                }
                op.ops.insert(at, for_key.start(), for_value.start());
            }
        }
        cursor
    }

    /// As `counted`, for items of one block.
    ///
    /// # Safety
    ///
    /// The cursor is in this reader's frame.
    unsafe fn collection(&mut self, item: &Block, cursor: *const u8, depth: u32) -> Option<(usize, *const u8, u32)> {
        // SAFETY: the caller's promise.
        unsafe { self.counted(item.size, item.min_len, cursor, depth) }
    }

    /// Reads a collection's length, which its frame can hold and its budget pays for, and goes one
    /// level deeper.
    ///
    /// # Safety
    ///
    /// The cursor is in this reader's frame.
    unsafe fn counted(
        &mut self,
        size: usize,
        min_len: usize,
        cursor: *const u8,
        depth: u32,
    ) -> Option<(usize, *const u8, u32)> {
        let mut len = 0;
        // SAFETY: the caller's promise.
        let next = unsafe { self.varint::<64>(cursor, &mut len) };
        if next.is_null() {
            return None;
        }
        let most = match min_len {
            0 => (self.end.addr() - self.start.addr()).max(FEW_EMPTY_ITEMS),
            min_len => self.left(next) / min_len,
        };
        if len > most as u64 {
            self.fail(DecodeErrorKind::BadLength(len), cursor);
            return None;
        }
        let len = len as usize;
        let depth = self.deeper(depth, len.saturating_mul(size.max(1)), cursor)?;
        Some((len, next, depth))
    }

    /// Room for the first of `len` values.
    fn heap(&mut self, size: usize, align: usize, len: usize, cursor: *const u8) -> Option<Heap> {
        let room = len.min((FIRST_ALLOCATION / size.max(1)).max(1));
        let Some(scratch) = Scratch::new(size, align, room) else {
            self.fail(DecodeErrorKind::OverBudget, cursor);
            return None;
        };
        Some(Heap { scratch, size, room })
    }
}

/// Values side by side, in room that grows as they are made.
struct Heap {
    scratch: Scratch,
    size: usize,
    room: usize,
}

impl Heap {
    /// Until which number there is room, making more if the first `made` fill it.
    fn room_after(&mut self, made: usize, len: usize) -> usize {
        if made == self.room && made < len {
            let room = len.min(self.room.saturating_mul(2).max(4));
            // The budget has paid for `len` values, so that they have a layout.
            if self.size != 0 && self.scratch.grow(room * self.size).is_none() {
                return self.room;
            }
            self.room = room;
        }
        self.room
    }
}
