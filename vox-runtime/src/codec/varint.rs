//! postcard's variable-length integers: seven bits a byte, least significant first, the high bit
//! set on all but the last.
//!
//! What a reader accepts is exactly what serde's postcard accepts: overlong encodings as long as
//! they stay within the type's longest encoding, and nothing that does not fit the type.

/// The longest encoding of an unsigned integer of `BITS` bits.
pub(super) const fn max_len(bits: u32) -> usize {
    bits.div_ceil(7) as usize
}

/// Maps signed to unsigned so that small magnitudes stay short.
#[inline(always)]
pub(super) fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// Undoes [`zigzag`].
#[inline(always)]
pub(super) fn unzigzag(value: u64) -> i64 {
    ((value >> 1) as i64) ^ -((value & 1) as i64)
}

/// [`zigzag`] for 128 bits.
#[inline(always)]
pub(crate) fn zigzag128(value: i128) -> u128 {
    ((value << 1) ^ (value >> 127)) as u128
}

/// Undoes [`zigzag128`].
#[inline(always)]
pub(crate) fn unzigzag128(value: u128) -> i128 {
    ((value >> 1) as i128) ^ -((value & 1) as i128)
}

/// Spreads 56 bits over eight bytes of seven bits, least significant first.
#[inline(always)]
pub(super) fn spread(x: u64) -> u64 {
    let x = (x & 0x0000_0000_0fff_ffff) | ((x & 0x00ff_ffff_f000_0000) << 4);
    let x = (x & 0x0000_3fff_0000_3fff) | ((x & 0x0fff_c000_0fff_c000) << 2);
    (x & 0x007f_007f_007f_007f) | ((x & 0x3f80_3f80_3f80_3f80) << 1)
}

/// Undoes [`spread`]; the high bit of every byte is ignored.
#[inline(always)]
pub(super) fn gather(x: u64) -> u64 {
    let x = (x & 0x007f_007f_007f_007f) | ((x & 0x7f00_7f00_7f00_7f00) >> 1);
    let x = (x & 0x0000_3fff_0000_3fff) | ((x & 0x3fff_0000_3fff_0000) >> 2);
    (x & 0x0000_0000_0fff_ffff) | ((x & 0x0fff_ffff_0000_0000) >> 4)
}

/// Encodes `value` at the start of `out`, which holds the longest encoding, and says how long it
/// became.
pub(super) fn write(mut value: u128, out: &mut [u8; 19]) -> usize {
    let mut len = 0;
    while value >= 0x80 {
        out[len] = value as u8 | 0x80;
        value >>= 7;
        len += 1;
    }
    out[len] = value as u8;
    len + 1
}

/// Why a number could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bad {
    /// The bytes ended first.
    End,
    /// It does not fit `bits`.
    Range,
}

/// Reads an integer of `bits` bits from the start of `bytes`: its value and its length.
pub(super) fn read(bytes: &[u8], bits: u32) -> Result<(u128, usize), Bad> {
    let max = max_len(bits);
    let mut value = 0u128;
    for index in 0..max {
        let Some(&byte) = bytes.get(index) else {
            return Err(Bad::End);
        };
        value |= u128::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            let last_may_hold = bits - 7 * (max as u32 - 1);
            if index == max - 1 && u32::from(byte) >> last_may_hold != 0 {
                return Err(Bad::Range);
            }
            return Ok((value, index + 1));
        }
    }
    Err(Bad::Range)
}

#[cfg(test)]
mod tests {
    use super::{Bad, gather, read, spread, unzigzag, unzigzag128, write, zigzag, zigzag128};

    #[test]
    fn longest_encodings_are_postcards() {
        let of = |bits| super::max_len(bits);
        assert_eq!([of(16), of(32), of(64), of(128)], [3, 5, 10, 19]);
    }

    #[test]
    fn what_is_written_is_read() {
        for shift in 0..128 {
            for value in [1u128 << shift, (1u128 << shift) - 1, u128::MAX >> shift] {
                let mut out = [0; 19];
                let len = write(value, &mut out);
                assert_eq!(read(&out[..len], 128), Ok((value, len)));
                assert_eq!(read(&out[..len - 1], 128), Err(Bad::End));
            }
        }
    }

    #[test]
    fn spread_is_the_encoding_without_its_flags() {
        for shift in 0..56 {
            let value = (0x00ff_ffff_ffff_ffff_u64 >> shift) ^ 0x15;
            assert_eq!(gather(spread(value)), value);
            let bytes = spread(value).to_le_bytes();
            let slow = (0..8).fold(0u64, |sum, i| sum | u64::from(bytes[i]) << (7 * i));
            assert_eq!(slow, value);
        }
    }

    #[test]
    fn zigzag_keeps_small_numbers_small() {
        assert_eq!([0, -1, 1, -2, i64::MIN].map(zigzag), [0, 1, 2, 3, u64::MAX]);
        assert_eq!([i64::MIN, i64::MAX, -7].map(|v| unzigzag(zigzag(v))), [i64::MIN, i64::MAX, -7]);
        assert_eq!(unzigzag128(zigzag128(i128::MIN)), i128::MIN);
    }

    #[test]
    fn pitfall_34_a_u16_of_65537_is_refused() {
        assert_eq!(read(&[0x81, 0x80, 0x04], 16), Err(Bad::Range));
        assert_eq!(read(&[0x81, 0x80, 0x03], 16), Ok((49153, 3)));
        assert_eq!(read(&[0x81, 0x80, 0x80, 0x00], 16), Err(Bad::Range));
    }
}
