//! Who has waited for a limit for longer than a person would.

use std::time::Instant;

use super::super::channel_warnings::PATIENCE;
use super::super::deferred::LogEvent;
use super::super::state::State;
use super::super::wait_warnings::Waiting;
use crate::proto::earlier;

impl State {
    /// When somebody who waits is to be told, or the log.
    #[inline]
    pub(in crate::driver) fn waits_due(&self) -> Option<Instant> {
        let patience = self.patience.as_ref().and_then(|patience| earlier(patience.due(), patience.uploads.look));
        earlier(earlier(self.queue_deadline, self.queue.roll_call), patience)
    }

    /// Somebody begins to wait, under a number of its own, or goes on: the first time that it says so counts, and what it waits for
    /// now.
    pub(crate) fn begin_wait(&mut self, number: u64, now: Instant, what: Waiting) {
        self.patience.get_or_insert_default().begin(number, now.checked_add(PATIENCE), what);
    }

    /// It waits no more.
    pub(crate) fn end_wait(&mut self, number: u64) {
        if let Some(patience) = &mut self.patience {
            patience.end(number);
        }
    }

    /// What it waits for.
    pub(crate) fn waits_for(&self, number: u64) -> Option<&Waiting> {
        self.patience.as_ref()?.waits.get(number).map(|wait| &wait.what)
    }

    /// Logs those who have waited for long, each once.
    pub(in crate::driver) fn lose_patience(&mut self, now: Instant) {
        let Some(patience) = &mut self.patience else { return };
        if self.session.is_detached() {
            // They wait for a link, and that there is none has been said.
            return patience.begin_anew(now);
        }
        for (what, count) in patience.lost(now) {
            self.deferred.notes.push(LogEvent::WaitsLong(what, count, PATIENCE));
        }
    }
}
