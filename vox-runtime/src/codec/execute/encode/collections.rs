//! Collections, and whatever has a length.

use super::super::super::description::Scalar;
use super::super::super::program::{BlockIndex, ItemKind, Items, MapOp, SetOp};
use super::super::super::varint::zigzag;
use super::scalars::{put_bytes, put_scalar, put_varint, size_of_scalar};
use super::{LONGEST_LENGTH, Writer};

/// Items are reserved for in pieces of about this many bytes.
const PIECE: usize = 8192;

impl Writer<'_, '_> {
    /// A length and that many items.
    ///
    /// # Safety
    ///
    /// `len` live items stand side by side from `at`, and the cursor is this writer's.
    #[inline(never)]
    pub(super) unsafe fn sequence(
        &mut self,
        items: Items,
        at: *const u8,
        len: usize,
        cursor: *mut u8,
        depth: u32,
    ) -> *mut u8 {
        let Some(depth) = depth.checked_sub(1) else {
            return self.too_deep();
        };
        // SAFETY: `len` live items stand side by side from `at`.
        unsafe {
            if let ItemKind::Raw = items.kind {
                let size = self.program.block(items.block).size;
                return self.raw(at, len, len * size, cursor);
            }
            let cursor = self.length(len, cursor);
            if cursor.is_null() || len == 0 {
                return cursor;
            }
            if let ItemKind::Scalar(scalar) = items.kind {
                return self.scalars(scalar, at, len, cursor);
            }
            if let ItemKind::String = items.kind {
                return self.strings(at.cast(), len, cursor);
            }
            self.items(items.block, at, len, true, cursor, depth)
        }
    }

    /// Items without a length.
    ///
    /// # Safety
    ///
    /// `len` live items stand side by side from `at`, and the cursor is this writer's. Unless `reserves`, their bound is reserved.
    #[inline(never)]
    pub(super) unsafe fn items(
        &mut self,
        item: BlockIndex,
        at: *const u8,
        len: usize,
        reserves: bool,
        mut cursor: *mut u8,
        depth: u32,
    ) -> *mut u8 {
        let block = self.program.block(item);
        let bound = if reserves { block.max_len } else { None };
        let piece = bound.map_or(usize::MAX, |bound| (PIECE / bound.max(1)).max(1));
        let mut index = 0;
        while index < len {
            let until = len.min(index.saturating_add(piece));
            // SAFETY: `len` live items stand side by side from `at`; a bounded item's bound is
            // reserved here for the piece, or has been for all.
            unsafe {
                if let Some(bound) = bound {
                    cursor = self.reserve(cursor, bound * (until - index));
                    if cursor.is_null() {
                        return cursor;
                    }
                }
                while index < until {
                    cursor = self.block(block, at.add(index * block.size), cursor, depth);
                    if cursor.is_null() {
                        return cursor;
                    }
                    index += 1;
                }
            }
        }
        cursor
    }

    /// Strings side by side.
    ///
    /// # Safety
    ///
    /// `len` live strings stand side by side from `at`, and the cursor is this writer's.
    #[inline(never)]
    unsafe fn strings(&mut self, at: *const String, len: usize, mut cursor: *mut u8) -> *mut u8 {
        for index in 0..len {
            // SAFETY: the caller's promise.
            cursor = unsafe { self.string(at.add(index).cast(), cursor) };
            if cursor.is_null() {
                return cursor;
            }
        }
        cursor
    }

    /// Numbers side by side, in one tight loop for each of the common kinds.
    ///
    /// # Safety
    ///
    /// `len` live items stand side by side from `at`, and the cursor is this writer's.
    #[inline(never)]
    unsafe fn scalars(&mut self, scalar: Scalar, at: *const u8, len: usize, mut cursor: *mut u8) -> *mut u8 {
        macro_rules! put_all {
            ($($kind:pat => $bound:expr, $size:expr, $put:expr;)*) => {
                match scalar {
                    $($kind => {
                        let piece = PIECE / $bound;
                        let mut index = 0;
                        while index < len {
                            let until = len.min(index + piece);
                            // SAFETY: `len` live numbers of this kind stand side by side from
                            // `at`; the piece's bound is reserved.
                            unsafe {
                                cursor = self.reserve(cursor, $bound * (until - index));
                                if cursor.is_null() {
                                    return cursor;
                                }
                                while index < until {
                                    cursor = $put(at.add(index * $size), cursor);
                                    index += 1;
                                }
                            }
                        }
                        cursor
                    })*
                }
            };
        }
        put_all! {
            Scalar::U16 => 3, 2, |at: *const u8, to| put_varint(at.cast::<u16>().read().into(), to);
            Scalar::U32 => 5, 4, |at: *const u8, to| put_varint(at.cast::<u32>().read().into(), to);
            Scalar::U64 => 10, 8, |at: *const u8, to| put_varint(at.cast::<u64>().read(), to);
            Scalar::I32 => 5, 4, |at: *const u8, to| {
                put_varint(zigzag(at.cast::<i32>().read().into()), to)
            };
            Scalar::I64 => 10, 8, |at: *const u8, to| {
                put_varint(zigzag(at.cast::<i64>().read()), to)
            };
            other => 19, size_of_scalar(other), |at, to| put_scalar(other, at, to);
        }
    }

