//! Long byte strings, which are sent as they lie instead of being copied.

use std::any::Any;

use bytes::Bytes;

use super::{EncodeError, Encoder};

/// Byte strings from this length on are taken as they are.
pub(crate) const LONG: usize = 16 << 10;

impl Encoder<'_> {
    /// Where the value is a long byte string or text, appends its length and takes its bytes out of it, which are to follow.
    /// `None`: nothing was done.
    pub(crate) fn take_long<T: 'static>(&mut self, value: &mut T) -> Result<Option<Bytes>, EncodeError> {
        let value: &mut dyn Any = value;
        if let Some(bytes) = value.downcast_mut::<Vec<u8>>() {
            return self.take_bytes(bytes.len(), bytes.capacity(), || std::mem::take(bytes));
        }
        if let Some(text) = value.downcast_mut::<String>() {
            return self.take_bytes(text.len(), text.capacity(), || std::mem::take(text).into_bytes());
        }
        Ok(None)
    }

    fn take_bytes(
        &mut self,
        len: usize,
        capacity: usize,
        take: impl FnOnce() -> Vec<u8>,
    ) -> Result<Option<Bytes>, EncodeError> {
        // What was sent is kept until the peer has it, and counted by its length: memory that is mostly empty is not.
        if len < LONG || len < capacity / 2 {
            return Ok(None);
        }
        self.announce(len)?;
        Ok(Some(Bytes::from(take())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Plan;

    /// What was written after another value, what was taken to follow it, and what was left of the value.
    fn put<T: facet::Facet<'static>>(mut value: T, max_len: usize) -> (Result<Put, EncodeError>, T) {
        let mut written = vec![7];
        let mut encoder = Encoder::new(&mut written, max_len);
        let put = encoder.take_long(&mut value).and_then(|taken| match taken {
            None => Plan::new().encode(&value, &mut encoder).map(|()| None),
            taken => Ok(taken),
        });
        assert!(put.is_ok() || written == [7]);
        (put.map(|taken| Put { written, taken }), value)
    }

    #[derive(Debug)]
    struct Put {
        written: Vec<u8>,
        taken: Option<Bytes>,
    }

    impl Put {
        fn whole(mut self) -> Vec<u8> {
            self.written.extend(self.taken.into_iter().flatten());
            self.written
        }
    }

    fn copied<T: facet::Facet<'static>>(value: &T) -> Vec<u8> {
        let mut bytes = vec![7];
        Plan::new().encode(value, &mut Encoder::new(&mut bytes, usize::MAX)).expect("it can be encoded");
        bytes
    }

    #[test]
    fn long_bytes_and_text_are_taken_and_the_encoding_is_the_same() {
        for len in [0, 1, LONG - 1, LONG, LONG + 1, if cfg!(miri) { LONG + 2 } else { 1 << 20 }] {
            let bytes: Vec<u8> = (0..len).map(|n| n as u8).collect();
            let (put_bytes, left) = put(bytes.clone(), usize::MAX);
            let put_bytes = put_bytes.expect("there is room");
            assert_eq!((put_bytes.taken.is_some(), left.is_empty()), (len >= LONG, len == 0 || len >= LONG));
            assert_eq!(put_bytes.whole(), copied(&bytes));
            let text = "x".repeat(len);
            assert_eq!(put(text.clone(), usize::MAX).0.expect("there is room").whole(), copied(&text));
        }
    }

    #[test]
    fn the_limit_counts_what_is_taken() {
        let bytes = vec![7u8; LONG];
        let whole = copied(&bytes).len();
        assert!(put(bytes.clone(), whole).0.is_ok());
        let (refused, left) = put(bytes.clone(), whole - 1);
        assert_eq!(refused.expect_err("one byte too many"), EncodeError::TooLarge { needed: whole, limit: whole - 1 });
        assert_eq!(left, bytes);
    }

    #[test]
    fn memory_that_is_mostly_empty_and_other_types_are_copied() {
        let mut roomy = vec![7u8; LONG];
        roomy.reserve_exact(2 * LONG);
        assert!(put(roomy, usize::MAX).0.expect("there is room").taken.is_none());
        assert!(put(vec![7u16; LONG], usize::MAX).0.expect("there is room").taken.is_none());
    }
}
