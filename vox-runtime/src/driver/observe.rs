//! Waiting for something about the session as a whole: its end, its last handler.

use std::future::poll_fn;
use std::task::{Poll, Waker};

use super::accounts::Seat;
use super::shared::{Shared, State};

/// Waits until `look` finds something. It looks again when the session loses its link or gets one, ends, when its task does and,
/// while the server is shutting down, when a handler does.
pub(crate) async fn observe<R>(shared: &Shared, look: impl Fn(&State) -> Option<R>) -> R {
    let mut place = Place { shared, key: None };
    poll_fn(|cx| {
        let Place { shared, key } = &mut place;
        shared.change(|state| match look(state) {
            Some(found) => Poll::Ready(found),
            None => {
                state.watch(key, cx.waker());
                Poll::Pending
            }
        })
    })
    .await
}

impl State {
    /// Somebody let go of the session: ends it if nothing is left open and nobody holds it.
    pub(crate) fn end_if_unused(&mut self) {
        if self.holders == 0 && !self.session.has_connections() {
            self.session.goodbye("nothing left open");
        }
    }

    /// Takes a place among the sessions of a server, which is free again when the session ends: before its link is closed, so a
    /// peer that has seen it closed finds the place free.
    pub(super) fn take_seat(&mut self, seat: Seat) {
        self.seat = self.session.end_reason().is_none().then_some(seat);
    }

    /// Refuses new calls and connections from now on.
    pub(crate) fn drain(&mut self) {
        self.draining = true;
    }

    /// The session's task has ended.
    pub(super) fn finish(&mut self) {
        self.over = true;
        self.end_lead();
        self.wake_observers();
    }

    /// Wakes `waker` when the session ends, when its task does and, while it drains, when a handler does.
    pub(super) fn watch(&mut self, key: &mut Option<u64>, waker: &Waker) {
        let key = *key.get_or_insert_with(|| {
            self.next_ticket += 1;
            self.next_ticket
        });
        if let Some(waker) = self.deferred.kept(waker) {
            self.deferred.spent.extend(self.observers.insert(key, waker));
        }
    }

    pub(super) fn wake_observers(&mut self) {
        if self.session.end_reason().is_some() {
            self.seat = None;
        }
        self.deferred.wakes.extend(std::mem::take(&mut self.observers).into_values());
    }

    pub(super) fn unwatch(&mut self, key: u64) {
        self.deferred.spent.extend(self.observers.remove(&key));
    }
}

/// A place among the observers, given up with the wait.
struct Place<'a> {
    shared: &'a Shared,
    key: Option<u64>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.shared.change(|state| state.unwatch(key));
        }
    }
}
