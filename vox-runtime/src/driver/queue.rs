//! The queue of calls that wait for their turn, by connection, first come first served.

use std::collections::{BTreeMap, VecDeque};
use std::task::Waker;
use std::time::Instant;

use super::patience::Waiting;
use super::shared::State;
use crate::descriptor::MethodDescriptor;
use crate::ids::ConnectionId;
use crate::proto::{Gate, Obstacle};

/// A line for each connection on which calls wait.
#[derive(Default)]
pub(super) struct Queue {
    lines: BTreeMap<ConnectionId, Line>,
}

/// Those who wait, by their tickets, which only grow. One that was woken has no waker until it is polled and waits again.
type Line = VecDeque<(u64, Option<Waker>)>;

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Whose turn it is.
    #[inline]
    fn head(&self, connection: ConnectionId) -> Option<u64> {
        if self.lines.is_empty() {
            return None;
        }
        Some(self.lines.get(&connection)?.front()?.0)
    }

    /// Joins the line, or stays in it. Gives back the waker that this one takes the place of.
    fn join(&mut self, connection: ConnectionId, ticket: u64, waker: Waker) -> Option<Waker> {
        let line = self.lines.entry(connection).or_default();
        match line.binary_search_by_key(&ticket, |(ticket, _)| *ticket) {
            Ok(at) => line[at].1.replace(waker),
            Err(at) => {
                line.insert(at, (ticket, Some(waker)));
                None
            }
        }
    }

    /// Leaves the line. Gives back its waker, if it has one.
    fn leave(&mut self, connection: ConnectionId, ticket: u64) -> Option<Waker> {
        let line = self.lines.get_mut(&connection)?;
        let at = line.binary_search_by_key(&ticket, |(ticket, _)| *ticket).ok()?;
        let (_, waker) = line.remove(at)?;
        if line.is_empty() {
            self.lines.remove(&connection);
        }
        waker
    }

    /// The waker of the next, if it was not woken yet.
    fn take_head(&mut self, connection: ConnectionId) -> Option<Waker> {
        self.lines.get_mut(&connection)?.front_mut()?.1.take()
    }

    /// The wakers of the first few of every line that were not woken yet.
    fn take_heads(&mut self, room: usize) -> impl Iterator<Item = Waker> {
        self.lines.values_mut().flat_map(move |line| line.iter_mut().filter_map(|(_, waker)| waker.take()).take(room))
    }

    /// The wakers of all in one line.
    pub(super) fn take_line(&mut self, connection: ConnectionId) -> impl Iterator<Item = Waker> {
        self.lines.get_mut(&connection).into_iter().flatten().filter_map(|(_, waker)| waker.take())
    }

    /// The wakers of all who wait.
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = Waker> {
        self.lines.values_mut().flatten().filter_map(|(_, waker)| waker.take())
    }
}

impl State {
    /// Whether the call with this ticket, or a new one, may be made now.
    #[inline]
    pub(crate) fn turn(&self, connection: ConnectionId, channels: usize, ticket: Option<u64>) -> Gate {
        match self.session.gate(connection, channels) {
            Gate::Open => match self.queue.head(connection) {
                Some(head) if Some(head) != ticket => Gate::Wait,
                _ => Gate::Open,
            },
            other => other,
        }
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
        self.after.spent.extend(self.queue.join(connection, ticket, waker));
        ticket
    }

    /// Leaves the queue; the next may have been waiting for that.
    pub(crate) fn dequeue(&mut self, connection: ConnectionId, ticket: u64) {
        self.end_wait(ticket);
        self.after.spent.extend(self.queue.leave(connection, ticket));
        if self.session.gate(connection, 0) == Gate::Open {
            self.after.wakes.extend(self.queue.take_head(connection));
        }
    }

    /// Wakes the first few of every connection's queue, as many as may find room: one after the other, each would be
    /// written on its own.
    pub(super) fn wake_heads(&mut self, room: usize) {
        self.after.wakes.extend(self.queue.take_heads(room));
    }

    /// Wakes every waiting call once the earliest of their deadlines has passed.
    pub(super) fn expire_queue(&mut self, now: Instant) {
        if self.queue_deadline.is_some_and(|deadline| deadline <= now) {
            self.queue_deadline = None;
            self.after.wakes.extend(self.queue.take_all());
            self.expire_channels(now);
        }
    }

    /// Remembers that somebody waits because the outbox is over its mark.
    pub(crate) fn note_full_outbox(&mut self) {
        self.outbox_full |= self.session.outbox_is_laden();
    }
}
