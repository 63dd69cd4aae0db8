//! Items that are gathered without the session's lock.
//!
//! The second item that a channel's sender puts into the outbox before that is taken for writing opens its run: what it sends then is put there,
//! under a lock of the run's own, until the outbox is taken. A task that takes the session's lock puts what was gathered into the outbox first ([`Shared::lock`]), where
//! it would be if every item had been put there when it was sent. So nothing overtakes it, and nothing else knows of runs. No other lock is taken
//! under that of a run.
//!
//! [`Shared::lock`]: super::shared::Shared::lock

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::buffers::{give_buffer, take_buffer};
use super::endpoint::Endpoint;
use super::shared::State;
use super::slab::Slab;
use crate::channel::Bound;
use crate::ids::{ChannelId, ConnectionId};
use crate::proto::{Run, RunRoom, Session, Token};
use crate::wire::put_varint;

/// The longest length before an item that fits a run.
const HEAD: usize = 3;

/// What one sender gathers.
#[derive(Debug, Default)]
pub(crate) struct SendRun(Mutex<Gathered>);

#[derive(Debug, Default)]
struct Gathered {
    /// Items, each with its length before it.
    items: Vec<u8>,
    count: u32,
    /// Their bytes without the lengths.
    bytes: usize,
    /// What may be added, in items and bytes, and how long all may be; nothing while the run is closed.
    credit: (i64, i64),
    most: usize,
}

impl SendRun {
    /// Adds an item. `false`: the run is closed or full, and the item goes by the session.
    #[inline]
    pub(crate) fn push(&self, item: &[u8]) -> bool {
        let mut gathered = self.lock();
        let (items, bytes) = gathered.credit;
        if items <= 0 || bytes <= 0 || gathered.items.len() + item.len() + HEAD > gathered.most {
            return false;
        }
        gathered.credit = (items - 1, bytes - item.len() as i64);
        gathered.count += 1;
        gathered.bytes += item.len();
        put_varint(&mut gathered.items, item.len() as u64);
        gathered.items.extend_from_slice(item);
        true
    }

    #[inline]
    fn lock(&self) -> MutexGuard<'_, Gathered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The open runs of a session.
#[derive(Debug, Default)]
pub(super) struct Runs {
    open: Vec<Open>,
    /// How often the outbox was taken.
    taken: u64,
}

#[derive(Debug)]
struct Open {
    connection: ConnectionId,
    channel: ChannelId,
    token: Token,
    run: Arc<SendRun>,
}

impl Open {
    /// Puts what was gathered into the outbox. `false`: the channel has ended.
    fn gather_up(&self, gathered: &mut Gathered, session: &mut Session, endpoints: &mut Slab<Endpoint>) -> bool {
        if gathered.count == 0 {
            return true;
        }
        if let Some(endpoint) = endpoints.get_mut(self.token) {
            endpoint.touch();
        }
        let run = Run { items: &gathered.items, count: gathered.count, bytes: gathered.bytes };
        let is_there = session.send_run(self.connection, self.channel, &run);
        gathered.items.clear();
        (gathered.count, gathered.bytes) = (0, 0);
        is_there
    }

    /// The same, and closes the run.
    fn close(&self, session: &mut Session, endpoints: &mut Slab<Endpoint>) {
        let mut gathered = self.run.lock();
        self.gather_up(&mut gathered, session, endpoints);
        (gathered.credit, gathered.most) = ((0, 0), 0);
        give_buffer(std::mem::take(&mut gathered.items));
    }
}

impl Runs {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }
}

impl State {
    /// An item was put into the outbox by itself: where that is the second, what follows is gathered.
    pub(crate) fn open_run(&mut self, bound: &Bound) {
        let Bound { connection, channel, token, .. } = *bound;
        let Self { runs, session, endpoints, .. } = self;
        let sender = endpoints.get_mut(token).and_then(Endpoint::as_sender);
        // One that is alone leaves alone.
        if !sender.is_some_and(|sender| sender.follows(runs.taken)) {
            return;
        }
        let Some(RunRoom { credit, len }) = session.room_for_run(connection, channel, runs.open.len()) else {
            return;
        };
        let run = Arc::clone(bound.run.get_or_init(Arc::default));
        let mut gathered = run.lock();
        (gathered.credit, gathered.most) = (credit, len);
        gathered.items = take_buffer();
        drop(gathered);
        runs.open.push(Open { connection, channel, token, run });
    }

    /// Puts what was gathered into the outbox. Once that is full nothing more is gathered.
    #[cold]
    pub(super) fn gather_up(&mut self) {
        let Self { runs, session, endpoints, .. } = self;
        runs.open.retain(|open| {
            let is_there = open.gather_up(&mut open.run.lock(), session, endpoints);
            if !is_there {
                open.close(session, endpoints);
            }
            is_there
        });
        if session.outbox_is_full() {
            self.close_all();
        }
    }

    /// The outbox is taken: who sends next says that there is more to write.
    #[inline]
    pub(super) fn close_runs(&mut self) {
        self.runs.taken += 1;
        if !self.runs.is_empty() {
            self.close_all();
        }
    }

    #[cold]
    fn close_all(&mut self) {
        let Self { runs, session, endpoints, .. } = self;
        for open in runs.open.drain(..) {
            open.close(session, endpoints);
        }
    }

    /// Nothing more is gathered of this half, if anything was.
    #[inline]
    pub(crate) fn close_run(&mut self, token: Token) {
        if !self.runs.is_empty() {
            self.close_one(token);
        }
    }

    #[cold]
    fn close_one(&mut self, token: Token) {
        if let Some(at) = self.runs.open.iter().position(|open| open.token == token) {
            let open = self.runs.open.swap_remove(at);
            open.close(&mut self.session, &mut self.endpoints);
        }
    }
}
