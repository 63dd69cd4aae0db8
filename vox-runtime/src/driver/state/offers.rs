//! Connections that the peer asks for, and what was chosen to serve them.

use super::super::ask_accept_with::{Found, WAITING, Waiting, shutting_down, too_long};
use super::super::deferred::LogEvent;
use super::super::router::Router;
use super::super::state::State;
use crate::descriptor::ServiceDescriptor;
use crate::error::{Refusal, RefusalCode};
use crate::ids::{ConnectionId, ServiceIndex};
use crate::metadata::Metadata;
use crate::wire::Named;

impl State {
    /// The peer asks for a connection.
    pub(in crate::driver) fn on_offered(
        &mut self,
        connection: ConnectionId,
        service: String,
        metadata: Metadata,
        contract: Option<Named>,
        router: &Router,
    ) {
        let refusal = too_long(&service).or_else(|| self.draining.then(shutting_down));
        if let Some(refusal) = refusal {
            self.session.refuse(connection, refusal);
        } else if router.accept_with().is_some() {
            self.deferred.notes.push(LogEvent::Offered(connection, service.clone(), metadata.clone()));
            return self.on_offer_to_choose(connection, service, contract, metadata);
        } else {
            match router.find(&service) {
                Some(found) => self.accept(connection, found, contract, router),
                None => self.session.refuse(connection, router.refusal(&service)),
            }
        }
        self.deferred.notes.push(LogEvent::Offered(connection, service, metadata));
    }

    fn accept(
        &mut self,
        connection: ConnectionId,
        (index, descriptor): (ServiceIndex, &'static ServiceDescriptor),
        contract: Option<Named>,
        router: &Router,
    ) {
        let heard = router.heard().recall(descriptor, contract);
        self.session.accept(connection, index, descriptor, contract, heard);
    }

    /// The peer asks for a connection, and the application is to be asked: once the lock is free.
    fn on_offer_to_choose(
        &mut self,
        connection: ConnectionId,
        service: String,
        contract: Option<Named>,
        metadata: Metadata,
    ) {
        let bytes = WAITING + service.len() + metadata.memory();
        match self.session.hold_offer(connection, bytes) {
            Ok(()) => self.deferred.notes.push(LogEvent::Choose(Waiting { connection, service, contract, metadata })),
            Err(why) => self.session.refuse(connection, Refusal::new(RefusalCode::Busy, why)),
        }
    }

    /// A connection that was asked for has its answer.
    pub(in crate::driver) fn on_chosen(
        &mut self,
        connection: ConnectionId,
        contract: Option<Named>,
        found: Result<Found, Refusal>,
        router: &Router,
    ) {
        match found {
            Err(refusal) => self.session.refuse(connection, refusal),
            Ok(found) if self.draining => {
                if let Found::Chosen(dispatcher, _) = found {
                    self.deferred.notes.push(LogEvent::LetGo(dispatcher));
                }
                self.session.refuse(connection, shutting_down());
            }
            Ok(Found::Own(index, descriptor)) => self.accept(connection, (index, descriptor), contract, router),
            Ok(Found::Chosen(dispatcher, descriptor)) => {
                let index = self.chosen.get_or_insert_default().put(router.len(), connection, dispatcher);
                self.accept(connection, (index, descriptor), contract, router);
                // It may have been refused all the same.
                self.let_go_of_chosen();
            }
        }
    }
}
