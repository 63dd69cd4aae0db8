//! What is kept because of the peer, as those see it who are outside of the lock, and who waits until less is.

use std::sync::atomic::Ordering;
use std::task::{Context, Waker};

use super::clock::now;
use super::shared::{Shared, State};
use crate::codec::DecodeErrorKind;
use crate::ids::{ConnectionId, RequestId};

/// Tasks of handlers that are not polled, so that they make no replies. Most sessions never have any.
#[allow(clippy::box_collection, reason = "idle sessions are many")]
pub(super) type Suspended = Option<Box<Vec<Waker>>>;

impl State {
    /// Whether what was left for later is to be read now.
    #[inline]
    pub(super) fn may_read_on(&self) -> bool {
        self.held_off && !self.session.stays_held_off()
    }

    /// The same, for the session's task. Where it is to wait for others to give something back, it waits in their line.
    #[inline]
    pub(super) fn reads_on(&mut self) -> bool {
        self.held_off && self.looks_whether_to_read()
    }

    #[cold]
    fn looks_whether_to_read(&mut self) -> bool {
        loop {
            let is_low = self.session.shares_are_low();
            if self.may_read_on() {
                return true;
            }
            // There may be more since the first look, which nobody tells who was not in the line then.
            if self.session.stay_in_line(&self.driver) || !is_low {
                return false;
            }
        }
    }

    /// Lets handlers go on, if they no longer have to wait.
    #[inline]
    pub(super) fn resume_suspended(&mut self) {
        if self.suspended.is_some() && !self.session.stays_holding_replies() {
            self.deferred.wakes.extend(self.suspended.take().into_iter().flat_map(|suspended| *suspended));
        }
    }
}

impl Shared {
    /// The arguments of this request take so much more than it was charged when it came.
    #[cold]
    pub(crate) fn keep_decoded(
        &self,
        connection: ConnectionId,
        request: RequestId,
        bytes: usize,
    ) -> Result<(), DecodeErrorKind> {
        let kept = self.lock().session.keep_decoded(connection, request, bytes);
        kept.map_err(|short| DecodeErrorKind::OverMemory { short: short.into() })
    }

    /// Something was made for the terms of this connection.
    #[cold]
    pub(crate) fn settle_terms(&self, connection: ConnectionId) {
        self.change(|state| state.session.settle_terms(connection));
    }

    /// A reply was put. Handlers that have tasks wait from now on, if there are too many.
    #[inline]
    pub(super) fn note_replies(&self, state: &State) {
        if state.session.is_laden_with_replies() {
            self.may_suspend.store(true, Ordering::Relaxed);
        }
    }

    /// Whether a handler that has a task is not to be polled now. It is woken when it is.
    #[inline]
    pub(super) fn suspends(&self, cx: &Context<'_>) -> bool {
        self.may_suspend.load(Ordering::Relaxed) && self.suspend(cx)
    }

    #[cold]
    fn suspend(&self, cx: &Context<'_>) -> bool {
        let waker = cx.waker().clone();
        self.change(|state| {
            let waits = state.session.holds_replies(now());
            match waits {
                true => state.suspended.get_or_insert_default().push(waker),
                // Until there are again too many.
                false => self.may_suspend.store(false, Ordering::Relaxed),
            }
            waits
        })
    }
}
