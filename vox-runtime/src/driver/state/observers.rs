//! Those who wait for a change of the session.

use std::task::Waker;

use super::super::peer_shares::Seat;
use super::super::state::State;

impl State {
    /// Somebody let go of the session: ends it if nothing is left open and nobody holds it.
    pub(crate) fn end_if_unused(&mut self) {
        if self.holders == 0 && !self.session.has_connections() {
            self.session.goodbye("nothing left open");
        }
    }

    /// Takes a place among the sessions of a server, which is free again when the session ends: before its link is closed, so a
    /// peer that has seen it closed finds the place free.
    pub(in crate::driver) fn take_seat(&mut self, seat: Seat) {
        self.seat = self.session.end_reason().is_none().then_some(seat);
    }

    /// Refuses new calls and connections from now on.
    pub(crate) fn drain(&mut self) {
        self.draining = true;
    }

    /// The session's task has ended.
    pub(in crate::driver) fn finish(&mut self) {
        self.over = true;
        self.end_lead();
        self.wake_observers();
    }

    /// Wakes `waker` when the session ends, when its task does and, while it drains, when a handler does.
    pub(in crate::driver) fn watch(&mut self, key: &mut Option<u64>, waker: &Waker) {
        let key = *key.get_or_insert_with(|| {
            self.next_ticket += 1;
            self.next_ticket
        });
        if let Some(waker) = self.deferred.kept(waker) {
            self.deferred.spent.extend(self.observers.insert(key, waker));
        }
    }

    pub(in crate::driver) fn wake_observers(&mut self) {
        if self.session.end_reason().is_some() {
            self.seat = None;
        }
        self.deferred.wakes.extend(std::mem::take(&mut self.observers).into_values());
    }

    pub(in crate::driver) fn unwatch(&mut self, key: u64) {
        self.deferred.spent.extend(self.observers.remove(&key));
    }
}
