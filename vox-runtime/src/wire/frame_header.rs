//! What every frame begins with: the length of its body, and its kind. Written and read here alone.

use super::Kind;

/// Bytes before a frame's body: its length, little-endian.
pub(crate) const LENGTH_BYTES: usize = 4;

/// The length of the body of the frame that these bytes begin with. `None`: they are too few to say.
#[inline]
pub(crate) fn body_length(bytes: &[u8]) -> Option<usize> {
    bytes.first_chunk::<LENGTH_BYTES>().map(|length| u32::from_le_bytes(*length) as usize)
}

/// Starts a frame: room for its length, and its kind. [`finish`] fills in the length.
#[inline]
pub(crate) fn begin(out: &mut Vec<u8>, kind: Kind) -> usize {
    let start = out.len();
    out.extend_from_slice(&[0, 0, 0, 0, kind as u8]);
    start
}

/// Ends the frame that began at `start`, `beyond` bytes of which are not in `out` but follow it.
#[inline]
pub(crate) fn finish(out: &mut [u8], start: usize, beyond: usize) {
    let len = out.len() - start - LENGTH_BYTES + beyond;
    let len = u32::try_from(len).expect("frames are bounded by Limits::MESSAGE_CEILING");
    out[start..start + LENGTH_BYTES].copy_from_slice(&len.to_le_bytes());
}
