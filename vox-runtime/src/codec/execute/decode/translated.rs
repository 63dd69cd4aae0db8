//! Instructions that only translations have.

use super::super::super::DecodeErrorKind;
use super::super::super::description::{Fill, Scalar};
use super::super::super::skips::Run;
use super::super::super::translation::VariantsOp;
use super::super::super::varint::unzigzag;
use super::Reader;

impl<'r> Reader<'r, '_> {
    /// Reads an integer that is narrower on the wire.
    ///
    /// # Safety
    ///
    /// `at` is valid for a write of the type `to`, an integer, and the cursor is in this reader's frame.
    #[inline(never)]
    pub(super) unsafe fn widened(&mut self, from: Scalar, to: Scalar, at: *mut u8, cursor: *const u8) -> *const u8 {
        let mut read = 0u64;
        // SAFETY: the caller's promise; a byte is read where there is one.
        let (next, value) = unsafe {
            match from {
                Scalar::U8 | Scalar::I8 => match self.byte(cursor) {
                    Some(byte) if from == Scalar::U8 => (cursor.add(1), i128::from(byte)),
                    Some(byte) => (cursor.add(1), i128::from(byte as i8)),
                    None => return self.fail(DecodeErrorKind::UnexpectedEnd, cursor),
                },
                Scalar::U16 => (self.varint::<16>(cursor, &mut read), i128::from(read)),
                Scalar::U32 => (self.varint::<32>(cursor, &mut read), i128::from(read)),
                Scalar::U64 => (self.varint::<64>(cursor, &mut read), i128::from(read)),
                Scalar::I16 => (self.varint::<16>(cursor, &mut read), i128::from(unzigzag(read))),
                Scalar::I32 => (self.varint::<32>(cursor, &mut read), i128::from(unzigzag(read))),
                Scalar::I64 => (self.varint::<64>(cursor, &mut read), i128::from(unzigzag(read))),
                _ => return self.fail(DecodeErrorKind::BadVarint, cursor),
            }
        };
        // SAFETY: the caller's promise. No integer needs dropping, so it may be written after a failure too.
        unsafe {
            match to {
                Scalar::U16 => at.cast::<u16>().write(value as u16),
                Scalar::U32 => at.cast::<u32>().write(value as u32),
                Scalar::U64 => at.cast::<u64>().write(value as u64),
                Scalar::Usize => at.cast::<usize>().write(value as usize),
                Scalar::U128 => at.cast::<u128>().write(value as u128),
                Scalar::I16 => at.cast::<i16>().write(value as i16),
                Scalar::I32 => at.cast::<i32>().write(value as i32),
                Scalar::I64 => at.cast::<i64>().write(value as i64),
                Scalar::Isize => at.cast::<isize>().write(value as isize),
                Scalar::I128 => at.cast::<i128>().write(value),
                _ => return self.fail(DecodeErrorKind::BadVarint, cursor),
            }
        }
        next
    }

    /// Reads an enum whose variants its writer counts otherwise.
    ///
    /// # Safety
    ///
    /// As for `enumeration`.
    pub(super) unsafe fn variants(
        &mut self,
        op: &'r VariantsOp,
        at: *mut u8,
        cursor: *const u8,
        depth: u32,
    ) -> *const u8 {
        if !op.unknown.is_empty() {
            let mut index = 0;
            // SAFETY: the caller's promise.
            let next = unsafe { self.varint::<32>(cursor, &mut index) };
            if next.is_null() {
                return next;
            }
            if let Some(Some(name)) = op.unknown.get(index as usize) {
                return self.fail(DecodeErrorKind::UnknownVariant { name: Box::from(&**name), of: op.name }, cursor);
            }
        }
        // SAFETY: the caller's promise; a variant that is known has its own tag and members.
        unsafe { self.enumeration(&op.op, at, cursor, depth) }
    }

    /// Passes over what this end does not have.
    ///
    /// # Safety
    ///
    /// The cursor is in this reader's frame.
    #[inline(never)]
    pub(super) unsafe fn skip(&mut self, run: Run, cursor: *const u8) -> *const u8 {
        self.sync(cursor);
        match self.program.skips().skip(run, self.from) {
            // SAFETY: the position is within the frame.
            Ok(()) => unsafe { self.start.add(self.from.position) },
            Err(error) => {
                self.error = Some(error);
                std::ptr::null()
            }
        }
    }

    /// Makes what was not sent.
    ///
    /// # Safety
    ///
    /// `at` is valid for a write of the operation's type.
    #[inline(never)]
    pub(super) unsafe fn fill(&mut self, fill: Fill, at: *mut u8, cursor: *const u8) -> *const u8 {
        // SAFETY: the caller's promise.
        match unsafe { fill.make(at) } {
            true => cursor,
            false => self.fail(DecodeErrorKind::NoDefault, cursor),
        }
    }
}
