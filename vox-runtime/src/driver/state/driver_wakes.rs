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
        let is_in_time = |due| self.wake_plan.fires_by(due);
        self.inline_reader.due.is_none_or(is_in_time)
            && self.waits_due().is_none_or(is_in_time)
            && self.session.is_due_only_at(is_in_time)
    }

    /// When a link that takes nothing counts as lost. A limit past the end of time is never reached.
    pub(in crate::driver) fn stall_due(&self, limits: &Limits) -> Option<Instant> {
        self.wake_plan.stalled().filter(|_| self.session.end_reason().is_none())?.checked_add(limits.write_stall)
    }

    #[inline]
    pub(in crate::driver) fn poke_driver(&mut self) {
        if !self.wake_plan.is_awake() {
            self.poke_sleeping_driver();
        }
    }

    #[inline(never)]
    fn poke_sleeping_driver(&mut self) {
        let due = if self.is_armed_in_time() { None } else { self.next_timeout() };
        let is_over = self.session.end_reason().is_some();
        let has_work = is_over || self.may_write() || self.may_host() || self.may_read_on();
        self.deferred.wakes.extend(self.wake_plan.on_change(self.link.number, due, has_work));
    }

    /// Whether the driver is at work and will write what it finds.
    #[inline]
    pub(crate) fn driver_is_awake(&self) -> bool {
        self.wake_plan.is_awake()
    }
}
