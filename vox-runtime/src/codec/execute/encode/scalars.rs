//! Numbers, characters and booleans.

use super::super::super::description::Scalar;
use super::super::super::varint::{spread, zigzag, zigzag128};

/// How many bytes a scalar takes in memory.
pub(super) fn size_of_scalar(scalar: Scalar) -> usize {
    match scalar {
        Scalar::Bool | Scalar::U8 | Scalar::I8 => 1,
        Scalar::U16 | Scalar::I16 => 2,
        Scalar::U32 | Scalar::I32 | Scalar::F32 | Scalar::Char => 4,
        Scalar::U64 | Scalar::I64 | Scalar::F64 => 8,
        Scalar::Usize | Scalar::Isize => size_of::<usize>(),
        Scalar::U128 | Scalar::I128 => 16,
    }
}

/// Writes bytes as they are. Short ones, such as most strings, are not worth a call.
///
/// # Safety
///
/// `size` bytes are live from `at`, and that many are reserved at the cursor.
#[inline(always)]
pub(super) unsafe fn put_bytes(at: *const u8, size: usize, cursor: *mut u8) -> *mut u8 {
    // SAFETY: the caller's promise; the second of two pieces ends where the bytes end, and begins
    // after their start.
    unsafe {
        if size > 16 {
            cursor.copy_from_nonoverlapping(at, size);
        } else if size >= 8 {
            put_piece::<8>(at, size, cursor);
        } else if size >= 4 {
            put_piece::<4>(at, size, cursor);
        } else if size > 0 {
            cursor.write(at.read());
            cursor.add(size / 2).write(at.add(size / 2).read());
            cursor.add(size - 1).write(at.add(size - 1).read());
        }
        cursor.add(size)
    }
}

/// Writes the first `N` bytes and the last.
///
/// # Safety
///
/// As for [`put_bytes`], with a size of at least `N`.
#[inline(always)]
unsafe fn put_piece<const N: usize>(at: *const u8, size: usize, cursor: *mut u8) {
    // SAFETY: the caller's promise.
    unsafe {
        let last = size - N;
        cursor.cast::<[u8; N]>().write(at.cast::<[u8; N]>().read());
        cursor.add(last).cast::<[u8; N]>().write(at.add(last).cast::<[u8; N]>().read());
    }
}

/// Writes the scalar at `at`.
///
/// # Safety
///
/// A live scalar of the kind is at `at`, and its bound and the slack are reserved at the cursor.
#[inline(always)]
pub(super) unsafe fn put_scalar(scalar: Scalar, at: *const u8, cursor: *mut u8) -> *mut u8 {
    // SAFETY: the caller's promise.
    unsafe {
        match scalar {
            Scalar::Bool | Scalar::U8 | Scalar::I8 => {
                cursor.write(at.read());
                cursor.add(1)
            }
            Scalar::U16 => put_varint(at.cast::<u16>().read().into(), cursor),
            Scalar::U32 => put_varint(at.cast::<u32>().read().into(), cursor),
            Scalar::U64 => put_varint(at.cast::<u64>().read(), cursor),
            Scalar::Usize => put_varint(at.cast::<usize>().read() as u64, cursor),
            Scalar::U128 => put_varint128(at.cast::<u128>().read(), cursor),
            Scalar::I16 => put_varint(zigzag(at.cast::<i16>().read().into()), cursor),
            Scalar::I32 => put_varint(zigzag(at.cast::<i32>().read().into()), cursor),
            Scalar::I64 => put_varint(zigzag(at.cast::<i64>().read()), cursor),
            Scalar::Isize => put_varint(zigzag(at.cast::<isize>().read() as i64), cursor),
            Scalar::I128 => put_varint128(zigzag128(at.cast::<i128>().read()), cursor),
            Scalar::F32 => {
                let bytes = at.cast::<f32>().read().to_le_bytes();
                cursor.cast::<[u8; 4]>().write_unaligned(bytes);
                cursor.add(4)
            }
            Scalar::F64 => {
                let bytes = at.cast::<f64>().read().to_le_bytes();
                cursor.cast::<[u8; 8]>().write_unaligned(bytes);
                cursor.add(8)
            }
            Scalar::Char => put_char(at, cursor),
        }
    }
}

/// Writes a character as a string of its own.
///
/// # Safety
///
/// A live `char` is at `at`, and its bound is reserved at the cursor.
#[inline(never)]
unsafe fn put_char(at: *const u8, cursor: *mut u8) -> *mut u8 {
    // SAFETY: the caller's promise.
    unsafe {
        let mut utf8 = [0; 4];
        let len = at.cast::<char>().read().encode_utf8(&mut utf8).len();
        cursor.write(len as u8);
        cursor.add(1).cast::<[u8; 4]>().write_unaligned(utf8);
        cursor.add(1 + len)
    }
}

/// Writes a number of at most ten bytes, and what is left of eight behind a short one.
///
/// # Safety
///
/// Its bound and the slack are reserved at the cursor.
#[inline(always)]
pub(super) unsafe fn put_varint(value: u64, cursor: *mut u8) -> *mut u8 {
    // SAFETY: the caller's promise.
    unsafe {
        if value < 0x80 {
            cursor.write(value as u8);
            return cursor.add(1);
        }
        if value < 1 << 56 {
            let len = (u64::BITS - value.leading_zeros()).div_ceil(7);
            let more = 0x8080_8080_8080_8080 & ((1u64 << (8 * (len - 1))) - 1);
            let word = (spread(value) | more).to_le_bytes();
            cursor.cast::<[u8; 8]>().write_unaligned(word);
            return cursor.add(len as usize);
        }
        put_long(u128::from(value), cursor)
    }
}

/// Writes a number of at most 19 bytes.
///
/// # Safety
///
/// As for [`put_varint`].
#[inline(never)]
unsafe fn put_varint128(value: u128, cursor: *mut u8) -> *mut u8 {
    // SAFETY: the caller's promise.
    unsafe {
        match u64::try_from(value) {
            Ok(value) => put_varint(value, cursor),
            Err(_) => put_long(value, cursor),
        }
    }
}

/// Writes a number seven bits at a time.
///
/// # Safety
///
/// As for [`put_varint`].
#[inline(never)]
unsafe fn put_long(mut value: u128, mut cursor: *mut u8) -> *mut u8 {
    // SAFETY: the caller has reserved the number's bound.
    unsafe {
        while value >= 0x80 {
            cursor.write(value as u8 | 0x80);
            cursor = cursor.add(1);
            value >>= 7;
        }
        cursor.write(value as u8);
        cursor.add(1)
    }
}
