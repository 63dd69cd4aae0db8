//! Values to bytes.
//!
//! The cursor goes from operation to operation by value and stays in a register. A null cursor
//! means failure; the error waits in the writer.
//!
//! The rule that keeps writes in bounds: an operation with a bounded encoding writes without
//! asking, because its run or its caller has reserved its bound, and every reservation adds
//! [`SLACK`], so that a number may be written eight bytes at a time.

use std::ptr;

use super::super::channels::FOREIGN_HALF;
use super::super::description::TagWidth;
use super::super::leaf::LeafOps;
use super::super::program::{Block, ChannelOp, EnumOp, OpKind, Program};
use super::super::{Budget, EncodeError, Encoder};

mod collections;
mod scalars;

use scalars::{put_bytes, put_scalar, put_varint};

/// Encodes the value at `value`. On an error, nothing of it is left in the buffer.
///
/// # Safety
///
/// `value` points to a live value of the type that `program` was compiled for, which nothing
/// writes to meanwhile.
pub(in crate::codec) unsafe fn encode(
    program: &Program,
    value: *const u8,
    to: &mut Encoder<'_>,
) -> Result<(), EncodeError> {
    let began = to.out.len();
    let mut writer = Writer { program, to, end: ptr::null_mut(), error: None };
    let root = program.root();
    // SAFETY: the caller's promise about the value; the cursor comes from the writer, with room
    // for the root's bound.
    let cursor = unsafe {
        let cursor = writer.attach();
        let cursor = writer.reserve(cursor, root.max_len.unwrap_or(0));
        match root.as_scalar() {
            _ if cursor.is_null() => cursor,
            Some(scalar) => put_scalar(scalar, value, cursor),
            None => writer.block(root, value, cursor, Budget::DEPTH),
        }
    };
    if !cursor.is_null() {
        // SAFETY: everything up to the cursor has been written.
        unsafe { writer.sync(cursor) };
        if writer.to.out.len() <= writer.to.max_len {
            return Ok(());
        }
    }
    let limit = writer.to.max_len;
    let needed = writer.to.out.len();
    let error = writer.error.take().unwrap_or(EncodeError::TooLarge { needed, limit });
    to.out.truncate(began);
    Err(error)
}

/// What may be written past the bound of what is being written.
const SLACK: usize = 8;

/// The longest number: a length, a tag or an index.
const LONGEST_LENGTH: usize = 10;

struct Writer<'w, 'a> {
    program: &'w Program,
    to: &'w mut Encoder<'a>,
    /// The end of the buffer's capacity.
    end: *mut u8,
    error: Option<EncodeError>,
}

