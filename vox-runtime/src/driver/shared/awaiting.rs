//! Calls that wait for their replies, as their futures are polled.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::task::{Poll, Waker};

use tokio::runtime::Handle;

use super::super::shared::Shared;
use super::super::state::Waiter;
use super::super::waiting::Sent;
use crate::proto::CallEnd;

impl Shared {
    /// Whether this runs in the session's own runtime.
    #[inline]
    pub(crate) fn is_home(&self) -> bool {
        Handle::try_current().is_ok_and(|here| here.id() == self.runtime.id())
    }

    /// The end of the call, if it has come. `None`: it was taken before, or never will be.
    pub(crate) fn poll_end(&self, sent: &Sent, waker: &Waker) -> Poll<Option<CallEnd>> {
        if sent.reads_inline
            && self.watch.take_owed()
            && let Some(end) = self.read_for(sent.token, |state| state.take_end(sent))
        {
            return Poll::Ready(end);
        }
        let mut state = self.lock();
        match state.waiters.get_mut(sent.token) {
            Some(Waiter::Waiting(Some(known))) if known.will_wake(waker) => return Poll::Pending,
            Some(Waiter::Waiting(known)) => {
                let cloned = match catch_unwind(AssertUnwindSafe(|| waker.clone())) {
                    Ok(cloned) => cloned,
                    Err(panicked) => {
                        // That is who polls this call's own affair, and not the session's.
                        drop(state);
                        resume_unwind(panicked);
                    }
                };
                let before = known.replace(cloned);
                let reads = sent.reads_inline && state.inline_reader_moved(sent.token, waker);
                state.deferred.spent.extend(before);
                let deferred = state.deferred.take();
                drop(state);
                if let Some(deferred) = deferred {
                    self.run_deferred(deferred);
                }
                if reads {
                    waker.wake_by_ref();
                }
                return Poll::Pending;
            }
            Some(Waiter::Done(_)) | None => {}
        }
        let end = state.take_end(sent).flatten();
        let deferred = state.deferred.take();
        drop(state);
        if let Some(deferred) = deferred {
            self.run_deferred(deferred);
        }
        Poll::Ready(end)
    }
}
