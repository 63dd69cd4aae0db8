//! What is kept because of the peer: arguments of requests, replies, and what decoding them takes.
use std::sync::atomic::Ordering;
use std::task::Context;

use super::super::clock::now;
use super::super::shared::Shared;
use super::super::state::State;
use crate::codec::DecodeErrorKind;
use crate::ids::{ConnectionId, RequestId};

impl Shared {
    /// The arguments of this request take so much more than it was charged when it came.
    #[cold]
    pub(crate) fn keep_decoded(
        &self,
        connection: ConnectionId,
        request: RequestId,
        bytes: usize,
        frame: usize,
    ) -> Result<(), DecodeErrorKind> {
        let kept = self.lock().session.keep_decoded(connection, request, bytes, frame);
        kept.map_err(|short| DecodeErrorKind::OverMemory { short: short.into() })
    }

    /// Something was made for the terms of this connection.
    #[cold]
    pub(crate) fn settle_terms(&self, connection: ConnectionId) {
        self.change(|state| state.session.settle_terms(connection));
    }

    /// A reply was put. Handlers that have tasks wait from now on, if there are too many.
    #[inline]
    pub(in crate::driver) fn note_replies(&self, state: &State) {
        if state.session.is_laden_with_replies() {
            self.may_suspend.store(true, Ordering::Relaxed);
        }
    }

    /// Whether a handler that has a task is not to be polled now. It is woken when it is.
    #[inline]
    pub(in crate::driver) fn suspends(&self, cx: &Context<'_>) -> bool {
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
