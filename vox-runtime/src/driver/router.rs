//! The services that are served, by name, and the state that all sessions of one client or one server share.

use std::sync::Arc;
use std::time::Duration;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use super::ask_accept_with::{AcceptWith, Found, too_long};
use super::ask_authenticate::Authenticate;
use super::dispatch::Dispatcher;
use super::offer::{Chosen, Offer};
use super::operation_runner::OperationRunner;
use super::peer::Peer;
use super::shared_contracts::HeardContracts;
use crate::catch_panic::catch_panic;
use crate::descriptor::ServiceDescriptor;
use crate::error::{Refusal, RefusalCode};
use crate::escaped::Escaped;
use crate::ids::ServiceIndex;
use crate::limits::Limits;
use crate::operation::Principal;
use crate::proto::Recalled;
use crate::schema::Contract;
use crate::store::{MemoryStore, OperationStore};

/// What one end of a session serves: the services, where the outcomes of their operations are kept, and to whom. Made once for a client or a
/// server; clones are one router.
#[derive(Clone, Default)]
pub(crate) struct Router {
    services: Arc<[Arc<dyn Dispatcher>]>,
    /// What no call asks for.
    rest: Arc<Rest>,
}

#[derive(Default)]
struct Rest {
    /// `None` where no outcome is kept.
    runner: Option<Arc<OperationRunner>>,
    authenticate: Option<Authenticate>,
    /// `None`: what serves a connection is not asked.
    accept_with: Option<AcceptWith>,
    heard: HeardContracts,
}

impl Router {
    pub(crate) fn new(services: Vec<Arc<dyn Dispatcher>>) -> Self {
        Self::with(services, None, None, None)
    }

    /// The router of a server with a store of its own, that asks who its peers are and what serves their connections.
    pub(crate) fn with(
        services: Vec<Arc<dyn Dispatcher>>,
        store: Option<Arc<dyn OperationStore>>,
        authenticate: Option<Authenticate>,
        accept_with: Option<AcceptWith>,
    ) -> Self {
        let methods = services.iter().flat_map(|dispatcher| dispatcher.service().methods);
        // What is chosen for one connection may keep outcomes too.
        let keeps = accept_with.is_some() || methods.filter(|method| method.policy.persist).count() > 0;
        let runner = keeps.then(|| {
            OperationRunner::new(store.unwrap_or_else(|| Arc::new(MemoryStore::new()) as Arc<dyn OperationStore>))
        });
        let rest = Rest { runner, authenticate, accept_with, heard: HeardContracts::default() };
        // A client that serves nothing takes no memory for it.
        let services = if services.is_empty() { Arc::default() } else { services.into() };
        Self { services, rest: rest.into() }
    }

    /// The name that two of these services have, if two do: only the first would ever be called.
    pub(crate) fn duplicate(services: &[Arc<dyn Dispatcher>]) -> Option<&'static str> {
        let names = || services.iter().map(|dispatcher| dispatcher.service().name);
        names()
            .enumerate()
            .find(|(index, name)| names().take(*index).any(|earlier| earlier == *name))
            .map(|(_, name)| name)
    }

    /// The operations whose outcomes are kept.
    pub(crate) fn runner(&self) -> Option<&Arc<OperationRunner>> {
        self.rest.runner.as_ref()
    }

    /// What is asked which dispatcher serves a connection. `None`: nothing is.
    pub(super) fn accept_with(&self) -> Option<&AcceptWith> {
        self.rest.accept_with.as_ref()
    }

    /// What its peers told of the services that they know otherwise.
    pub(super) fn heard(&self) -> &HeardContracts {
        &self.rest.heard
    }

    /// The contract of this service that the next peer has most likely, if it is not this one.
    pub(crate) fn likely(&self, ours: &Contract) -> Option<Recalled> {
        self.rest.heard.likely(ours)
    }

    /// What time it is here, by the clock that the ids of operations are judged by.
    pub(super) fn time(&self) -> SystemTime {
        self.rest.runner.as_ref().map_or_else(SystemTime::now, |runner| runner.time())
    }

    /// As [`time`](Self::time), in milliseconds since 1970.
    pub(super) fn millis(&self) -> u64 {
        let since = self.time().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    /// Who this peer is.
    pub(super) async fn authenticate(&self, peer: &Peer, limits: &Limits) -> Result<Principal, Refusal> {
        match &self.rest.authenticate {
            None => Ok(Principal::anonymous()),
            Some(authenticate) => authenticate.ask(peer.clone(), limits).await,
        }
    }

    /// The service of this name: its index and what is known of it.
    pub(crate) fn find(&self, name: &str) -> Option<(ServiceIndex, &'static ServiceDescriptor)> {
        let index = self.services.iter().position(|dispatcher| dispatcher.service().name == name)?;
        Some((index as ServiceIndex, self.services[index].service()))
    }

    /// How many services there are.
    pub(super) fn len(&self) -> usize {
        self.services.len()
    }

    /// The service of this index. `None`: it is one that was chosen for a connection.
    #[inline]
    pub(super) fn get(&self, index: ServiceIndex) -> Option<&Arc<dyn Dispatcher>> {
        self.services.get(index as usize)
    }

    /// Why a connection to `name` is refused.
    pub(crate) fn refusal(&self, name: &str) -> Refusal {
        let served: Vec<&str> = self.services.iter().map(|dispatcher| dispatcher.service().name).collect();
        let served = match served.is_empty() {
            true => "none".to_owned(),
            false => served.join(", "),
        };
        Refusal::new(
            RefusalCode::UnknownService,
            format!("no service `{}` here; served: {served}", Escaped::name(name)),
        )
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

/// What a dispatcher serves; `Err`: why it cannot serve a connection to this service. The contract is made here, which takes a while.
fn described(service: &str, dispatcher: &dyn Dispatcher) -> Result<&'static ServiceDescriptor, String> {
    let mut described = Err(format!("the server cannot serve `{}`: its dispatcher panicked", Escaped::name(service)));
    catch_panic(|| {
        let found = dispatcher.service();
        described = match found.name == service {
            true => found.check().map(|()| found).map_err(|error| error.to_string()),
            false => Err(format!(
                "the server's `accept_with` chose `{}` for a connection to `{}`",
                Escaped::name(found.name),
                Escaped::name(service)
            )),
        };
    });
    described
}