    /// A length and that many keys and values.
    ///
    /// # Safety
    ///
    /// `at` points to a live value of the operation's type, and the cursor is this writer's.
    #[inline(never)]
    pub(super) unsafe fn map(&mut self, op: &MapOp, at: *const u8, cursor: *mut u8, depth: u32) -> *mut u8 {
        let Some(depth) = depth.checked_sub(1) else {
            return self.too_deep();
        };
        // SAFETY: `at` is a live map, and its keys and values are their blocks' live values.
        unsafe {
            let len = op.ops.len(at);
            let mut cursor = self.length(len, cursor);
            if cursor.is_null() || len == 0 {
                return cursor;
            }
            for (key, value) in op.ops.iterate(at) {
                cursor = self.item(op.key, key, cursor, depth);
                if cursor.is_null() {
                    return cursor;
                }
                cursor = self.item(op.value, value, cursor, depth);
                if cursor.is_null() {
                    return cursor;
                }
            }
            cursor
        }
    }

    /// A length and that many items that do not stand side by side.
    ///
    /// # Safety
    ///
    /// `at` points to a live value of the operation's type, and the cursor is this writer's.
    #[inline(never)]
    pub(super) unsafe fn set(&mut self, op: &SetOp, at: *const u8, cursor: *mut u8, depth: u32) -> *mut u8 {
        let Some(depth) = depth.checked_sub(1) else {
            return self.too_deep();
        };
        // SAFETY: `at` is a live set, and its items are their block's live values.
        unsafe {
            let mut cursor = self.length(op.ops.len(at), cursor);
            for item in op.ops.iterate(at) {
                if cursor.is_null() {
                    return cursor;
                }
                cursor = self.item(op.items, item, cursor, depth);
            }
            cursor
        }
    }

    /// One item, with room reserved for it.
    ///
    /// # Safety
    ///
    /// `at` points to a live item, and the cursor is this writer's.
    #[inline(always)]
    unsafe fn item(&mut self, items: Items, at: *const u8, cursor: *mut u8, depth: u32) -> *mut u8 {
        // SAFETY: the caller's promise; a scalar's bound is reserved, and so is a block's, if it has one.
        unsafe {
            if let ItemKind::String = items.kind {
                return self.string(at, cursor);
            }
            let block = self.program.block(items.block);
            let cursor = self.reserve(cursor, block.max_len.unwrap_or(0));
            match (cursor.is_null(), items.kind) {
                (true, _) => cursor,
                (false, ItemKind::Scalar(scalar)) => put_scalar(scalar, at, cursor),
                (false, _) => self.block(block, at, cursor, depth),
            }
        }
    }

    /// A length, with room reserved for it.
    ///
    /// # Safety
    ///
    /// The cursor is this writer's.
    pub(super) unsafe fn length(&mut self, len: usize, cursor: *mut u8) -> *mut u8 {
        // SAFETY: the cursor is this writer's, and room is reserved.
        unsafe {
            let cursor = self.reserve(cursor, LONGEST_LENGTH);
            match cursor.is_null() {
                true => cursor,
                false => put_varint(len as u64, cursor),
            }
        }
    }

    /// A string: its length, then its UTF-8.
    ///
    /// # Safety
    ///
    /// `at` points to a live string, and the cursor is this writer's.
    #[inline(always)]
    pub(super) unsafe fn string(&mut self, at: *const u8, cursor: *mut u8) -> *mut u8 {
        // SAFETY: the caller's promise.
        unsafe {
            let string = &*at.cast::<String>();
            self.raw(string.as_ptr(), string.len(), string.len(), cursor)
        }
    }

    /// A length and `size` bytes as they are.
    ///
    /// # Safety
    ///
    /// `size` bytes are live from `at`, outside of this writer's buffer, and the cursor is this writer's.
    #[inline(always)]
    pub(super) unsafe fn raw(&mut self, at: *const u8, len: usize, size: usize, cursor: *mut u8) -> *mut u8 {
        // SAFETY: `size` bytes are live from `at`, which is not this buffer; room is reserved.
        unsafe {
            let cursor = self.reserve_known(cursor, size);
            if cursor.is_null() {
                return cursor;
            }
            let cursor = put_varint(len as u64, cursor);
            put_bytes(at, size, cursor)
        }
    }
}
