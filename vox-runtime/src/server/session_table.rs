//! The sessions of a server, from their handshake to their end: those with a link, and those that wait for another.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::detached_sessions::Detached;
use crate::client::ConnectError;
use crate::driver::{AcceptedLink, Acceptor, Doorway, Entrance, Registry, Router, Shared, State, accept, observe};
use crate::limits::{Limits, Refusals};
use crate::transport::Link;
use crate::wire::SessionId;

/// Where links come in and sessions live.
pub(super) struct SessionTable {
    acceptor: Acceptor,
    registry: Arc<Registry>,
    doorway: Doorway,
    table: Mutex<Table>,
}

/// The sessions, by a number of the server's own.
#[derive(Default)]
pub(super) struct Table {
    pub(super) open: BTreeMap<u64, Arc<Shared>>,
    /// Those that have ended while handlers of theirs run on.
    pub(super) leaving: BTreeMap<u64, Arc<Shared>>,
    /// Those without a link.
    pub(super) detached: Detached,
    next: u64,
    /// No session is kept any more.
    pub(super) stopped: bool,
}

impl SessionTable {
    pub(super) fn new(limits: Limits, router: Router) -> Arc<Self> {
        let registry = Arc::new(Registry::default());
        let doorway = Doorway::new(limits.max_pending_handshakes);
        let acceptor = Acceptor::new(limits, router, Some(Arc::clone(&registry)));
        Arc::new(Self { acceptor, registry, doorway, table: Mutex::default() })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The right to be in a handshake, once there is room.
    pub(super) async fn admit(&self) -> Entrance {
        self.doorway.enter().await
    }

    /// The next of these links, and the right to be in a handshake. None is asked for while there is no room.
    pub(super) async fn next<L>(&self, link: impl Future<Output = L>) -> (L, Entrance) {
        self.doorway.next(link).await
    }

    /// Takes no new link any more, and refuses those that are in their handshake.
    pub(super) fn close(&self) {
        self.lock().stopped = true;
        self.acceptor.closing.cancel();
    }

    /// Waits until the server takes no new link any more.
    pub(super) async fn closing(&self) {
        self.acceptor.closing.cancelled().await;
    }

    /// Takes in a link that was admitted. Gives back what keeps its session until it ends, where the session is new.
    pub(super) async fn receive(
        self: &Arc<Self>,
        link: Link,
        admitted: Entrance,
    ) -> Result<Option<impl Future<Output = ()> + Send + use<>>, ConnectError> {
        let accepted = accept(link, &self.acceptor, admitted).await?;
        Ok(match accepted {
            AcceptedLink::Resumed => None,
            AcceptedLink::New(established, ticket) => {
                // At once, so that a shutdown finds it.
                let key = self.enter(&established.shared);
                Some(Arc::clone(self).keep(key, established.shared, ticket))
            }
        })
    }

    /// Puts a new session into the table.
    fn enter(&self, shared: &Arc<Shared>) -> u64 {
        let (key, stopped) = {
            let mut table = self.lock();
            table.next += 1;
            let key = table.next;
            table.open.insert(key, Arc::clone(shared));
            (key, table.stopped)
        };
        if stopped {
            shared.change(|state| state.session.goodbye("the server has stopped"));
        }
        key
    }

    /// How many sessions have not ended. The table follows when their tasks are run, but a peer that has been welcomed, or has closed its
    /// session, asks before.
    pub(super) fn sessions(&self) -> usize {
        self.acceptor.seated()
    }

    /// What all sessions have taken of the memory that they have in common.
    pub(super) fn memory_taken(&self) -> usize {
        self.acceptor.memory_taken()
    }

    /// What all sessions turned down.
    pub(super) fn refusals(&self) -> Refusals {
        self.acceptor.refusals()
    }

    /// The bytes that are kept because of peers.
    pub(super) fn memory(&self) -> usize {
        let all: Vec<_> = {
            let table = self.lock();
            table.open.values().chain(table.leaving.values()).cloned().collect()
        };
        all.iter().map(|shared| shared.lock().session.memory()).sum()
    }

    /// Keeps a session in the table while it lasts.
    async fn keep(self: Arc<Self>, key: u64, shared: Arc<Shared>, ticket: Option<SessionId>) {
        match ticket {
            None => ended(&shared).await,
            Some(ticket) => {
                self.keep_resumable(key, &shared).await;
                self.registry.remove(ticket);
            }
        }
        {
            let mut table = self.lock();
            table.open.remove(&key);
            table.leaving.insert(key, Arc::clone(&shared));
        }
        idle(&shared).await;
        self.lock().leaving.remove(&key);
    }

    /// Follows a session as it loses links and gets others.
    async fn keep_resumable(&self, key: u64, shared: &Shared) {
        let detached = |waits: bool| {
            observe(shared, move |state| {
                let over = state.session.end_reason().is_some();
                (over || state.waits_for_link() == waits).then_some(over)
            })
        };
        loop {
            if detached(true).await {
                return;
            }
            let account = shared.peer.account().map_or(0, |account| account.number);
            let is_used = shared.lock().session.received() > 0;
            let (place, gives_up) = {
                let mut table = self.lock();
                let place = table.detached.push(account, is_used, key);
                let over_limit = table.detached.len() > self.acceptor.limits.max_detached_sessions;
                let gives_up = if over_limit { table.detached.pop() } else { None };
                (place, gives_up.and_then(|key| table.open.get(&key).cloned()))
            };
            if let Some(gives_up) = gives_up {
                gives_up.change(|state| {
                    // It may have found one meanwhile.
                    if state.waits_for_link() {
                        state.session.lost(
                            "too many sessions wait for a link (`max_detached_sessions`), and its peer has the most",
                        );
                    }
                });
            }
            let over = detached(false).await;
            self.lock().detached.remove(place);
            if over {
                return;
            }
        }
    }
}

pub(super) async fn ended(shared: &Shared) {
    observe(shared, |state| state.session.end_reason().map(|_| ())).await;
}

/// Waits until no handler runs, in a session that takes no more calls: one that drains, or that has ended.
pub(super) async fn idle(shared: &Shared) {
    // So that it is told of every handler that ends.
    shared.change(State::drain);
    observe(shared, |state| (state.session.handlers_running() == 0).then_some(())).await;
}
