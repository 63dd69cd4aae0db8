//! Bytes, stored in place where they are few.

use bytes::Bytes;

/// How many bytes need no memory of their own: as many as the other kind takes itself.
const SHORT: usize = 23;

/// Bytes, which need no memory of their own where they are few.
#[derive(Clone)]
pub(crate) enum ShortBytes {
    Short(u8, [u8; SHORT]),
    Long(Bytes),
}

impl ShortBytes {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Short(len, _) => usize::from(*len),
            Self::Long(bytes) => bytes.len(),
        }
    }

    pub(super) fn to_bytes(&self) -> Bytes {
        match self {
            Self::Short(len, bytes) => Bytes::copy_from_slice(&bytes[..usize::from(*len)]),
            Self::Long(bytes) => bytes.clone(),
        }
    }

    fn short(bytes: &[u8]) -> Option<Self> {
        let mut short = [0; SHORT];
        short.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(Self::Short(u8::try_from(bytes.len()).ok()?, short))
    }
}

impl From<&[u8]> for ShortBytes {
    fn from(bytes: &[u8]) -> Self {
        Self::short(bytes).unwrap_or_else(|| Self::Long(Bytes::copy_from_slice(bytes)))
    }
}

impl From<Bytes> for ShortBytes {
    fn from(bytes: Bytes) -> Self {
        Self::short(&bytes).unwrap_or(Self::Long(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_what_they_were_however_many() {
        for len in [0, 1, SHORT - 1, SHORT, SHORT + 1, 1000] {
            let bytes: Vec<u8> = (0..len).map(|n| n as u8).collect();
            for kept in [ShortBytes::from(bytes.as_slice()), ShortBytes::from(Bytes::from(bytes.clone()))] {
                assert_eq!((kept.len(), &kept.to_bytes()[..]), (len, &bytes[..]));
            }
        }
        assert_eq!(size_of::<ShortBytes>(), size_of::<Bytes>());
    }
}
