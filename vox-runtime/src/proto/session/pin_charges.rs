//! The charge for read buffers that cannot be used again yet: what is kept of the peer is a part of them.

use std::time::{Duration, Instant};

use super::super::memory_ledger::Charge;
use super::Session;

/// How often the reader is asked to look whether it is free.
const LOOK: Duration = Duration::from_millis(250);

/// Most sessions never have any.
#[derive(Debug, Default)]
pub(super) struct Pins(Option<Box<Pinned>>);

#[derive(Debug)]
struct Pinned {
    charge: Charge,
    due: Instant,
}

impl Pins {
    /// When to look.
    #[inline]
    pub(super) fn due(&self) -> Option<Instant> {
        self.0.as_ref().map(|pinned| pinned.due)
    }

    /// It was looked at.
    #[inline]
    pub(super) fn put_off(&mut self, now: Instant) {
        if let Some(pinned) = &mut self.0
            && pinned.due <= now
        {
            pinned.due = now + LOOK;
        }
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |pinned| pinned.charge.bytes())
    }
}

impl Session {
    /// So many bytes of such memory are not free, by now. To be said again when [`has_pins_to_look_at`](Self::has_pins_to_look_at).
    pub(crate) fn pin(&mut self, bytes: usize, now: Instant) {
        if self.pins.0.as_ref().map_or(0, |pinned| pinned.charge.bytes()) == bytes {
            return;
        }
        self.unpin();
        if bytes > 0 && self.ended.is_none() {
            let charge = self.fx.ledger.charge(bytes);
            self.pins.0 = Some(Box::new(Pinned { charge, due: now + LOOK }));
        }
        self.settle_lease();
    }

    /// Whether such memory is due to be looked at.
    pub(crate) fn has_pins_to_look_at(&self, now: Instant) -> bool {
        self.pins.due().is_some_and(|due| due <= now)
    }

    /// What is charged for it.
    #[cfg(test)]
    pub(in super::super) fn pinned(&self) -> usize {
        self.pins.bytes()
    }

    /// The session has ended: nothing is charged for it any more.
    pub(super) fn unpin(&mut self) {
        if let Some(pinned) = self.pins.0.take() {
            self.fx.ledger.release(pinned.charge);
        }
    }
}
