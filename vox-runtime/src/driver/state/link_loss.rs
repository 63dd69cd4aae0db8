//! A link that is lost.

use super::super::deferred::LogEvent;
use super::super::state::State;
use crate::catch_panic::catch_panic;
use crate::error::EndReason;

impl State {
    /// The link is gone: nothing is written until there is another.
    pub(in crate::driver) fn on_link_down(&mut self, reason: EndReason) {
        self.link.number += 1;
        let next = self.link.next.take();
        catch_panic(move || drop(next));
        self.wake_plan.on_link_down();
        self.stop_leading();
        self.deferred.notes.push(LogEvent::LinkDown(reason));
        self.wake_observers();
    }

    /// Whether a call or a channel of this session waits for something.
    pub(crate) fn waits_for_anything(&self) -> bool {
        self.session.end_reason().is_none() && (self.session.is_live() || !self.queue.is_empty())
    }

    /// Whether the session waits for a new link.
    pub(crate) fn waits_for_link(&self) -> bool {
        self.session.is_detached() && self.session.end_reason().is_none()
    }
}