impl<'w> Writer<'w, '_> {
    /// The cursor at the end of the buffer.
    fn attach(&mut self) -> *mut u8 {
        let out = &mut *self.to.out;
        let (start, len, capacity) = (out.as_mut_ptr(), out.len(), out.capacity());
        // SAFETY: both are within the buffer.
        unsafe {
            self.end = start.add(capacity);
            start.add(len)
        }
    }

    /// Makes the buffer end at the cursor.
    ///
    /// # Safety
    ///
    /// The cursor is in this writer's buffer, and everything before it has been written.
    unsafe fn sync(&mut self, cursor: *mut u8) {
        // SAFETY: the cursor is in the buffer.
        let len = unsafe { cursor.offset_from_unsigned(self.to.out.as_ptr()) };
        // SAFETY: the cursor is within the capacity and everything before it is written.
        unsafe { self.to.out.set_len(len) };
    }

    /// The cursor, with room for `room` bytes after it and the slack; or null.
    ///
    /// # Safety
    ///
    /// The cursor is in this writer's buffer, and everything before it has been written.
    #[inline(always)]
    unsafe fn reserve(&mut self, cursor: *mut u8, room: usize) -> *mut u8 {
        // The end is at or after the cursor, in the same buffer.
        if self.end.addr() - cursor.addr() >= room + SLACK {
            return cursor;
        }
        // SAFETY: the caller's cursor is this writer's.
        unsafe { self.grow(cursor, room, 0) }
    }

    /// As `reserve`, for `known` bytes that will surely be written and a length before them.
    ///
    /// # Safety
    ///
    /// The cursor is in this writer's buffer, and everything before it has been written.
    #[inline(always)]
    unsafe fn reserve_known(&mut self, cursor: *mut u8, known: usize) -> *mut u8 {
        if self.end.addr() - cursor.addr() >= known.saturating_add(LONGEST_LENGTH + SLACK) {
            return cursor;
        }
        // SAFETY: the caller's cursor is this writer's.
        unsafe { self.grow(cursor, known.saturating_add(LONGEST_LENGTH), known) }
    }

    /// As `reserve` and `reserve_known`, when there is not enough room.
    ///
    /// # Safety
    ///
    /// The cursor is in this writer's buffer, and everything before it has been written.
    #[cold]
    #[inline(never)]
    unsafe fn grow(&mut self, cursor: *mut u8, room: usize, known: usize) -> *mut u8 {
        // SAFETY: everything before the cursor has been written.
        unsafe { self.sync(cursor) };
        let limit = self.to.max_len;
        let needed = self.to.out.len().saturating_add(known);
        if needed > limit {
            return self.fail(EncodeError::TooLarge { needed, limit });
        }
        self.to.out.reserve(room + SLACK);
        self.attach()
    }

    #[cold]
    #[inline(never)]
    fn fail(&mut self, error: EncodeError) -> *mut u8 {
        self.error = Some(error);
        ptr::null_mut()
    }

    /// Encodes the block's value at `base`. If the block is bounded, its bound is reserved.
    ///
    /// An operation that ends a block and goes into another goes on there, and does not come back.
    ///
    /// # Safety
    ///
    /// `base` points to a live value of the block's type (or enum, for a variant's members), and
    /// the cursor is this writer's.
    unsafe fn block(&mut self, block: &'w Block, mut base: *const u8, mut cursor: *mut u8, mut depth: u32) -> *mut u8 {
        let mut ops = block.encode.iter();
        macro_rules! go_into {
            ($block:expr, $base:expr, $depth:expr) => {{
                if cursor.is_null() {
                    return cursor;
                }
                if ops.as_slice().is_empty() {
                    (ops, base, depth) = ($block.encode.iter(), $base, $depth);
                    continue;
                }
                self.block($block, $base, cursor, $depth)
            }};
        }
        while let Some(op) = ops.next() {
            // SAFETY: the offset is inside the value, which the program was compiled for; so what
            // is there is what the operation says. Room has been reserved by the block's bound or
            // by the operation before this run.
            cursor = unsafe {
                let at = base.add(op.offset);
                match &op.kind {
                    OpKind::Scalar(scalar) => {
                        cursor = put_scalar(*scalar, at, cursor);
                        continue;
                    }
                    OpKind::Reserve(room) => self.reserve(cursor, *room),
                    OpKind::Raw(len) => put_bytes(at, *len, cursor),
                    OpKind::String => self.string(at, cursor),
                    OpKind::Leaf(ops) => self.leaf(ops, at, cursor),
                    OpKind::Enum(op) => match self.variant(op, at, &mut cursor) {
                        Some(members) => match depth.checked_sub(1) {
                            Some(inner) => go_into!(members, at, inner),
                            None => return self.too_deep(),
                        },
                        None => cursor,
                    },
                    OpKind::Option { ops: option, some, reserves } => {
                        let content = option.get(at);
                        if content.is_null() {
                            self.tag(0, None, *reserves, cursor)
                        } else {
                            let some = self.program.block(*some);
                            cursor = self.tag(1, some.max_len, *reserves, cursor);
                            let Some(inner) = depth.checked_sub(1) else { return self.too_deep() };
                            go_into!(some, content, inner)
                        }
                    }
                    OpKind::Result { ops: result, ok, err, reserves } => {
                        let content = result.get_ok(at);
                        let (tag, block, content) = match content.is_null() {
                            true => (1, *err, result.get_err(at)),
                            false => (0, *ok, content),
                        };
                        let block = self.program.block(block);
                        cursor = self.tag(tag, block.max_len, *reserves, cursor);
                        let Some(inner) = depth.checked_sub(1) else { return self.too_deep() };
                        go_into!(block, content, inner)
                    }
                    OpKind::Box(inner) => {
                        let inner = self.program.block(*inner);
                        cursor = self.inward(inner, cursor, depth);
                        go_into!(inner, at.cast::<*const u8>().read(), depth - 1)
                    }
                    OpKind::Shared { ops: owner, content } => {
                        let content = self.program.block(*content);
                        cursor = self.inward(content, cursor, depth);
                        go_into!(content, owner.get(at), depth - 1)
                    }
                    OpKind::Slice(op) => {
                        let (items, len) = op.ops.get(at);
                        self.sequence(op.items, items, len, cursor, depth)
                    }
                    OpKind::List(op) => {
                        let (items, len) = op.ops.get(at);
                        self.sequence(op.items, items, len, cursor, depth)
                    }
                    OpKind::Array { item, len, reserves } => match depth.checked_sub(1) {
                        Some(inner) => self.items(*item, at, *len, *reserves, cursor, inner),
                        None => return self.too_deep(),
                    },
                    OpKind::Map(op) => self.map(op, at, cursor, depth),
                    OpKind::Set(op) => self.set(op, at, cursor, depth),
                    OpKind::Channel(op) => self.channel(op, at, cursor),
                    // Translations are not encoded.
                    OpKind::Widened { .. } | OpKind::Variants(_) | OpKind::Skip(_) | OpKind::Fill(_) => cursor,
                }
            };
            if cursor.is_null() {
                return cursor;
            }
        }
        cursor
    }

    /// A tag of one byte. If it reserves, it does so for what follows too, of which the bound is given.
    ///
    /// # Safety
    ///
    /// The cursor is this writer's, and room is reserved unless this does.
    #[inline(always)]
    unsafe fn tag(&mut self, tag: u8, bound: Option<usize>, reserves: bool, mut cursor: *mut u8) -> *mut u8 {
        // SAFETY: the caller's promise.
        unsafe {
            if reserves {
                cursor = self.reserve(cursor, 1 + bound.unwrap_or(0));
                if cursor.is_null() {
                    return cursor;
                }
            }
            cursor.write(tag);
            cursor.add(1)
        }
    }

    /// Writes which variant an enum is of, and gives the block of its members, if it has any.
    ///
    /// # Safety
    ///
    /// `at` points to a live value of the operation's type, and the cursor is this writer's.
    #[inline(always)]
    unsafe fn variant(&mut self, op: &EnumOp, at: *const u8, cursor: &mut *mut u8) -> Option<&'w Block> {
        // SAFETY: an enum with an explicit repr starts with its tag, of this width; the room is
        // reserved here unless the operation is bounded.
        unsafe {
            let tag = match op.width {
                TagWidth::One => u64::from(at.read()),
                TagWidth::Two => u64::from(at.cast::<u16>().read()),
                TagWidth::Four => u64::from(at.cast::<u32>().read()),
                TagWidth::Eight => at.cast::<u64>().read(),
            };
            let index = match op.tags_are_indices {
                true => tag as usize,
                false => op.tags.iter().position(|known| *known == tag).unwrap_or(usize::MAX),
            };
            let Some(&members) = op.variants.get(index) else {
                *cursor = self.fail(EncodeError::Unrepresentable("an enum without a variant"));
                return None;
            };
            let members = self.program.block(members);
            if op.reserves {
                *cursor = self.reserve(*cursor, 5 + members.max_len.unwrap_or(0));
                if cursor.is_null() {
                    return None;
                }
            }
            *cursor = put_varint(index as u64, *cursor);
            (!op.is_plain).then_some(members)
        }
    }

    /// Goes one level deeper, for the value of a block behind a pointer, whose bound is reserved.
    ///
    /// # Safety
    ///
    /// The cursor is this writer's.
    #[inline(always)]
    unsafe fn inward(&mut self, block: &Block, cursor: *mut u8, depth: u32) -> *mut u8 {
        if depth == 0 {
            return self.too_deep();
        }
        match block.max_len {
            // SAFETY: the caller's promise.
            Some(bound) => unsafe { self.reserve(cursor, bound) },
            // It reserves for itself.
            None => cursor,
        }
    }

    /// Writes a leaf.
    ///
    /// # Safety
    ///
    /// `at` points to a live value of the operation's type, and the cursor is this writer's.
    #[inline(never)]
    unsafe fn leaf(&mut self, ops: &LeafOps, at: *const u8, cursor: *mut u8) -> *mut u8 {
        // SAFETY: the caller's promise.
        unsafe {
            self.sync(cursor);
            match (ops.put)(at, self.to) {
                Ok(()) => self.attach(),
                Err(error) => self.fail(error),
            }
        }
    }

    /// Gives a channel half away and writes its number.
    ///
    /// # Safety
    ///
    /// `at` points to a live value of the operation's type, and the cursor is this writer's.
    #[cold]
    #[inline(never)]
    unsafe fn channel(&mut self, op: &ChannelOp, at: *const u8, cursor: *mut u8) -> *mut u8 {
        let item = match op.item() {
            Ok(item) => item,
            Err(error) => return self.fail(EncodeError::Plan(error.clone().into())),
        };
        let Some(channels) = self.to.channels.as_deref_mut() else {
            return self.fail(EncodeError::NoChannels);
        };
        if channels.layout(op.kind) != op.layout {
            return self.fail(EncodeError::Channel(FOREIGN_HALF.into()));
        }
        // SAFETY: `at` is a live channel half of this kind, layout and item type.
        match unsafe { channels.give(at, op.kind, item) } {
            // SAFETY: the cursor is this writer's, and room is reserved.
            Ok(index) => unsafe {
                let cursor = self.reserve(cursor, 5);
                match cursor.is_null() {
                    true => cursor,
                    false => put_varint(u64::from(index), cursor),
                }
            },
            Err(error) => self.fail(error),
        }
    }

    fn too_deep(&mut self) -> *mut u8 {
        self.fail(EncodeError::TooDeep { limit: Budget::DEPTH })
    }
}
