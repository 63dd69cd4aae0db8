//! Numbers, characters and strings.

use std::slice;

use super::super::super::DecodeErrorKind;
use super::super::super::description::Scalar;
use super::super::super::varint::{self, Bad, gather, unzigzag, unzigzag128};
use super::Reader;

impl Reader<'_, '_> {
    /// The byte at the cursor, if there is one.
    ///
    /// # Safety
    ///
    /// The cursor is in this reader's frame.
    #[inline(always)]
    pub(super) unsafe fn byte(&self, cursor: *const u8) -> Option<u8> {
        // SAFETY: before the end, the cursor points to a byte of the frame.
        (cursor < self.end).then(|| unsafe { cursor.read() })
    }

    /// Copies `len` bytes to `at`.
    ///
    /// # Safety
    ///
    /// `at` is valid for a write of `len` bytes, and the cursor is in this reader's frame.
    #[inline(always)]
    pub(super) unsafe fn raw(&mut self, len: usize, at: *mut u8, cursor: *const u8) -> *const u8 {
        if self.left(cursor) < len {
            return self.fail(DecodeErrorKind::UnexpectedEnd, cursor);
        }
        // SAFETY: that many bytes are left, and belong at `at`.
        unsafe {
            at.copy_from_nonoverlapping(cursor, len);
            cursor.add(len)
        }
    }

    /// Reads a number of at most `BITS` bits, which are no more than 64.
    ///
    /// # Safety
    ///
    /// The cursor is in this reader's frame.
    #[inline(always)]
    pub(super) unsafe fn varint<const BITS: u32>(&mut self, cursor: *const u8, value: &mut u64) -> *const u8 {
        let left = self.left(cursor);
        if left == 0 {
            return self.fail(DecodeErrorKind::UnexpectedEnd, cursor);
        }
        // SAFETY: a byte is left, and as many are as are read.
        unsafe {
            let first = cursor.read();
            if first < 0x80 {
                *value = first.into();
                return cursor.add(1);
            }
            let word = match self.readable.addr() - cursor.addr() {
                8.. => u64::from_le_bytes(cursor.cast::<[u8; 8]>().read_unaligned()),
                readable => last_bytes(cursor, readable),
            };
            // What is behind the end is of the same frame, and counts as nothing.
            let word = if left < 8 { word & !(u64::MAX << (8 * left)) } else { word };
            let stops = !word & 0x8080_8080_8080_8080;
            if stops != 0 {
                let len = stops.trailing_zeros() as usize / 8 + 1;
                *value = gather(word & (stops ^ (stops - 1)));
                if len > varint::max_len(BITS) || (BITS < 64 && *value >> (BITS % 64) != 0) {
                    return self.fail(DecodeErrorKind::BadVarint, cursor);
                }
                if len > left {
                    return self.fail(DecodeErrorKind::UnexpectedEnd, cursor);
                }
                return cursor.add(len);
            }
            let mut long = 0;
            let next = self.long_varint(BITS, cursor, &mut long);
            *value = long as u64;
            next
        }
    }

    /// Reads a number of at most `bits` bits, up to 128.
    ///
    /// # Safety
    ///
    /// The cursor is in this reader's frame.
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
    ///
    /// # Safety
    ///
    /// `at` is valid for a write of the scalar's type, and the cursor is in this reader's frame.
    #[inline(always)]
    pub(super) unsafe fn scalar(&mut self, scalar: Scalar, at: *mut u8, cursor: *const u8) -> *const u8 {
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
            // SAFETY: the caller's promise.
            Scalar::Bool => match unsafe { self.byte(cursor) } {
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
    ///
    /// # Safety
    ///
    /// `at` is valid for a write of a `char`, and the cursor is in this reader's frame.
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

    /// Reads a string.
    ///
    /// # Safety
    ///
    /// `at` is valid for a write of a `String`, and the cursor is in this reader's frame.
    #[inline(always)]
    pub(super) unsafe fn string(&mut self, at: *mut u8, cursor: *const u8) -> *const u8 {
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
        if !is_short_ascii(bytes) && std::str::from_utf8(bytes).is_err() {
            return self.fail(DecodeErrorKind::BadUtf8, next);
        }
        if !self.from.budget.charge(len) && !self.ask(len, next) {
            return std::ptr::null();
        }
        // SAFETY: a string belongs at `at`; its bytes were left, and are UTF-8, as was just seen.
        unsafe {
            at.cast::<String>().write(String::from_utf8_unchecked(bytes.to_owned()));
            next.add(len)
        }
    }
}

/// Whether these are at most sixteen bytes, all of them ASCII. A look at each end is enough for that, where a call of
/// [`std::str::from_utf8`] costs more than the bytes do.
#[inline(always)]
fn is_short_ascii(bytes: &[u8]) -> bool {
    let ends = match bytes.len() {
        8..=16 => {
            bytes.first_chunk().zip(bytes.last_chunk()).map(|(a, b)| u64::from_le_bytes(*a) | u64::from_le_bytes(*b))
        }
        4..=7 => bytes
            .first_chunk()
            .zip(bytes.last_chunk())
            .map(|(a, b)| u64::from(u32::from_le_bytes(*a) | u32::from_le_bytes(*b))),
        0..=3 => Some(bytes.iter().fold(0, |ends, byte| ends | u64::from(*byte))),
        _ => None,
    };
    ends.is_some_and(|ends| ends & 0x8080_8080_8080_8080 == 0)
}

/// The last one to seven bytes of a frame, as a number whose other bytes are zero.
///
/// # Safety
///
/// `left` bytes are left at the cursor, which are one to seven.
#[inline(never)]
unsafe fn last_bytes(cursor: *const u8, left: usize) -> u64 {
    // SAFETY: the caller's promise; the second of two pieces ends with the last byte.
    unsafe {
        if left >= 4 {
            let first = u32::from_le_bytes(cursor.cast::<[u8; 4]>().read_unaligned());
            let last = u32::from_le_bytes(cursor.add(left - 4).cast::<[u8; 4]>().read_unaligned());
            return u64::from(first) | u64::from(last) << (8 * (left - 4));
        }
        let (first, middle, last) = (cursor.read(), cursor.add(left / 2).read(), cursor.add(left - 1).read());
        u64::from(first) | u64::from(middle) << (8 * (left / 2)) | u64::from(last) << (8 * (left - 1))
    }
}
