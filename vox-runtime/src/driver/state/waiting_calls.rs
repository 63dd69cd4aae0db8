//! Calls that wait for their turn.

use std::task::Waker;
use std::time::Instant;

use super::super::call_queue::ABSENCE;
use super::super::state::State;
use super::super::wait_warnings::Waiting;
use crate::descriptor::MethodDescriptor;
use crate::ids::ConnectionId;
use crate::proto::{Gate, Obstacle};

impl State {
    /// Whether the call with this ticket, or a new one, may be made now.
    #[inline]
    pub(crate) fn turn(&self, connection: ConnectionId, channels: usize, ticket: Option<u64>) -> Gate {
        match self.session.gate(connection, channels) {
            Gate::Open if self.is_behind(connection, channels, ticket) => Gate::Wait,
            gate => gate,
        }
    }

    /// Whether another's turn comes first. Not that of a call that waits for channels, before one that needs none: it may wait for as long
    /// as others keep theirs.
    #[inline]
    fn is_behind(&self, connection: ConnectionId, channels: usize, ticket: Option<u64>) -> bool {
        // Who was absent, and is here, stands before the head.
        let goes_first = |(head, _): (u64, usize)| ticket.is_none_or(|ticket| ticket > head);
        let lacks = |asked| matches!(self.session.obstacle(connection, asked), Some(Obstacle::Channels { .. }));
        self.queue.head(connection, false).is_some_and(goes_first)
            || self
                .queue
                .head(connection, true)
                .is_some_and(|head| goes_first(head) && (channels > 0 || !lacks(head.1)))
    }

    /// Joins the queue, or stays in it. Now is when it does, for a call of this method that brings so many channels.
    pub(crate) fn enqueue(
        &mut self,
        connection: ConnectionId,
        ticket: Option<u64>,
        (now, deadline): (Instant, Option<Instant>),
        (method, channels): (&MethodDescriptor, usize),
        waker: Waker,
    ) -> u64 {
        self.note_full_outbox();
        let ticket = ticket.unwrap_or_else(|| {
            self.next_ticket += 1;
            self.next_ticket
        });
        self.queue_deadline = crate::proto::earlier(self.queue_deadline, deadline);
        let obstacle = self.session.obstacle(connection, channels).unwrap_or(Obstacle::Turn);
        let what = Waiting { service: method.service, method: Some(method.name), obstacle };
        self.begin_wait(ticket, now, what);
        self.deferred.spent.extend(self.queue.join(connection, ticket, channels, waker));
        ticket
    }

    /// Leaves the queue; the next may have been waiting for that.
    pub(crate) fn dequeue(&mut self, connection: ConnectionId, ticket: u64) {
        self.end_wait(ticket);
        self.deferred.spent.extend(self.queue.leave(connection, ticket));
        if self.session.gate(connection, 0) == Gate::Open {
            let woken = self.deferred.wakes.len();
            self.deferred.wakes.extend(self.queue.take_next(connection));
            self.expect(self.deferred.wakes.len() > woken);
        }
    }

    /// Somebody was woken for its turn, and is expected to come.
    fn expect(&mut self, was_woken: bool) {
        if was_woken && self.queue.roll_call.is_none() {
            self.queue.roll_call = super::super::now().checked_add(ABSENCE);
        }
    }

    /// Lets others go first where those whose turn it is have not come.
    fn call_roll(&mut self, now: Instant) {
        if self.queue.roll_call.is_some_and(|due| due <= now) {
            self.queue.roll_call = None;
            let woken = self.deferred.wakes.len();
            self.deferred.wakes.extend(self.queue.call_roll());
            self.expect(self.deferred.wakes.len() > woken);
        }
    }

    /// Wakes the first few of every connection's queue, as many as may find room: one after the other, each would be
    /// written on its own.
    pub(in crate::driver) fn wake_heads(&mut self, room: usize) {
        let woken = self.deferred.wakes.len();
        self.deferred.wakes.extend(self.queue.take_heads(room));
        self.expect(self.deferred.wakes.len() > woken);
    }

    /// Wakes every waiting call once the earliest of their deadlines has passed.
    pub(in crate::driver) fn expire_queue(&mut self, now: Instant) {
        self.call_roll(now);
        if self.queue_deadline.is_some_and(|deadline| deadline <= now) {
            self.queue_deadline = None;
            let woken = self.deferred.wakes.len();
            self.deferred.wakes.extend(self.queue.take_all());
            self.expect(self.deferred.wakes.len() > woken);
            self.expire_sends(now);
        }
    }

    /// Remembers that somebody waits because the outbox is over one of its marks.
    pub(crate) fn note_full_outbox(&mut self) {
        self.wake_plan.on_no_room(self.session.outbox_is_full(), self.session.outbox_is_laden());
    }
}
