//! The queue of calls that wait for their turn, by connection, first come first served.

use std::collections::{BTreeMap, VecDeque};
use std::task::Waker;
use std::time::{Duration, Instant};

use super::patience::Waiting;
use super::shared::State;
use crate::descriptor::MethodDescriptor;
use crate::ids::ConnectionId;
use crate::proto::{Gate, Obstacle};

/// How long a call that was woken for its turn may take to come. A future need not be polled when it is woken: its task may be
/// busy with something that waits behind it in this line. Then others go first.
const ABSENCE: Duration = Duration::from_millis(20);

/// A line for each connection on which calls wait.
#[derive(Default)]
pub(super) struct Queue {
    lines: BTreeMap<ConnectionId, Line>,
    /// When those count as absent who were woken and have not come. `None`: nobody was woken.
    pub(super) roll_call: Option<Instant>,
}

/// Those who wait, by their tickets, which only grow.
type Line = VecDeque<(u64, Wait)>;

/// How somebody in a line waits.
enum Wait {
    Asleep(Waker),
    /// It was woken, and is expected.
    Woken,
    /// It was woken and has not come. The calls behind it may go first.
    Absent,
}

impl Wait {
    /// The waker of one that was not woken yet.
    fn wake(&mut self) -> Option<Waker> {
        match std::mem::replace(self, Self::Woken) {
            Self::Asleep(waker) => Some(waker),
            before => {
                *self = before;
                None
            }
        }
    }
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Whose turn it is; those before it, who are absent, may still come.
    #[inline]
    fn head(&self, connection: ConnectionId) -> Option<u64> {
        if self.lines.is_empty() {
            return None;
        }
        let mut line = self.lines.get(&connection)?.iter();
        line.find(|(_, wait)| !matches!(wait, Wait::Absent)).map(|(ticket, _)| *ticket)
    }

    /// Joins the line, or stays in it. Gives back the waker that this one takes the place of.
    fn join(&mut self, connection: ConnectionId, ticket: u64, waker: Waker) -> Option<Waker> {
        let line = self.lines.entry(connection).or_default();
        match line.binary_search_by_key(&ticket, |(ticket, _)| *ticket) {
            Ok(at) => match std::mem::replace(&mut line[at].1, Wait::Asleep(waker)) {
                Wait::Asleep(before) => Some(before),
                Wait::Woken | Wait::Absent => None,
            },
            Err(at) => {
                line.insert(at, (ticket, Wait::Asleep(waker)));
                None
            }
        }
    }

    /// Leaves the line. Gives back its waker, if it has one.
    fn leave(&mut self, connection: ConnectionId, ticket: u64) -> Option<Waker> {
        let line = self.lines.get_mut(&connection)?;
        let at = line.binary_search_by_key(&ticket, |(ticket, _)| *ticket).ok()?;
        let (_, mut wait) = line.remove(at)?;
        if line.is_empty() {
            self.lines.remove(&connection);
        }
        wait.wake()
    }

    /// The waker of the next, if it was not woken yet.
    fn take_head(&mut self, connection: ConnectionId) -> Option<Waker> {
        let mut line = self.lines.get_mut(&connection)?.iter_mut();
        line.find(|(_, wait)| !matches!(wait, Wait::Absent))?.1.wake()
    }

    /// Those who were woken and have not come count as absent. The wakers of as many who stand behind them, in each line.
    fn call_roll(&mut self) -> impl Iterator<Item = Waker> {
        self.lines.values_mut().flat_map(|line| {
            let mut absent = 0;
            for (_, wait) in line.iter_mut() {
                if let Wait::Woken = wait {
                    *wait = Wait::Absent;
                }
                // Those of earlier calls too, so that a long line is soon gone through.
                absent += usize::from(matches!(wait, Wait::Absent));
            }
            line.iter_mut().filter_map(|(_, wait)| wait.wake()).take(absent)
        })
    }

    /// The wakers of the first few of every line that were not woken yet.
    fn take_heads(&mut self, room: usize) -> impl Iterator<Item = Waker> {
        self.lines.values_mut().flat_map(move |line| line.iter_mut().filter_map(|(_, wait)| wait.wake()).take(room))
    }

    /// The wakers of all in one line.
    pub(super) fn take_line(&mut self, connection: ConnectionId) -> impl Iterator<Item = Waker> {
        self.lines.get_mut(&connection).into_iter().flatten().filter_map(|(_, wait)| wait.wake())
    }

    /// The wakers of all who wait.
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = Waker> {
        self.lines.values_mut().flatten().filter_map(|(_, wait)| wait.wake())
    }
}

impl State {
    /// Whether the call with this ticket, or a new one, may be made now.
    #[inline]
    pub(crate) fn turn(&self, connection: ConnectionId, channels: usize, ticket: Option<u64>) -> Gate {
        match self.session.gate(connection, channels) {
            Gate::Open => match self.queue.head(connection) {
                // Who was absent, and is here, stands before it.
                Some(head) if ticket.is_none_or(|ticket| ticket > head) => Gate::Wait,
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
            let next = self.queue.take_head(connection);
            self.expect(next.is_some());
            self.after.wakes.extend(next);
        }
    }

    /// Somebody was woken for its turn, and is expected to come.
    fn expect(&mut self, was_woken: bool) {
        if was_woken && self.queue.roll_call.is_none() {
            self.queue.roll_call = super::now().checked_add(ABSENCE);
        }
    }

    /// Lets others go first where those whose turn it is have not come.
    fn call_roll(&mut self, now: Instant) {
        if self.queue.roll_call.is_some_and(|due| due <= now) {
            self.queue.roll_call = None;
            let woken = self.after.wakes.len();
            self.after.wakes.extend(self.queue.call_roll());
            self.expect(self.after.wakes.len() > woken);
        }
    }

    /// Wakes the first few of every connection's queue, as many as may find room: one after the other, each would be
    /// written on its own.
    pub(super) fn wake_heads(&mut self, room: usize) {
        let woken = self.after.wakes.len();
        self.after.wakes.extend(self.queue.take_heads(room));
        self.expect(self.after.wakes.len() > woken);
    }

    /// Wakes every waiting call once the earliest of their deadlines has passed.
    pub(super) fn expire_queue(&mut self, now: Instant) {
        self.call_roll(now);
        if self.queue_deadline.is_some_and(|deadline| deadline <= now) {
            self.queue_deadline = None;
            let woken = self.after.wakes.len();
            self.after.wakes.extend(self.queue.take_all());
            self.expect(self.after.wakes.len() > woken);
            self.expire_sends(now);
        }
    }

    /// Remembers that somebody waits because the outbox is over one of its marks.
    pub(crate) fn note_full_outbox(&mut self) {
        let is_full = self.session.outbox_is_full();
        self.outbox_full |= is_full;
        self.outbox_laden |= !is_full && self.session.outbox_is_laden();
    }
}
