//! Bytes to values.
//!
//! The cursor goes from operation to operation by value and stays in a register. A null cursor
//! means failure; the error waits in the reader. An operation that fails has dropped what it had
//! made: after a failure the destination holds nothing.

use std::alloc::Layout;
use std::ptr;

use super::super::channels::FOREIGN_HALF;
use super::super::charge;
use super::super::description::TagWidth;
use super::super::leaf::LeafOps;
use super::super::program::{Block, BlockIndex, ChannelOp, EnumOp, OpKind, Program};
use super::super::{DecodeError, DecodeErrorKind, Decoder};
use super::scratch::{self, Scratch};

mod collections;
mod scalars;
mod translated;
mod unwind;

use unwind::unwind;

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
    // SAFETY: the position and the end are within the frame.
    let (cursor, end) = unsafe { (range.start.add(from.position), range.start.add(from.end)) };
    let mut reader = Reader { program, from, start: range.start, end, readable: range.end, error: None };
    let root = program.root();
    // SAFETY: the caller's promise about `dst`; the cursor is in the frame.
    let cursor = unsafe {
        match root.as_scalar() {
            Some(scalar) => reader.scalar(scalar, dst, cursor),
            None => reader.block(root, dst, cursor, depth),
        }
    };
    if cursor.is_null() {
        let at = reader.from.position;
        let end = DecodeError::new(DecodeErrorKind::UnexpectedEnd, at);
        return Err(reader.error.take().unwrap_or(end));
    }
    reader.sync(cursor);
    Ok(())
}

struct Reader<'r, 'a> {
    program: &'r Program,
    from: &'r mut Decoder<'a>,
    start: *const u8,
    end: *const u8,
    /// The end of the frame, of which what is decoded may be a part.
    readable: *const u8,
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
                    OpKind::Leaf(ops) => self.leaf(ops, at, cursor),
                    OpKind::Enum(op) => self.enumeration(op, at, cursor, depth),
                    OpKind::Option { ops, some, .. } => match self.byte(cursor) {
                        Some(0) => {
                            ops.init_none(at);
                            cursor.add(1)
                        }
                        Some(1) => {
                            let some = self.program.block(*some);
                            let cursor = self.inner(some, at, cursor.add(1), depth);
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
                            let next = self.inner(self.program.block(*ok), at, next, depth);
                            if !next.is_null() {
                                ops.init_ok(at, at);
                            }
                            next
                        } else if index == 1 {
                            let next = self.inner(self.program.block(*err), at, next, depth);
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
                    OpKind::Widened { from, to } => self.widened(*from, *to, at, cursor),
                    OpKind::Variants(op) => self.variants(op, at, cursor, depth),
                    OpKind::Skip(run) => self.skip(*run, cursor),
                    OpKind::Fill(fill) => self.fill(*fill, at, cursor),
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

    /// Reads a leaf.
    ///
    /// # Safety
    ///
    /// `at` is valid for a write of the operation's type, and the cursor is in this reader's frame.
    #[inline(never)]
    unsafe fn leaf(&mut self, ops: &LeafOps, at: *mut u8, cursor: *const u8) -> *const u8 {
        self.sync(cursor);
        // SAFETY: the caller's promise; the leaf leaves the position in the frame.
        unsafe {
            match (ops.take)(at, self.from) {
                Ok(()) => self.start.add(self.from.position),
                Err(error) => {
                    self.error = Some(error);
                    ptr::null()
                }
            }
        }
    }

    /// Reads an enum: its variant, then the members.
    ///
    /// # Safety
    ///
    /// `at` is valid for a write of the operation's type, and the cursor is in this reader's frame.
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
            self.inner(self.program.block(op.variants[index as usize]), at, next, depth)
        }
    }

