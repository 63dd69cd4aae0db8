//! The queue of calls that wait for their turn, by connection, first come first served.

use std::collections::{BTreeMap, VecDeque};
use std::task::Waker;
use std::time::{Duration, Instant};

use crate::ids::ConnectionId;

/// How long a call that was woken for its turn may take to come. A future need not be polled when it is woken: its task may be
/// busy with something that waits behind it in this line. Then others go first.
pub(super) const ABSENCE: Duration = Duration::from_millis(20);

/// A line for each connection on which calls wait.
#[derive(Default)]
pub(super) struct Queue {
    lines: BTreeMap<ConnectionId, Line>,
    /// When those count as absent who were woken and have not come. `None`: nobody was woken.
    pub(super) roll_call: Option<Instant>,
}

/// The calls that wait on a connection: those that bring no channels, and those that do. While the first of these waits for channels, the
/// others need not.
#[derive(Default)]
struct Line([VecDeque<Place>; 2]);

/// A place in a line. Tickets only grow.
struct Place {
    ticket: u64,
    channels: usize,
    wait: Wait,
}

/// How somebody in a line waits.
pub(super) enum Wait {
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

impl Line {
    fn row(&mut self, channels: usize) -> &mut VecDeque<Place> {
        &mut self.0[usize::from(channels > 0)]
    }

    fn places(&mut self) -> impl Iterator<Item = &mut Place> {
        self.0.iter_mut().flatten()
    }

    /// The wakers of the first few of both rows that were not woken yet.
    fn wake(&mut self, room: usize) -> impl Iterator<Item = Waker> {
        self.0.iter_mut().flat_map(move |row| row.iter_mut().filter_map(|place| place.wait.wake()).take(room))
    }
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The ticket of the next that brings channels or none, and how many it brings; those before it, who are absent, may still come.
    #[inline]
    pub(super) fn head(&self, connection: ConnectionId, with_channels: bool) -> Option<(u64, usize)> {
        if self.lines.is_empty() {
            return None;
        }
        let mut row = self.lines.get(&connection)?.0[usize::from(with_channels)].iter();
        row.find(|place| !matches!(place.wait, Wait::Absent)).map(|place| (place.ticket, place.channels))
    }

    /// Joins the line, or stays in it. Gives back the waker that this one takes the place of.
    pub(super) fn join(
        &mut self,
        connection: ConnectionId,
        ticket: u64,
        channels: usize,
        waker: Waker,
    ) -> Option<Waker> {
        let row = self.lines.entry(connection).or_default().row(channels);
        match row.binary_search_by_key(&ticket, |place| place.ticket) {
            Ok(at) => match std::mem::replace(&mut row[at].wait, Wait::Asleep(waker)) {
                Wait::Asleep(before) => Some(before),
                Wait::Woken | Wait::Absent => None,
            },
            Err(at) => {
                row.insert(at, Place { ticket, channels, wait: Wait::Asleep(waker) });
                None
            }
        }
    }

    /// Leaves the line. Gives back its waker, if it has one.
    pub(super) fn leave(&mut self, connection: ConnectionId, ticket: u64) -> Option<Waker> {
        let line = self.lines.get_mut(&connection)?;
        let mut left = None;
        for row in &mut line.0 {
            if let Ok(at) = row.binary_search_by_key(&ticket, |place| place.ticket) {
                left = row.remove(at);
            }
        }
        if line.places().next().is_none() {
            self.lines.remove(&connection);
        }
        left?.wait.wake()
    }

    /// The wakers of the next ones, if they were not woken yet.
    pub(super) fn take_next(&mut self, connection: ConnectionId) -> impl Iterator<Item = Waker> {
        let line = self.lines.get_mut(&connection);
        let next =
            |row: &mut VecDeque<Place>| row.iter_mut().find(|place| !matches!(place.wait, Wait::Absent))?.wait.wake();
        line.into_iter().flat_map(|line| &mut line.0).filter_map(next)
    }

    /// Those who were woken and have not come count as absent. The wakers of as many who stand behind them, in each line.
    pub(super) fn call_roll(&mut self) -> impl Iterator<Item = Waker> {
        self.lines.values_mut().flat_map(|line| {
            let mut absent = 0;
            for Place { wait, .. } in line.places() {
                if let Wait::Woken = wait {
                    *wait = Wait::Absent;
                }
                // Those of earlier calls too, so that a long line is soon gone through.
                absent += usize::from(matches!(wait, Wait::Absent));
            }
            line.wake(absent)
        })
    }

    /// The wakers of the first few of every line that were not woken yet.
    pub(super) fn take_heads(&mut self, room: usize) -> impl Iterator<Item = Waker> {
        self.lines.values_mut().flat_map(move |line| line.wake(room))
    }

    /// The wakers of all in one line.
    pub(super) fn take_line(&mut self, connection: ConnectionId) -> impl Iterator<Item = Waker> {
        self.lines.get_mut(&connection).into_iter().flat_map(Line::places).filter_map(|place| place.wait.wake())
    }

    /// The wakers of all who wait.
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = Waker> {
        self.lines.values_mut().flat_map(Line::places).filter_map(|place| place.wait.wake())
    }
}
