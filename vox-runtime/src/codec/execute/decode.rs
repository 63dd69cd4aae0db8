//! Bytes to values.
//!
//! The cursor goes from operation to operation by value and stays in a register. A null cursor
//! means failure; the error waits in the reader. Whoever fails has dropped what it had made:
//! after a failure the destination holds nothing.

use std::alloc::Layout;
use std::ptr;
use std::slice;

use super::super::description::{Scalar, TagWidth};
use super::super::program::{
    Block, BlockIndex, ChannelOp, EnumOp, ItemKind, Items, ListOp, MapOp, OpKind, Program, SetOp, SliceOp,
};
use super::super::varint::{self, Bad, gather, unzigzag, unzigzag128};
use super::super::{DecodeError, DecodeErrorKind, Decoder};
use super::scratch::{self, Scratch};

/// Decodes a value into `dst`, which is initialised if this returns `Ok` and untouched otherwise.
///
/// # Safety
///
/// `dst` is valid for a write of the type that `program` was compiled for.
pub(in crate::codec) unsafe fn decode(
    program: &Program,
    dst: *mut u8,
    from: &mut Decoder<'_>,
) -> Result<(), DecodeError> {
    let frame: &[u8] = from.frame;
    let range = frame.as_ptr_range();
    let depth = from.budget.depth();
    // SAFETY: the position is within the frame.
    let cursor = unsafe { range.start.add(from.position) };
    let mut reader = Reader { program, from, start: range.start, end: range.end, error: None };
    // SAFETY: the caller's promise about `dst`; the cursor is in the frame.
    let cursor = unsafe { reader.block(program.root(), dst, cursor, depth) };
    if cursor.is_null() {
        let at = reader.from.position;
        let end = DecodeError::new(DecodeErrorKind::UnexpectedEnd, at);
        return Err(reader.error.take().unwrap_or(end));
    }
    reader.sync(cursor);
    Ok(())
}

/// The most memory that is allocated before any of it is filled.
const FIRST_ALLOCATION: usize = 1 << 20;

/// A collection of items that take no bytes on the wire may have as many as its frame has bytes, or
/// this many. Each is charged to the budget as one byte, so that the work for all collections of a
/// message is bounded too.
const FEW_EMPTY_ITEMS: usize = 1024;

struct Reader<'r, 'a> {
    program: &'r Program,
    from: &'r mut Decoder<'a>,
    start: *const u8,
    end: *const u8,
    error: Option<DecodeError>,
}

