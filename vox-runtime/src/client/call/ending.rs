//! The end of a call: its reply has come, it was dropped, or its builder was told something too late.

use std::fmt;

use super::{Call, CallState, Late};
use crate::catch_panic::catch_panic;
use crate::descriptor::MethodDescriptor;
use crate::driver::{Waiter, give_buffer};
use crate::error::{NotSent, VoxError};

impl<T, E> Call<T, E> {
    pub(in super::super) fn leave_queue(&mut self) {
        if let CallState::Queued(ticket) = self.state {
            self.state = CallState::Done;
            let connection = self.handle().connection();
            self.handle().shared().change(|state| state.dequeue(connection, ticket));
        }
    }

    /// Nobody waits for the outcome any more: the peer stops the handler.
    pub(super) fn let_go(&mut self) {
        match self.state {
            CallState::New | CallState::Reconnecting | CallState::Late(_) | CallState::Done => {}
            CallState::Queued(_) => self.leave_queue(),
            CallState::InFlight(token, request) => {
                let connection = self.handle().connection();
                // Its waker goes once the lock is free.
                let waiter = self.handle().shared().change(|state| {
                    state.call_over(token);
                    let waiter = state.waiters.remove(token);
                    match waiter {
                        Some(Waiter::Waiting(_)) => state.session.abandon(connection, request),
                        Some(Waiter::Done(_)) => state.session.reply_taken(token),
                        None => {}
                    }
                    waiter
                });
                catch_panic(move || drop(waiter));
            }
        }
        self.retry.release();
    }

    /// The outcome of a call that was told something after it had been polled.
    pub(super) fn too_late(&self, Late { setting, sent }: Late) -> VoxError<E> {
        let MethodDescriptor { service, name, .. } = self.method;
        let what =
            format!("`.{setting}(…)` came after the first poll of a call of `{service}::{name}`; call it before");
        tracing::warn!("{what}");
        match sent {
            true => VoxError::Cancelled,
            false => VoxError::NotSent(NotSent::InvalidArgument(what.into())),
        }
    }
}

impl<T, E> Drop for Call<T, E> {
    fn drop(&mut self) {
        self.let_go();
        give_buffer(std::mem::take(&mut self.payload.encoded));
    }
}

impl<T, E> fmt::Debug for Call<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("service", &self.method.service)
            .field("method", &self.method.name)
            .field("metadata", &self.metadata)
            .field("operation", &self.operation.map(|named| named.id))
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}
