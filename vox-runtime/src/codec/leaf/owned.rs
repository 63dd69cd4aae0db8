//! Leaves of the standard library and of `bytes`: owners of text and bytes, and small values.

use std::borrow::Cow;
use std::convert::Infallible;
use std::num::NonZero;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;

use super::super::charge::COUNTED;
use super::super::varint::{unzigzag128, zigzag128};
use super::super::{DecodeError, DecodeErrorKind, Decoder, EncodeError, Encoder};
use super::{BYTES, Leaf, STRING, Table};

pub(super) fn register(table: &mut Table) {
    table.add::<Box<str>>();
    table.add::<Rc<str>>();
    table.add::<Arc<str>>();
    table.add::<Cow<'static, str>>();
    table.add::<ByteString>();
    table.add::<PathBuf>();
    table.add::<Box<[u8]>>();
    table.add::<Rc<[u8]>>();
    table.add::<Arc<[u8]>>();
    table.add::<Cow<'static, [u8]>>();
    table.add::<Bytes>();
    table.add::<BytesMut>();
    table.add::<Duration>();
    table.add::<Infallible>();
    table.add::<NonZero<u8>>();
    table.add::<NonZero<i8>>();
    table.add::<NonZero<u16>>();
    table.add::<NonZero<u32>>();
    table.add::<NonZero<u64>>();
    table.add::<NonZero<u128>>();
    table.add::<NonZero<usize>>();
    table.add::<NonZero<i16>>();
    table.add::<NonZero<i32>>();
    table.add::<NonZero<i64>>();
    table.add::<NonZero<i128>>();
    table.add::<NonZero<isize>>();
}

macro_rules! text {
    ($($owner:ty, $beside:expr;)*) => {$(
        impl Leaf for $owner {
            const NAME: &'static str = STRING;
            const MIN: usize = 1;
            const RATE: usize = 1 + $beside;

            fn put(&self, to: &mut Encoder<'_>) -> Result<(), EncodeError> {
                to.str(self)
            }

            fn take(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
                let text = from.str_slice()?;
                from.charge(text.len() + $beside)?;
                Ok(text.to_owned().into())
            }
        }
    )*};
}

text! {
    Box<str>, 0;
    Rc<str>, COUNTED;
    Arc<str>, COUNTED;
    Cow<'static, str>, 0;
}

macro_rules! binary {
    ($($owner:ty, $beside:expr;)*) => {$(
        impl Leaf for $owner {
            const NAME: &'static str = BYTES;
            const MIN: usize = 1;
            const RATE: usize = 1 + $beside;

            fn put(&self, to: &mut Encoder<'_>) -> Result<(), EncodeError> {
                to.bytes(self)
            }

            fn take(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
                let bytes = from.bytes_slice()?;
                from.charge(bytes.len() + $beside)?;
                Ok(bytes.to_vec().into())
            }
        }
    )*};
}

binary! {
    Box<[u8]>, 0;
    Rc<[u8]>, COUNTED;
    Arc<[u8]>, COUNTED;
    Cow<'static, [u8]>, 0;
}

/// A slice of the frame, which costs nothing.
impl Leaf for Bytes {
    const NAME: &'static str = BYTES;
    const MIN: usize = 1;
    const RATE: usize = 0;

    fn put(&self, to: &mut Encoder<'_>) -> Result<(), EncodeError> {
        to.bytes(self)
    }

    fn take(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let range = from.bytes()?;
        Ok(from.slice(range))
    }
}

impl Leaf for BytesMut {
    const NAME: &'static str = BYTES;
    const MIN: usize = 1;
    const RATE: usize = 1;

    fn put(&self, to: &mut Encoder<'_>) -> Result<(), EncodeError> {
        to.bytes(self)
    }

    fn take(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let bytes = from.bytes_slice()?;
        from.charge(bytes.len())?;
        Ok(Self::from(bytes))
    }
}

