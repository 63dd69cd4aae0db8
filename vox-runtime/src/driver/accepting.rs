//! Asking the server's own code what serves a connection: with no lock held, within a deadline, and without harm if it panics.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::authenticating::patience;
use super::chosen::Serves;
use super::deferred::LogEvent;
use super::lookout::in_user_code;
use super::observe::observe;
use super::router::Router;
use super::shared::{Shared, State};
use crate::contained::{Contained, catch_panic};
use crate::descriptor::ServiceDescriptor;
use crate::error::{Refusal, RefusalCode};
use crate::ids::{ConnectionId, ServiceIndex};
use crate::metadata::Metadata;
use crate::server::{Choice, Chosen, Dispatcher, Offer};
use crate::shown::Shown;
use crate::wire::Named;

/// The longest name of a service that the application is asked about, in bytes.
const MAX_NAME: usize = 1024;
/// What a connection that waits for its answer is charged beside its name and its metadata: the task.
const WAITING: usize = 1 << 10;

type Answer = Result<Choice, Refusal>;
type Asked = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// The application's answer to what serves a connection.
#[derive(Clone)]
pub(crate) struct AcceptWith(Arc<dyn Fn(Offer) -> Asked + Send + Sync>);

/// What serves a connection: a service of the server's own, or a dispatcher for that connection alone.
pub(super) enum Found {
    Own(ServiceIndex, &'static ServiceDescriptor),
    Chosen(Arc<dyn Dispatcher>, &'static ServiceDescriptor),
}

/// A connection for which the application is to be asked.
pub(super) struct Waiting {
    connection: ConnectionId,
    service: String,
    contract: Option<Named>,
    metadata: Metadata,
}

impl AcceptWith {
    pub(crate) fn new<F, A, C>(choose: F) -> Self
    where
        F: Fn(Offer) -> A + Send + Sync + 'static,
        A: Future<Output = Result<C, Refusal>> + Send + 'static,
        C: Into<Choice>,
    {
        Self(Arc::new(move |offer| {
            let chosen = choose(offer);
            Box::pin(async move { chosen.await.map(Into::into) })
        }))
    }

    /// What the application says, until then. What keeps it from an answer is `Busy`: the peer may ask again.
    async fn ask(&self, offer: Offer, until: Instant, patience: Duration) -> Answer {
        let service = Shown::name(offer.service()).to_string();
        let cannot = |why: String| {
            catch_panic(|| tracing::warn!(why, "a connection could not be accepted"));
            Err(Refusal::new(RefusalCode::Busy, why))
        };
        match tokio::time::timeout_at(until, Contained::new(|| (self.0)(offer))).await {
            Ok(Some(answer)) => answer,
            Ok(None) => cannot(format!("the server cannot say what serves `{service}`: its `accept_with` panicked")),
            Err(_) => cannot(format!(
                "the server did not say within {patience:?} what serves `{service}` (nine tenths of `Limits::handshake_timeout`)"
            )),
        }
    }
}

impl Router {
    /// What serves the connection that is asked for. The application is asked, if it wants to be.
    pub(super) async fn choose(
        &self,
        offer: impl FnOnce() -> Offer,
        service: &str,
        until: Instant,
        patience: Duration,
    ) -> Result<Found, Refusal> {
        let own = || self.find(service).ok_or_else(|| self.refusal(service));
        let own = || own().map(|(index, descriptor)| Found::Own(index, descriptor));
        let Some(accept_with) = self.accept_with() else { return own() };
        too_long(service).map_or(Ok(()), Err)?;
        match accept_with.ask(offer(), until, patience).await?.0 {
            Chosen::Own => own(),
            Chosen::Other(dispatcher) => match described(service, &*dispatcher) {
                Ok(descriptor) => Ok(Found::Chosen(dispatcher, descriptor)),
                Err(why) => {
                    catch_panic(|| tracing::warn!(why, "a connection could not be accepted"));
                    catch_panic(move || drop(dispatcher));
                    Err(Refusal::new(RefusalCode::Other, why))
                }
            },
        }
    }
}

pub(super) fn shutting_down() -> Refusal {
    Refusal::new(RefusalCode::ShuttingDown, "the server is shutting down")
}

fn too_long(service: &str) -> Option<Refusal> {
    let len = service.len();
    (len > MAX_NAME).then(|| {
        let why = format!("the name of the service has {len} bytes, over {MAX_NAME}");
        Refusal::new(RefusalCode::UnknownService, why)
    })
}

/// What a dispatcher serves; `Err`: why it cannot serve a connection to this service. The contract is made here, which takes a while.
fn described(service: &str, dispatcher: &dyn Dispatcher) -> Result<&'static ServiceDescriptor, String> {
    let mut described = Err(format!("the server cannot serve `{}`: its dispatcher panicked", Shown::name(service)));
    catch_panic(|| {
        let found = dispatcher.service();
        described = match found.name == service {
            true => found.check().map(|()| found).map_err(|error| error.to_string()),
            false => Err(format!(
                "the server's `accept_with` chose `{}` for a connection to `{}`",
                Shown::name(found.name),
                Shown::name(service)
            )),
        };
    });
    described
}

impl State {
    /// The peer asks for a connection.
    pub(super) fn on_offered(
        &mut self,
        connection: ConnectionId,
        (service, metadata): (String, Metadata),
        contract: Option<Named>,
        router: &Router,
    ) {
        if self.draining {
            return self.session.refuse(connection, shutting_down());
        }
        if router.accept_with().is_some() {
            return self.on_offer_to_choose(connection, service, contract, metadata);
        }
        match router.find(&service) {
            Some(found) => self.accept(connection, found, contract, router),
            None => self.session.refuse(connection, router.refusal(&service)),
        }
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
        if let Some(refusal) = too_long(&service) {
            return self.session.refuse(connection, refusal);
        }
        let bytes = WAITING + service.len() + metadata.memory();
        match self.session.hold_offer(connection, bytes) {
            Ok(()) => self.deferred.notes.push(LogEvent::Choose(Waiting { connection, service, contract, metadata })),
            Err(why) => self.session.refuse(connection, Refusal::new(RefusalCode::Busy, why)),
        }
    }

    /// A connection that was asked for has its answer.
    fn on_chosen(
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

impl Shared {
    /// Asks the application what serves a connection, in a task of its own.
    pub(super) fn ask_what_serves(&self, waiting: Waiting) {
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
    pub(super) fn serve_first_by(&self, chosen: Option<Arc<dyn Dispatcher>>) {
        if let Some(dispatcher) = chosen {
            let services = self.router.len();
            self.change(|state| state.chosen.get_or_insert_default().put(services, ConnectionId(1), dispatcher));
        }
    }

    /// What serves the requests of this index; `None`: what did was let go of with its connection.
    #[inline]
    pub(super) fn serves(&self, index: ServiceIndex) -> Option<Serves<'_>> {
        match self.router.get(index) {
            Some(own) => Some(Serves::Own(own)),
            None => self.lock().chosen.as_ref()?.get(self.router.len(), index).map(Serves::Chosen),
        }
    }
}
