//! A panic of vox itself ends the session: nobody waits for it any longer.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::super::clock::now;
use super::super::deferred::LogEvent;
use super::super::router::Router;
use super::super::state::{OpenWaiter, State, Waiter};
use super::super::writer::Writer;
use crate::catch_panic::catch_panic;
use crate::error::{EndReason, Refusal, RefusalCode};
use crate::proto::{CallEnd, ChannelEnd};

/// What the peer is told.
const WORDS: &str = "an internal fault";

impl State {
    pub(in crate::driver) fn fail(&mut self, router: &Router) {
        let is_known = self.session.end_reason() == Some(&EndReason::InternalFault);
        let ended = catch_unwind(AssertUnwindSafe(|| {
            #[cfg(test)]
            self.spring(super::test_trap::Trap::End);
            self.session.abandoned(EndReason::InternalFault);
            self.settle_all(router);
        }));
        if let Err(payload) = ended {
            catch_panic(move || drop(payload));
        }
        let reason = self.session.end_reason().cloned().unwrap_or(EndReason::InternalFault);
        if !is_known {
            self.deferred.notes.push(LogEvent::Fault);
        }
        // Between two frames, another can still be written.
        let has_words = self.wake_plan.is_idle() && self.writer.as_deref().is_some_and(Writer::is_between_frames);
        self.session = self.session.remains(now(), reason.clone(), has_words.then_some(WORDS));
        if !has_words {
            self.link.number += 1;
            let next = self.link.next.take();
            catch_panic(move || drop(next));
        }
        self.end_waits(&reason);
        self.stop_leading();
        self.wake_observers();
        self.deferred.wakes.push(self.wake_plan.on_fault(has_words));
    }

    /// Nobody waits any longer for what the session would have brought.
    fn end_waits(&mut self, reason: &EndReason) {
        for waiter in self.waiters.iter_mut() {
            if let Waiter::Waiting(waker) = waiter {
                self.deferred.wakes.extend(waker.take());
                *waiter = Waiter::Done(CallEnd::Indeterminate);
            }
        }
        for open in self.opens.iter_mut().flat_map(|opens| opens.iter_mut()) {
            if let OpenWaiter::Waiting(waker) = open {
                self.deferred.wakes.extend(waker.take());
                *open = OpenWaiter::Done(Err(Refusal::new(RefusalCode::Other, reason.to_string())));
            }
        }
        for endpoint in self.endpoints.iter_mut() {
            endpoint.end(ChannelEnd::Lost(reason.clone()), &mut self.deferred.wakes);
        }
        self.backlogs.clear();
        self.close_runs();
        self.requests.clear();
        self.deferred.wakes.extend(mem::take(&mut self.queue).take_all());
        self.deferred
            .notes
            .extend(mem::take(&mut self.tasks).into_iter().flat_map(|tasks| tasks.into_values()).map(LogEvent::Abort));
    }
}
