//! Waiting for the end of a call.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::task::{Poll, Waker};

use tokio::runtime::Handle;

use super::shared::{Shared, State, Waiter};
use crate::ids::ConnectionId;
use crate::operation::OperationId;
use crate::proto::{CallEnd, LONG_REPLY, Token};
use crate::wire;

/// A call that was sent and not yet taken up again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent {
    pub(crate) connection: ConnectionId,
    pub(crate) token: Token,
    /// The operation that is acknowledged with the outcome, since nobody else knows its id.
    pub(crate) auto_id: Option<OperationId>,
    /// It was made alone, and may read the link itself.
    pub(crate) reads_inline: bool,
}

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
                    deferred.run(self);
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
            deferred.run(self);
        }
        Poll::Ready(end)
    }
}

impl State {
    /// The end of the call, unless it is yet to come.
    fn take_end(&mut self, sent: &Sent) -> Option<Option<CallEnd>> {
        if let Some(Waiter::Waiting(_)) = self.waiters.get_mut(sent.token) {
            return None;
        }
        let end = self.waiters.remove(sent.token);
        self.call_over(sent.token);
        let Some(Waiter::Done(end)) = end else { return Some(None) };
        if let CallEnd::Reply(payload) = &end
            && payload.len() > LONG_REPLY
        {
            self.session.reply_taken(sent.token);
            // What was left for later may be read now.
            if self.may_read_on() {
                self.poke_driver();
            }
        }
        if let (Some(id), CallEnd::Reply(payload)) = (sent.auto_id, &end)
            && wire::is_outcome(payload)
        {
            self.session.acknowledge_with_next(sent.connection, id);
        }
        Some(Some(end))
    }
}
