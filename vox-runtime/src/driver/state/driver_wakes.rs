//! When the session's task is woken, and for when its timer is set.

use std::time::Instant;

use super::super::state::State;
use crate::limits::Limits;
use crate::proto::earlier;

impl State {
    /// When the driver has to look at the time next.
    pub(in crate::driver) fn next_timeout(&self) -> Option<Instant> {
        earlier(earlier(self.session.poll_timeout(), self.waits_due()), self.inline_reader.due)
    }

    /// Whether the driver's timer fires no later than [`next_timeout`](Self::next_timeout). Says no where that is not
    /// plain at a glance.
    #[inline]
    pub(in crate::driver) fn is_armed_in_time(&self) -> bool {
        let is_in_time = |due| self.armed.is_some_and(|armed| armed <= due);
        self.inline_reader.due.is_none_or(is_in_time)
            && self.waits_due().is_none_or(is_in_time)
            && self.session.is_due_only_at(is_in_time)
    }

    /// When a link that takes nothing counts as lost. A limit past the end of time is never reached.
    pub(in crate::driver) fn stall_due(&self, limits: &Limits) -> Option<Instant> {
        self.stalled.filter(|_| self.session.end_reason().is_none())?.checked_add(limits.write_stall)
    }

    #[inline]
    pub(in crate::driver) fn poke_driver(&mut self) {
        if !self.driver_awake {
            self.poke_sleeping_driver();
        }
    }

    #[inline(never)]
    fn poke_sleeping_driver(&mut self) {
        let is_sooner = |at| self.armed.is_none_or(|armed| at < armed);
        let sooner = !self.is_armed_in_time() && self.next_timeout().is_some_and(is_sooner);
        let relinked = self.link.number != self.known_link;
        let broken = relinked || self.link_error.is_some() || self.session.end_reason().is_some();
        if sooner || broken || self.unwatched || self.may_write() || self.may_host() || self.may_read_on() {
            // Once woken it will look at everything; until then nobody need wake it again.
            self.driver_awake = true;
            self.deferred.wakes.push(self.driver.clone());
        }
    }

    /// Whether the driver is at work and will write what it finds.
    #[inline]
    pub(crate) fn driver_is_awake(&self) -> bool {
        self.driver_awake
    }
}
