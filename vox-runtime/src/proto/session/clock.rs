//! What happens because time passes: deadlines, and a peer that is silent for too long.

use std::time::Instant;

use super::{Session, earlier};
use crate::error::EndReason;
use crate::wire::Frame;

impl Session {
    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        if self.ended.is_some() {
            return None;
        }
        let link = if self.is_detached() { self.given_up_at() } else { self.keepalive_due() };
        earlier(earlier(earlier(self.deadline, link), self.pauses.due()), self.pins.due())
    }

    /// Whether each time at which [`handle_timeout`](Self::handle_timeout) may be due is such a one. That costs less to know than the time,
    /// and is no where it is not plain.
    #[inline]
    pub(crate) fn is_due_only_at(&self, such: impl Fn(Instant) -> bool) -> bool {
        if self.ended.is_some() {
            return true;
        }
        let own = self.deadline.is_none_or(&such);
        if !(own && self.pauses.due().is_none_or(&such) && self.pins.due().is_none_or(&such)) {
            return false;
        }
        let keepalive = match self.probed {
            _ if self.is_detached() => self.given_up_at(),
            Some(at) => at.checked_add(self.limits.keepalive_timeout),
            None => self.last_heard.checked_add(self.limits.keepalive.min(self.limits.idle_keepalive)),
        };
        keepalive.is_none_or(such)
    }

    /// When the peer is probed next, or given up. A limit past the end of time is never reached.
    fn keepalive_due(&self) -> Option<Instant> {
        match self.probed {
            // Who is not read cannot be heard.
            _ if self.pauses.is_unheard() => None,
            Some(at) => at.checked_add(self.limits.keepalive_timeout),
            None if self.is_live() => self.last_heard.checked_add(self.limits.keepalive),
            // Nothing waits for the peer, but a peer that is gone must not keep its place for ever.
            None => self.last_heard.checked_add(self.limits.idle_keepalive),
        }
    }

    /// Time has passed.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.ended.is_some() {
            return;
        }
        self.expire_due(now);
        self.look_at_pauses(now);
        self.pins.put_off(now);
        if let Some(at) = self.given_up_at() {
            if at <= now {
                self.give_up();
            }
            return;
        }
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

    /// Ends what had to be done by now. Says nothing of the peer, so it may be called before the link is read.
    pub(crate) fn expire_due(&mut self, now: Instant) {
        if self.ended.is_none() && self.deadline.is_some_and(|deadline| deadline <= now) {
            self.expire(now);
        }
    }

    fn expire(&mut self, now: Instant) {
        let mut next = None;
        for (_, calling) in self.calling.iter_mut() {
            next = earlier(next, calling.expire(now, &mut self.fx));
        }
        for (_, serving) in self.serving.iter_mut() {
            next = earlier(next, serving.expire(now, &mut self.fx));
        }
        self.deadline = next;
    }
}
