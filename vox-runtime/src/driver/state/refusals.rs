//! What is refused is counted, and logged at times.

use super::super::clock::now;
use super::super::deferred::LogEvent;
use super::super::state::State;
use crate::error::Short;
use crate::limits::Refused;

impl State {
    /// This end turned something of the peer's down, or lets it wait.
    #[cold]
    pub(in crate::driver) fn on_refused(&mut self, what: Refused, short: Option<Short>) {
        self.session.note_refused(what);
        if self.refusing.add(what, now())
            && let Some(short) = short
        {
            self.deferred.notes.push(LogEvent::Refused(what, short));
        }
    }
}
