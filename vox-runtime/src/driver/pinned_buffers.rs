//! Read buffers that cannot be used again yet because something that was read into them is still in use: arguments that a handler borrows,
//! items that nobody has taken. One short message may keep a whole buffer so.

use std::collections::VecDeque;

use bytes::Bytes;

use super::clock::now;
use crate::proto::Session;

/// Such buffers of one session, and the session's charge for them. Most sessions never have any.
#[derive(Debug, Default)]
pub(super) struct Pins(Option<Box<Pinned>>);

#[derive(Debug, Default)]
struct Pinned {
    /// Each with its size. What it is held by here is empty, and the last that holds it once nothing else does.
    buffers: VecDeque<(Bytes, usize)>,
    bytes: usize,
}

/// How many are looked at beside each that comes, so that none is kept for long once it is free, and all are not walked.
const LOOKS: usize = 4;

impl Pins {
    /// A buffer of this size is left to those who use it.
    #[cold]
    pub(super) fn push(&mut self, buffer: Bytes, size: usize) {
        self.sweep(LOOKS);
        if !buffer.is_unique() {
            let pinned = self.0.get_or_insert_default();
            pinned.bytes += size;
            pinned.buffers.push_back((buffer, size));
        }
    }

    /// Lets go of those, among so many that were not looked at for longest, that nobody uses any more.
    fn sweep(&mut self, looks: usize) {
        let Some(pinned) = &mut self.0 else { return };
        for _ in 0..looks.min(pinned.buffers.len()) {
            let Some((buffer, size)) = pinned.buffers.pop_front() else { break };
            match buffer.is_unique() {
                true => pinned.bytes -= size,
                false => pinned.buffers.push_back((buffer, size)),
            }
        }
    }

    /// Whether the session is charged for any, or is to be.
    #[inline]
    pub(super) fn is_some(&self) -> bool {
        self.0.is_some()
    }

    /// Tells the session what there is, once those are let go of that are free. `all`: that are looked at, and not only some.
    #[cold]
    pub(super) fn tell(&mut self, session: &mut Session, all: bool) {
        self.sweep(if all { usize::MAX } else { LOOKS });
        let bytes = self.0.as_ref().map_or(0, |pinned| pinned.bytes);
        session.pin(bytes, now());
        if bytes == 0 {
            self.0 = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;

    /// A buffer, what holds it here, and a byte of it that is in use.
    fn buffer() -> (Bytes, Bytes) {
        let mut buffer = BytesMut::zeroed(100);
        (buffer.split_to(0).freeze(), buffer.split_to(1).freeze())
    }

    #[test]
    fn a_buffer_is_held_for_no_longer_than_something_of_it_is_in_use() {
        let (mut pins, mut used) = (Pins::default(), Vec::new());
        let bytes = |pins: &Pins| pins.0.as_ref().map_or(0, |pinned| pinned.bytes);
        for n in 1..=100 {
            let (held, byte) = buffer();
            pins.push(held, 100);
            used.push(byte);
            assert_eq!(bytes(&pins), n * 100);
        }
        let (free, byte) = buffer();
        drop(byte);
        pins.push(free, 100);
        assert_eq!(bytes(&pins), 10_000, "one that is free is not held");
        // Without the first, which is in use all the time, the others go.
        used.truncate(1);
        for _ in 0..=100 / LOOKS {
            pins.push(Bytes::new(), 0);
        }
        assert_eq!(bytes(&pins), 100);
        used.clear();
        pins.sweep(usize::MAX);
        assert_eq!(bytes(&pins), 0);
    }
}
