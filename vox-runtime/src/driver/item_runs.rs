//! Runs: items that senders gather without the session's lock.
//!
//! The second item that a channel's sender puts into the outbox before that is taken for writing opens its run: what it sends then is put there,
//! under a lock of the run's own, until the outbox is taken. A task that takes the session's lock puts what was gathered into the outbox first ([`Shared::lock`]), where
//! it would be if every item had been put there when it was sent. So nothing overtakes it, and nothing else knows of runs. No other lock is taken
//! under that of a run.
//!
//! [`Shared::lock`]: super::shared::Shared::lock

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::buffers::give_buffer;
use super::endpoint::Endpoint;
use super::slab::Slab;
use crate::ids::{ChannelId, ConnectionId};
use crate::proto::{Run, Session, Token};
use crate::wire::put_varint;

/// The longest length before an item that fits a run.
const HEAD: usize = 3;

/// What one sender gathers.
#[derive(Debug, Default)]
pub(crate) struct SendRun(Mutex<Gathered>);

#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// Items, each with its length before it.
    pub(super) items: Vec<u8>,
    pub(super) count: u32,
    /// Their bytes without the lengths.
    pub(super) bytes: usize,
    /// What may be added, in items and bytes, and how long all may be; nothing while the run is closed.
    pub(super) credit: (i64, i64),
    pub(super) most: usize,
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
    pub(super) fn lock(&self) -> MutexGuard<'_, Gathered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The open runs of a session.
#[derive(Debug, Default)]
pub(super) struct Runs {
    pub(super) open: Vec<Open>,
    /// How often the outbox was taken.
    pub(super) taken: u64,
}

#[derive(Debug)]
pub(super) struct Open {
    pub(super) connection: ConnectionId,
    pub(super) channel: ChannelId,
    pub(super) token: Token,
    pub(super) run: Arc<SendRun>,
}

impl Open {
    /// Puts what was gathered into the outbox. `false`: the channel has ended.
    pub(super) fn gather_up(
        &self,
        gathered: &mut Gathered,
        session: &mut Session,
        endpoints: &mut Slab<Endpoint>,
    ) -> bool {
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
    pub(super) fn close(&self, session: &mut Session, endpoints: &mut Slab<Endpoint>) {
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