/// A slice of the frame, which costs nothing.
impl Leaf for ByteString {
    const NAME: &'static str = STRING;
    const MIN: usize = 1;
    const RATE: usize = 0;

    fn put(&self, to: &mut Encoder<'_>) -> Result<(), EncodeError> {
        to.str(self)
    }

    fn take(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let range = from.bytes()?;
        Self::try_from(from.slice(range)).map_err(|_| from.error(DecodeErrorKind::BadUtf8))
    }
}

impl Leaf for PathBuf {
    const NAME: &'static str = STRING;
    const MIN: usize = 1;
    const RATE: usize = 1;

    fn put(&self, to: &mut Encoder<'_>) -> Result<(), EncodeError> {
        to.str(self.to_str().ok_or(EncodeError::PathNotUtf8)?)
    }

    fn take(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let text = from.str_slice()?;
        from.charge(text.len())?;
        Ok(text.into())
    }
}

impl Leaf for Duration {
    const NAME: &'static str = "Duration";
    const MIN: usize = 2;

    fn put(&self, to: &mut Encoder<'_>) -> Result<(), EncodeError> {
        to.varint(self.as_secs())?;
        to.varint(u64::from(self.subsec_nanos()))
    }

    fn take(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let secs = from.varint()?;
        let nanos = from.varint_of(32)? as u32;
        Self::from_secs(secs)
            .checked_add(Self::from_nanos(u64::from(nanos)))
            .ok_or_else(|| from.error(DecodeErrorKind::BadValue("Duration")))
    }
}

impl Leaf for Infallible {
    const NAME: &'static str = "Infallible";
    const MIN: usize = 0;

    fn put(&self, _: &mut Encoder<'_>) -> Result<(), EncodeError> {
        match *self {}
    }

    fn take(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Err(from.error(DecodeErrorKind::BadValue("Infallible")))
    }
}

macro_rules! nonzero {
    ($($int:ty, $bits:expr, $value:ident, $put:expr, $taken:ident, $take:expr;)*) => {$(
        impl Leaf for NonZero<$int> {
            const NAME: &'static str = concat!("NonZero<", stringify!($int), ">");
            const MIN: usize = 1;

            fn put(&self, to: &mut Encoder<'_>) -> Result<(), EncodeError> {
                let $value = self.get();
                to.varint128($put)
            }

            fn take(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
                let $taken = from.varint_of($bits)?;
                Self::new($take as $int)
                    .ok_or_else(|| from.error(DecodeErrorKind::BadValue("NonZero")))
            }
        }
    )*};
}

nonzero! {
    u16, 16, v, u128::from(v), t, t;
    u32, 32, v, u128::from(v), t, t;
    u64, 64, v, u128::from(v), t, t;
    u128, 128, v, v, t, t;
    usize, usize::BITS, v, v as u128, t, t;
    i16, 16, v, zigzag128(i128::from(v)), t, unzigzag128(t);
    i32, 32, v, zigzag128(i128::from(v)), t, unzigzag128(t);
    i64, 64, v, zigzag128(i128::from(v)), t, unzigzag128(t);
    i128, 128, v, zigzag128(v), t, unzigzag128(t);
    isize, isize::BITS, v, zigzag128(v as i128), t, unzigzag128(t);
}

macro_rules! nonzero_byte {
    ($($int:ty),*) => {$(
        impl Leaf for NonZero<$int> {
            const NAME: &'static str = concat!("NonZero<", stringify!($int), ">");
            const MIN: usize = 1;

            fn put(&self, to: &mut Encoder<'_>) -> Result<(), EncodeError> {
                to.byte(self.get() as u8)
            }

            fn take(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
                let byte = from.byte()?;
                Self::new(byte as $int)
                    .ok_or_else(|| from.error(DecodeErrorKind::BadValue("NonZero")))
            }
        }
    )*};
}

nonzero_byte!(u8, i8);
