//! Everything that happens because time passes, and when the next of it is due.

use std::time::Instant;

use super::{Session, earlier};

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
        self.probe_if_silent(now);
    }
}
