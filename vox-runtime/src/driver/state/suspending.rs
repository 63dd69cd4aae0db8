//! Handlers and reading that wait for memory.

use super::super::state::State;

impl State {
    /// Whether what was left for later is to be read now.
    #[inline]
    pub(in crate::driver) fn may_read_on(&self) -> bool {
        self.wake_plan.is_held_off() && !self.session.is_behind() && !self.session.stays_held_off()
    }

    /// The same, for the session's task. Where it is to wait for others to give something back, it waits in their line.
    #[inline]
    pub(in crate::driver) fn reads_on(&mut self) -> bool {
        self.wake_plan.is_held_off() && self.looks_whether_to_read()
    }

    #[cold]
    fn looks_whether_to_read(&mut self) -> bool {
        loop {
            let is_low = self.session.shares_are_low();
            if self.may_read_on() {
                return true;
            }
            // There may be more since the first look, which nobody tells who was not in the line then.
            if self.session.stay_in_line(self.wake_plan.task()) || !is_low {
                return false;
            }
        }
    }

    /// Lets handlers go on, if they no longer have to wait.
    #[inline]
    pub(in crate::driver) fn resume_suspended(&mut self) {
        if self.suspended.is_some() && !self.session.stays_holding_replies() {
            self.deferred.wakes.extend(self.suspended.take().into_iter().flat_map(|suspended| *suspended));
        }
    }
}
