//! Which services are served, by name.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::accepting::AcceptWith;
use super::authenticating::Authenticate;
use super::operation_runner::OperationRunner;
use crate::descriptor::ServiceDescriptor;
use crate::error::{Refusal, RefusalCode};
use crate::ids::ServiceIndex;
use crate::limits::Limits;
use crate::operation::Principal;
use crate::server::{Dispatcher, Peer};
use crate::shown::Shown;
use crate::store::{MemoryStore, OperationStore};

/// What one end of a session serves: the services, where the outcomes of their operations are kept, and to whom.
#[derive(Clone, Default)]
pub(crate) struct Router {
    services: Arc<[Arc<dyn Dispatcher>]>,
    /// `None` where no outcome is kept.
    runner: Option<Arc<OperationRunner>>,
    authenticate: Option<Authenticate>,
    /// `None`: what serves a connection is not asked.
    pub(super) accept_with: Option<AcceptWith>,
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
        Self { services: services.into(), runner, authenticate, accept_with }
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
        self.runner.as_ref()
    }

    /// What time it is here, by the clock that the ids of operations are judged by.
    pub(super) fn time(&self) -> SystemTime {
        self.runner.as_ref().map_or_else(SystemTime::now, |runner| runner.time())
    }

    /// As [`time`](Self::time), in milliseconds since 1970.
    pub(super) fn millis(&self) -> u64 {
        let since = self.time().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    /// Who this peer is.
    pub(super) async fn authenticate(&self, peer: &Peer, limits: &Limits) -> Result<Principal, Refusal> {
        match &self.authenticate {
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
        Refusal::new(RefusalCode::UnknownService, format!("no service `{}` here; served: {served}", Shown::name(name)))
    }
}
