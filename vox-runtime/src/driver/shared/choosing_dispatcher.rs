//! Asks the application what serves a connection.

use std::future::poll_fn;
use std::sync::Arc;

use tokio::time::Instant;

use super::super::ask_accept_with::Waiting;
use super::super::ask_authenticate::patience;
use super::super::blocking_watchdog::in_user_code;
use super::super::connection_dispatchers::Serves;
use super::super::dispatch::Dispatcher;
use super::super::offer::Offer;
use super::super::shared::Shared;
use super::observing::observe;
use crate::error::{Refusal, RefusalCode};
use crate::ids::{ConnectionId, ServiceIndex};

impl Shared {
    /// Asks the application what serves a connection, in a task of its own.
    pub(in crate::driver) fn ask_what_serves(&self, waiting: Waiting) {
        let Some(shared) = self.this.upgrade() else { return };
        let patience = patience(&self.limits);
        let asking = async move {
            let Waiting { connection, service, contract, metadata } = waiting;
            let until = Instant::now() + patience;
            let named = contract.map(|named| named.hash);
            let offer = || Offer::new(&service, named, metadata, shared.peer.clone(), Some(Arc::clone(&shared)));
            let mut choosing = Box::pin(shared.router.choose(offer, &service, until, patience));
            let choosing = poll_fn(|cx| in_user_code(shared.watched(), || choosing.as_mut().poll(cx)));
            let found = tokio::select! {
                biased;
                () = observe(&shared, |state| state.session.end_reason().map(|_| ())) => {
                    Err(Refusal::new(RefusalCode::Other, "the session has ended"))
                }
                found = choosing => found,
            };
            shared.change(|state| state.on_chosen(connection, contract, found, &shared.router));
        };
        drop(self.runtime.spawn(asking));
    }

    /// What serves the first connection, of a session that has not begun.
    pub(in crate::driver) fn serve_first_by(&self, chosen: Option<Arc<dyn Dispatcher>>) {
        if let Some(dispatcher) = chosen {
            let services = self.router.len();
            self.change(|state| state.chosen.get_or_insert_default().put(services, ConnectionId(1), dispatcher));
        }
    }

    /// What serves the requests of this index; `None`: what did was let go of with its connection.
    #[inline]
    pub(in crate::driver) fn serves(&self, index: ServiceIndex) -> Option<Serves<'_>> {
        match self.router.get(index) {
            Some(own) => Some(Serves::Own(own)),
            None => self.lock().chosen.as_ref()?.get(self.router.len(), index).map(Serves::Chosen),
        }
    }
}