    /// Reads the content of a box.
    ///
    /// # Safety
    ///
    /// `at` is valid for a write of the operation's type, and the cursor is in this reader's frame.
    unsafe fn boxed(&mut self, inner: BlockIndex, at: *mut u8, cursor: *const u8, depth: u32) -> *const u8 {
        let block = self.program.block(inner);
        let Some(depth) = self.deeper(depth, block.size, cursor) else {
            return ptr::null();
        };
        let Ok(layout) = Layout::from_size_align(block.size, block.align) else {
            return self.over_budget(usize::MAX, cursor);
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
    ///
    /// # Safety
    ///
    /// The cursor is in this reader's frame. `own` moves the live content out of where it is given it.
    unsafe fn shared(
        &mut self,
        block: &'r Block,
        own: impl FnOnce(*mut u8),
        cursor: *const u8,
        depth: u32,
    ) -> *const u8 {
        let Some(depth) = self.deeper(depth, charge::shared(block.size), cursor) else {
            return ptr::null();
        };
        let Some(scratch) = Scratch::new(block.size, block.align, 1) else {
            return self.over_budget(usize::MAX, cursor);
        };
        // SAFETY: there is room for the content, which is moved out if it could be made.
        let cursor = unsafe { self.block(block, scratch.start(), cursor, depth) };
        if !cursor.is_null() {
            own(scratch.start());
        }
        cursor
    }

    /// Reads a channel's number and has the half made.
    ///
    /// # Safety
    ///
    /// `at` is valid for a write of the operation's type, and the cursor is in this reader's frame.
    #[cold]
    unsafe fn channel(&mut self, op: &ChannelOp, at: *mut u8, cursor: *const u8) -> *const u8 {
        let item = match op.item() {
            Ok(item) => item,
            Err(error) => return self.fail(DecodeErrorKind::Plan(error.clone().into()), cursor),
        };
        let by = match op.foreign() {
            Ok(by) => by,
            Err(why) => return self.fail(DecodeErrorKind::Channel(why.to_string().into()), cursor),
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
        if channels.layout(op.kind) != op.layout {
            return self.fail(DecodeErrorKind::Channel(FOREIGN_HALF.into()), cursor);
        }
        // SAFETY: a channel half of this kind, layout and item type belongs at `at`.
        match unsafe { channels.take(index as u32, op.kind, item, by, at) } {
            Ok(()) => next,
            Err(error) => {
                self.error = Some(error);
                ptr::null()
            }
        }
    }

    /// Decodes what stands inside of the block's value in the same place: the content of an option or a variant.
    ///
    /// # Safety
    ///
    /// As for `block`.
    #[inline(always)]
    unsafe fn inner(&mut self, block: &'r Block, at: *mut u8, cursor: *const u8, depth: u32) -> *const u8 {
        match depth.checked_sub(1) {
            // SAFETY: the caller's promise.
            Some(depth) => unsafe { self.block(block, at, cursor, depth) },
            None => self.too_deep(cursor),
        }
    }

    /// Goes one level deeper for `size` bytes of memory.
    #[inline(always)]
    fn deeper(&mut self, depth: u32, size: usize, cursor: *const u8) -> Option<u32> {
        let Some(depth) = depth.checked_sub(1) else {
            self.too_deep(cursor);
            return None;
        };
        if !self.from.budget.charge(size) && !self.ask(size, cursor) {
            return None;
        }
        Some(depth)
    }

    #[cold]
    #[inline(never)]
    fn too_deep(&mut self, cursor: *const u8) -> *const u8 {
        self.fail(DecodeErrorKind::TooDeep { limit: self.from.budget.depth() }, cursor)
    }

    #[cold]
    #[inline(never)]
    fn over_budget(&mut self, size: usize, cursor: *const u8) -> *const u8 {
        let _never = self.ask(size, cursor);
        ptr::null()
    }

    /// Spends so much more than the budget has at hand. `false`: it may not, and the reading has failed.
    #[cold]
    #[inline(never)]
    fn ask(&mut self, size: usize, cursor: *const u8) -> bool {
        match self.from.ask(size) {
            Ok(()) => true,
            Err(kind) => {
                self.fail(kind, cursor);
                false
            }
        }
    }
}