impl<'r> Reader<'r, '_> {
    fn sync(&mut self, cursor: *const u8) {
        self.from.position = cursor.addr() - self.start.addr();
    }

    #[inline(always)]
    fn left(&self, cursor: *const u8) -> usize {
        self.end.addr() - cursor.addr()
    }

    #[cold]
    #[inline(never)]
    fn fail(&mut self, kind: DecodeErrorKind, cursor: *const u8) -> *const u8 {
        self.error = Some(DecodeError::new(kind, cursor.addr() - self.start.addr()));
        ptr::null()
    }

    /// Decodes the block's value into `base`.
    ///
    /// # Safety
    ///
    /// `base` is valid for a write of the block's type (or enum, for a variant's members), and the
    /// cursor is in this reader's frame.
    unsafe fn block(&mut self, block: &'r Block, base: *mut u8, mut cursor: *const u8, depth: u32) -> *const u8 {
        for (index, op) in block.decode.iter().enumerate() {
            // SAFETY: the offset is inside the value, which the program was compiled for; so what
            // the operation says is what belongs there.
            cursor = unsafe {
                let at = base.add(op.offset);
                match &op.kind {
                    OpKind::Scalar(scalar) => self.scalar(*scalar, at, cursor),
                    OpKind::Raw(len) => self.raw(*len, at, cursor),
                    OpKind::String => self.string(at, cursor),
                    OpKind::Leaf(ops) => {
                        self.sync(cursor);
                        match (ops.take)(at, self.from) {
                            Ok(()) => self.start.add(self.from.position),
                            Err(error) => {
                                self.error = Some(error);
                                ptr::null()
                            }
                        }
                    }
                    OpKind::Enum(op) => self.enumeration(op, at, cursor, depth),
                    OpKind::Option { ops, some, .. } => match self.byte(cursor) {
                        Some(0) => {
                            ops.init_none(at);
                            cursor.add(1)
                        }
                        Some(1) => {
                            let some = self.program.block(*some);
                            let cursor = self.block(some, at, cursor.add(1), depth);
                            if !cursor.is_null() {
                                ops.init_some(at, at);
                            }
                            cursor
                        }
                        Some(_) => self.fail(DecodeErrorKind::BadOption, cursor),
                        None => self.fail(DecodeErrorKind::UnexpectedEnd, cursor),
                    },
                    OpKind::Result { ops, ok, err, .. } => {
                        let mut index = 0;
                        let next = self.varint::<32>(cursor, &mut index);
                        if next.is_null() {
                            next
                        } else if index == 0 {
                            let next = self.block(self.program.block(*ok), at, next, depth);
                            if !next.is_null() {
                                ops.init_ok(at, at);
                            }
                            next
                        } else if index == 1 {
                            let next = self.block(self.program.block(*err), at, next, depth);
                            if !next.is_null() {
                                ops.init_err(at, at);
                            }
                            next
                        } else {
                            self.fail(DecodeErrorKind::BadVariant(index as u32), cursor)
                        }
                    }
                    OpKind::Box(inner) => self.boxed(*inner, at, cursor, depth),
                    OpKind::Shared { ops, content } => {
                        let block = self.program.block(*content);
                        let owned = |content| ops.init(at, content);
                        self.shared(block, owned, cursor, depth)
                    }
                    OpKind::Slice(op) => self.slice(op, at, cursor, depth),
                    OpKind::List(op) => self.list(op, at, cursor, depth),
                    OpKind::Array { item, len, .. } => self.array(*item, *len, at, cursor, depth),
                    OpKind::Map(op) => self.map(op, at, cursor, depth),
                    OpKind::Set(op) => self.set(op, at, cursor, depth),
                    OpKind::Channel(op) => self.channel(op, at, cursor),
                    OpKind::Reserve(_) => cursor,
                }
            };
            if cursor.is_null() {
                // SAFETY: the operations before this one are done, and this one left nothing.
                unsafe { unwind(block, index, base) };
                return cursor;
            }
        }
        cursor
    }

    #[inline(always)]
    fn byte(&self, cursor: *const u8) -> Option<u8> {
        // SAFETY: before the end, the cursor points to a byte of the frame.
        (cursor < self.end).then(|| unsafe { cursor.read() })
    }

    #[inline(always)]
    unsafe fn raw(&mut self, len: usize, at: *mut u8, cursor: *const u8) -> *const u8 {
        if self.left(cursor) < len {
            return self.fail(DecodeErrorKind::UnexpectedEnd, cursor);
        }
        // SAFETY: that many bytes are left, and belong at `at`.
        unsafe {
            at.copy_from_nonoverlapping(cursor, len);
            cursor.add(len)
        }
    }

    /// Reads a number of at most `BITS` bits.
    #[inline(always)]
    unsafe fn varint<const BITS: u32>(&mut self, cursor: *const u8, value: &mut u64) -> *const u8 {
        if self.left(cursor) >= 8 {
            // SAFETY: eight bytes are left.
            let word = u64::from_le_bytes(unsafe { cursor.cast::<[u8; 8]>().read_unaligned() });
            if word & 0x80 == 0 {
                *value = word & 0x7f;
                // SAFETY: as above.
                return unsafe { cursor.add(1) };
            }
            let stops = !word & 0x8080_8080_8080_8080;
            if stops != 0 {
                let len = stops.trailing_zeros() as usize / 8 + 1;
                *value = gather(word & (stops ^ (stops - 1)));
                if len <= varint::max_len(BITS) && (BITS == 64 || *value >> (BITS % 64) == 0) {
                    // SAFETY: it is at most eight bytes long.
                    return unsafe { cursor.add(len) };
                }
                return self.fail(DecodeErrorKind::BadVarint, cursor);
            }
        }
        let mut long = 0;
        // SAFETY: the caller's promise.
        let next = unsafe { self.long_varint(BITS, cursor, &mut long) };
        *value = long as u64;
        next
    }

    /// Reads a number of at most `bits` bits, slowly.
    #[inline(never)]
    unsafe fn long_varint(&mut self, bits: u32, cursor: *const u8, value: &mut u128) -> *const u8 {
        // SAFETY: the bytes from the cursor to the end are the frame's.
        let rest = unsafe { slice::from_raw_parts(cursor, self.left(cursor)) };
        match varint::read(rest, bits) {
            Ok((read, len)) => {
                *value = read;
                // SAFETY: it is no longer than what is left.
                unsafe { cursor.add(len) }
            }
            Err(Bad::End) => self.fail(DecodeErrorKind::UnexpectedEnd, cursor),
            Err(Bad::Range) => self.fail(DecodeErrorKind::BadVarint, cursor),
        }
    }

    /// Reads the scalar that belongs at `at`.
    #[inline(always)]
    unsafe fn scalar(&mut self, scalar: Scalar, at: *mut u8, cursor: *const u8) -> *const u8 {
        macro_rules! number {
            ($bits:expr, $ty:ty, $read:ident => $value:expr) => {{
                let mut $read = 0u64;
                // SAFETY: the caller's promise; nothing is written after a failure that would
                // need dropping.
                unsafe {
                    let next = self.varint::<{ $bits }>(cursor, &mut $read);
                    at.cast::<$ty>().write($value as $ty);
                    next
                }
            }};
        }
        macro_rules! long_number {
            ($ty:ty, $read:ident => $value:expr) => {{
                let mut $read = 0u128;
                // SAFETY: as above.
                unsafe {
                    let next = self.long_varint(128, cursor, &mut $read);
                    at.cast::<$ty>().write($value);
                    next
                }
            }};
        }
        match scalar {
            Scalar::Bool => match self.byte(cursor) {
                // SAFETY: a bool belongs at `at`; a byte was left.
                Some(byte @ (0 | 1)) => unsafe {
                    at.cast::<bool>().write(byte == 1);
                    cursor.add(1)
                },
                Some(_) => self.fail(DecodeErrorKind::BadBool, cursor),
                None => self.fail(DecodeErrorKind::UnexpectedEnd, cursor),
            },
            // SAFETY: a byte belongs at `at`.
            Scalar::U8 | Scalar::I8 => unsafe { self.raw(1, at, cursor) },
            Scalar::U16 => number!(16, u16, read => read),
            Scalar::U32 => number!(32, u32, read => read),
            Scalar::U64 => number!(64, u64, read => read),
            Scalar::Usize => number!(usize::BITS, usize, read => read),
            Scalar::U128 => long_number!(u128, read => read),
            Scalar::I16 => number!(16, i16, read => unzigzag(read)),
            Scalar::I32 => number!(32, i32, read => unzigzag(read)),
            Scalar::I64 => number!(64, i64, read => unzigzag(read)),
            Scalar::Isize => number!(usize::BITS, isize, read => unzigzag(read)),
            Scalar::I128 => long_number!(i128, read => unzigzag128(read)),
            Scalar::F32 => {
                let mut bytes = [0; 4];
                // SAFETY: four bytes are read if they are left; an `f32` belongs at `at`.
                unsafe {
                    let next = self.raw(4, bytes.as_mut_ptr(), cursor);
                    at.cast::<f32>().write(f32::from_le_bytes(bytes));
                    next
                }
            }
            Scalar::F64 => {
                let mut bytes = [0; 8];
                // SAFETY: eight bytes are read if they are left; an `f64` belongs at `at`.
                unsafe {
                    let next = self.raw(8, bytes.as_mut_ptr(), cursor);
                    at.cast::<f64>().write(f64::from_le_bytes(bytes));
                    next
                }
            }
            // SAFETY: the caller's promise.
            Scalar::Char => unsafe { self.character(at, cursor) },
        }
    }

    /// Reads a `char` as postcard does: a string of at most four bytes, of which the first
    /// character counts.
    unsafe fn character(&mut self, at: *mut u8, cursor: *const u8) -> *const u8 {
        let mut len = 0;
        // SAFETY: the caller's promise.
        let next = unsafe { self.varint::<64>(cursor, &mut len) };
        if next.is_null() {
            return next;
        }
        if len > 4 {
            return self.fail(DecodeErrorKind::BadChar, cursor);
        }
        if self.left(next) < len as usize {
            return self.fail(DecodeErrorKind::UnexpectedEnd, next);
        }
        // SAFETY: that many bytes are left.
        let bytes = unsafe { slice::from_raw_parts(next, len as usize) };
        match std::str::from_utf8(bytes).ok().and_then(|text| text.chars().next()) {
            // SAFETY: a `char` belongs at `at`.
            Some(character) => unsafe {
                at.cast::<char>().write(character);
                next.add(len as usize)
            },
            None => self.fail(DecodeErrorKind::BadChar, next),
        }
    }

    #[inline(always)]
    unsafe fn string(&mut self, at: *mut u8, cursor: *const u8) -> *const u8 {
        let mut len = 0;
        // SAFETY: the caller's promise.
        let next = unsafe { self.varint::<64>(cursor, &mut len) };
        if next.is_null() {
            return next;
        }
        if len > self.left(next) as u64 {
            return self.fail(DecodeErrorKind::UnexpectedEnd, next);
        }
        let len = len as usize;
        // SAFETY: that many bytes are left.
        let bytes = unsafe { slice::from_raw_parts(next, len) };
        let Ok(text) = std::str::from_utf8(bytes) else {
            return self.fail(DecodeErrorKind::BadUtf8, next);
        };
        if !self.from.budget.charge(len) {
            return self.fail(DecodeErrorKind::OverBudget, next);
        }
        // SAFETY: a string belongs at `at`; its bytes were left.
        unsafe {
            at.cast::<String>().write(text.to_owned());
            next.add(len)
        }
    }

    unsafe fn enumeration(&mut self, op: &'r EnumOp, at: *mut u8, cursor: *const u8, depth: u32) -> *const u8 {
        let mut index = 0;
        // SAFETY: an enum with an explicit repr starts with its tag, of this width, and the
        // variant's members lie where its block puts them.
        unsafe {
            let next = self.varint::<32>(cursor, &mut index);
            if next.is_null() {
                return next;
            }
            let Some(&tag) = op.tags.get(index as usize) else {
                return self.fail(DecodeErrorKind::BadVariant(index as u32), cursor);
            };
            match op.width {
                TagWidth::One => at.write(tag as u8),
                TagWidth::Two => at.cast::<u16>().write(tag as u16),
                TagWidth::Four => at.cast::<u32>().write(tag as u32),
                TagWidth::Eight => at.cast::<u64>().write(tag),
            }
            if op.is_plain {
                return next;
            }
            self.block(self.program.block(op.variants[index as usize]), at, next, depth)
        }
    }

    unsafe fn boxed(&mut self, inner: BlockIndex, at: *mut u8, cursor: *const u8, depth: u32) -> *const u8 {
        let block = self.program.block(inner);
        let Some(depth) = self.deeper(depth, block.size, cursor) else {
            return ptr::null();
        };
        let Ok(layout) = Layout::from_size_align(block.size, block.align) else {
            return self.fail(DecodeErrorKind::OverBudget, cursor);
        };
        let content = scratch::allocate(layout);
        // SAFETY: there is room for the content; a `Box` is a pointer to an allocation of its
        // content's layout. After a failure the content holds nothing, and its room is given back.
        unsafe {
            let cursor = self.block(block, content, cursor, depth);
            match cursor.is_null() {
                true => scratch::release(content, layout),
                false => at.cast::<*mut u8>().write(content),
            }
            cursor
        }
    }

    /// The content of an `Rc` or `Arc`, which `own` moves into its owner.
    unsafe fn shared(
        &mut self,
        block: &'r Block,
        own: impl FnOnce(*mut u8),
        cursor: *const u8,
        depth: u32,
    ) -> *const u8 {
        let counts = 2 * size_of::<usize>();
        let Some(depth) = self.deeper(depth, block.size + counts, cursor) else {
            return ptr::null();
        };
        let Some(scratch) = Scratch::new(block.size, block.align, 1) else {
            return self.fail(DecodeErrorKind::OverBudget, cursor);
        };
        // SAFETY: there is room for the content, which is moved out if it could be made.
        let cursor = unsafe { self.block(block, scratch.start(), cursor, depth) };
        if !cursor.is_null() {
            own(scratch.start());
        }
        cursor
    }

    unsafe fn slice(&mut self, op: &'r SliceOp, at: *mut u8, cursor: *const u8, depth: u32) -> *const u8 {
        let block = self.program.block(op.items.block);
        let Some((len, mut cursor, depth)) = self.collection(block.size, block, cursor, depth) else {
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

    unsafe fn list(&mut self, op: &'r ListOp, at: *mut u8, cursor: *const u8, depth: u32) -> *const u8 {
        let block = self.program.block(op.items.block);
        let Some((len, cursor, depth)) = self.collection(block.size, block, cursor, depth) else {
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
    /// There is room for `until` items at `items`.
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

    unsafe fn array(&mut self, item: BlockIndex, len: usize, at: *mut u8, cursor: *const u8, depth: u32) -> *const u8 {
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

    unsafe fn set(&mut self, op: &'r SetOp, at: *mut u8, cursor: *const u8, depth: u32) -> *const u8 {
        let block = self.program.block(op.items.block);
        let Some((len, mut cursor, depth)) = self.collection(block.size, block, cursor, depth) else {
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

    unsafe fn map(&mut self, op: &'r MapOp, at: *mut u8, cursor: *const u8, depth: u32) -> *const u8 {
        let (key, value) = (self.program.block(op.key), self.program.block(op.value));
        let size = op.ops.pair_size;
        let min_len = key.min_len.saturating_add(value.min_len);
        let Some((len, mut cursor, depth)) = self.counted(size, min_len, cursor, depth) else {
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

    #[cold]
    unsafe fn channel(&mut self, op: &ChannelOp, at: *mut u8, cursor: *const u8) -> *const u8 {
        let item = match op.item() {
            Ok(item) => item,
            Err(error) => return self.fail(DecodeErrorKind::Plan(error.clone().into()), cursor),
        };
        let mut index = 0;
        // SAFETY: the caller's promise.
        let next = unsafe { self.varint::<32>(cursor, &mut index) };
        if next.is_null() {
            return next;
        }
        let Some(channels) = self.from.channels.as_deref_mut() else {
            return self.fail(DecodeErrorKind::NoChannels, cursor);
        };
        // SAFETY: a channel half of this kind and item type belongs at `at`.
        match unsafe { channels.take(index as u32, op.kind, item, at) } {
            Ok(()) => next,
            Err(error) => {
                self.error = Some(error);
                ptr::null()
            }
        }
    }

    /// Goes one level deeper for `size` bytes of memory.
    #[inline(always)]
    fn deeper(&mut self, depth: u32, size: usize, cursor: *const u8) -> Option<u32> {
        let Some(depth) = depth.checked_sub(1) else {
            self.fail(DecodeErrorKind::TooDeep, cursor);
            return None;
        };
        if !self.from.budget.charge(size) {
            self.fail(DecodeErrorKind::OverBudget, cursor);
            return None;
        }
        Some(depth)
    }

    fn collection(
        &mut self,
        size: usize,
        item: &Block,
        cursor: *const u8,
        depth: u32,
    ) -> Option<(usize, *const u8, u32)> {
        self.counted(size, item.min_len, cursor, depth)
    }

    /// Reads a collection's length, which its frame can hold and its budget pays for, and goes one
    /// level deeper.
    fn counted(
        &mut self,
        size: usize,
        min_len: usize,
        cursor: *const u8,
        depth: u32,
    ) -> Option<(usize, *const u8, u32)> {
        let mut len = 0;
        // SAFETY: the cursor is in the frame.
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

/// Drops the first `made` values of the block's type from `items`.
///
/// # Safety
///
/// They are live and not used after.
unsafe fn drop_items(block: &Block, items: *mut u8, made: usize) {
    if let Some(glue) = &block.glue {
        for index in 0..made {
            // SAFETY: the caller's promise.
            unsafe { glue.run(items.add(index * block.size)) };
        }
    }
}

/// Drops what is complete of the block's value when operation `failed` has failed: whole values
/// where they are complete, their parts where they are not.
///
/// # Safety
///
/// The operations before `failed` are done, and nothing of the value is used after.
#[cold]
#[inline(never)]
unsafe fn unwind(block: &Block, failed: usize, base: *mut u8) {
    let mut next = block.unwind.len();
    while let Some(index) = next.checked_sub(1) {
        let entry = &block.unwind[index];
        if entry.end <= failed {
            // SAFETY: all operations of this value are done, so it is live; its parts are skipped.
            unsafe { entry.glue.run(base.add(entry.offset)) };
            next = entry.parts_from;
        } else {
            next = index;
        }
    }
}
