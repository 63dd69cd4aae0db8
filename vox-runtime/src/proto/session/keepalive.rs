//! An idle link is probed by a `Ping`, and given up where the peer answers none.

use std::time::Instant;

use super::Session;
use crate::error::EndReason;
use crate::wire::Frame;

impl Session {
    /// When the peer is probed next, or given up. A limit past the end of time is never reached.
    pub(super) fn keepalive_due(&self) -> Option<Instant> {
        match self.probed {
            // Who is not read cannot be heard.
            _ if self.pauses.is_unheard() => None,
            Some(at) => at.checked_add(self.limits.keepalive_timeout),
            None if self.is_live() => self.last_heard.checked_add(self.limits.keepalive),
            // Nothing waits for the peer, but a peer that is gone must not keep its place for ever.
            None => self.last_heard.checked_add(self.limits.idle_keepalive),
        }
    }

    /// Probes a peer that was silent for too long, or gives up the link of one that did not answer its probe.
    pub(super) fn probe_if_silent(&mut self, now: Instant) {
        if self.is_detached() || self.keepalive_due().is_none_or(|due| due > now) {
            return;
        }
        if self.probed.is_some() && !self.moves {
            self.link_lost(now, EndReason::KeepaliveTimeout);
        } else if self.probed.is_some() {
            // The link takes bytes: the probe, or its answer, is behind them. Once it takes none, the write stalls.
            self.probed = Some(now);
            self.moves = false;
        } else {
            self.probed = Some(now);
            self.moves = false;
            self.fx.send(&Frame::Ping { nonce: 0 });
        }
    }
}
