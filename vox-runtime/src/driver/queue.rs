//! The queue of calls that wait for their turn, by connection, first come first served.

use std::task::Waker;
use std::time::Instant;

use super::shared::State;
use crate::ids::ConnectionId;
use crate::proto::Gate;

impl State {
    /// Whether the call with this ticket, or a new one, may be made now.
    #[inline]
    pub(crate) fn turn(&self, connection: ConnectionId, channels: usize, ticket: Option<u64>) -> Gate {
        match self.session.gate(connection, channels) {
            Gate::Open => match self.head(connection) {
                Some((head, _)) if Some(head) != ticket => Gate::Wait,
                _ => Gate::Open,
            },
            other => other,
        }
    }

    /// Joins the queue, or stays in it.
    pub(crate) fn enqueue(
        &mut self,
        connection: ConnectionId,
        ticket: Option<u64>,
        deadline: Option<Instant>,
        waker: &Waker,
    ) -> u64 {
        self.note_full_outbox();
        let ticket = ticket.unwrap_or_else(|| {
            self.next_ticket += 1;
            self.next_ticket
        });
        self.queue_deadline = crate::proto::earlier(self.queue_deadline, deadline);
        self.queue.insert((connection, ticket), waker.clone());
        ticket
    }

    /// Leaves the queue; whoever is next may have been waiting for that.
    pub(crate) fn dequeue(&mut self, connection: ConnectionId, ticket: u64) {
        self.queue.remove(&(connection, ticket));
        if let Some((_, waker)) = self.head(connection)
            && self.session.gate(connection, 0) == Gate::Open
        {
            let waker = waker.clone();
            self.after.wakes.push(waker);
        }
    }

    #[inline]
    fn head(&self, connection: ConnectionId) -> Option<(u64, &Waker)> {
        if self.queue.is_empty() {
            return None;
        }
        let (key, waker) = self.queue.range((connection, 0)..=(connection, u64::MAX)).next()?;
        Some((key.1, waker))
    }

    pub(super) fn waiting_on(&mut self, connection: ConnectionId) -> Vec<Waker> {
        self.queue.range((connection, 0)..=(connection, u64::MAX)).map(|(_, waker)| waker.clone()).collect()
    }

    /// Wakes the first few of every connection's queue, as many as may find room: one after the other, each would be
    /// written on its own.
    pub(super) fn wake_heads(&mut self, room: usize) {
        let mut from = ConnectionId(0);
        while let Some(((connection, _), _)) = self.queue.range((from, 0)..).next() {
            let queue = self.queue.range((*connection, 0)..=(*connection, u64::MAX));
            self.after.wakes.extend(queue.take(room).map(|(_, waker)| waker.clone()));
            from = ConnectionId(connection.0 + 1);
        }
    }

    /// Wakes every waiting call once the earliest of their deadlines has passed.
    pub(super) fn expire_queue(&mut self, now: Instant) {
        if self.queue_deadline.is_some_and(|deadline| deadline <= now) {
            self.queue_deadline = None;
            self.after.wakes.extend(self.queue.values().cloned());
        }
    }

    /// Remembers that somebody waits because the outbox is over its mark.
    pub(crate) fn note_full_outbox(&mut self) {
        self.outbox_full |= self.session.outbox_is_full();
    }
}
