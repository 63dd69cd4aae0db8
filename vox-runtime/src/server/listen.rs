//! The server: accepts links, keeps their sessions, shuts down in good order.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

use super::context::Peer;
use super::hall::Hall;
use super::incoming::Dispatcher;
use crate::client::{ConnectError, Target, TargetKind};
use crate::descriptor::ServiceError;
use crate::driver::{Authenticate, Door, Router, Shared, State, Visitor, accept, observe};
use crate::error::Refusal;
use crate::limits::Limits;
use crate::operation::Principal;
use crate::store::OperationStore;
use crate::transport::{Address, AddressError, Link, Listener};

/// How long the accept loop waits after the system refused it a link (out of file descriptors, say).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves one service until the process ends; on a [`Link`], until its session does.
///
/// For several services, limits, or an orderly end, see [`Server::builder`].
pub async fn serve(target: impl Into<Target>, dispatcher: impl Dispatcher) -> Result<(), ServeError> {
    let builder = Server::builder().service(dispatcher);
    let target = match target.into() {
        Target(TargetKind::Link(link)) => return builder.serve_link(link).await,
        target => target,
    };
    let mut server = builder.bind(target).await?;
    match &mut server.accepting {
        Some(accepting) => accepting.await.map_err(|_| ServeError::Stopped),
        None => Ok(()),
    }
}

/// A server that accepts links. Dropping it stops it at once; [`shutdown`](Self::shutdown) stops it in good order.
pub struct Server {
    /// Where it listens, if it does.
    address: Option<Address>,
    hall: Arc<Hall>,
    accepting: Option<JoinHandle<()>>,
}

/// What a server is made of.
#[derive(Default)]
#[must_use = "a server is made by `bind`"]
pub struct Builder {
    services: Vec<Arc<dyn Dispatcher>>,
    pub(super) limits: Limits,
    store: Option<Arc<dyn OperationStore>>,
    authenticate: Option<Authenticate>,
}

/// What a shutdown came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// The sessions that were open.
    pub sessions: usize,
    /// The handlers that had not ended when time was up, those included whose sessions had ended before. They were aborted, except
    /// those of `persist` methods, which run on while the process does.
    pub cut_calls: usize,
}

/// Why a server could not be made, or ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServeError {
    /// The address cannot be read.
    Address(AddressError),
    /// The address cannot be listened at.
    Listen {
        /// Where, as clients write it.
        address: String,
        /// What the system says.
        error: io::Error,
    },
    /// A service cannot be served: one of its types cannot cross the wire.
    Service(ServiceError),
    /// Two services have the same name.
    DuplicateService(&'static str),
    /// The peer of a link that was served failed the handshake.
    Handshake(ConnectError),
    /// The task that accepts links has ended: it panicked, or its runtime is shutting down.
    Stopped,
}

impl Server {
    /// A server to be configured.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Where it listens, as clients write it. A port of 0 has become the real one. Empty where it does not listen.
    pub fn address(&self) -> String {
        self.address.as_ref().map(Address::to_string).unwrap_or_default()
    }

    /// How many sessions are open, those included that wait for a new link.
    pub fn sessions(&self) -> usize {
        self.hall.lock().open.len()
    }

    /// How many sessions wait for a new link.
    pub fn detached_sessions(&self) -> usize {
        self.hall.lock().detached.len()
    }

    /// Takes in a link that came in by other means: for a new session, or for one of this server's that lost its link.
    ///
    /// Gives back how the handshake went, once it has; the session goes on by itself.
    pub async fn accept(&self, link: Link) -> Result<(), ConnectError> {
        let Some(visitor) = self.hall.receive(link).await? else { return Ok(()) };
        tokio::spawn(visitor);
        Ok(())
    }

    /// Stops taking links and calls, gives running handlers `grace` to end, then ends every session.
    pub async fn shutdown(mut self, grace: Duration) -> ShutdownReport {
        self.stop_accepting().await;
        self.hall.lock().stopped = true;
        let (open, leaving) = {
            let table = self.hall.lock();
            let all = |sessions: &BTreeMap<u64, Arc<Shared>>| sessions.values().cloned().collect::<Vec<_>>();
            (all(&table.open), all(&table.leaving))
        };
        for shared in &open {
            shared.change(|state| state.drain());
        }
        let _ = tokio::time::timeout(grace, async {
            for shared in open.iter().chain(&leaving) {
                idle(shared).await;
            }
        })
        .await;
        let mut report = ShutdownReport { sessions: open.len(), cut_calls: 0 };
        for shared in open.iter().chain(&leaving) {
            report.cut_calls += shared.change(|state| {
                let running = state.session.handlers_running();
                state.session.goodbye("the server is shutting down");
                running
            });
        }
        // Whoever stops a server often ends the process next, and the peers are to hear of it before. Each session's
        // task waits for its peer for a second at most.
        for shared in &open {
            observe(shared, |state| state.over.then_some(())).await;
        }
        report
    }

    async fn stop_accepting(&mut self) {
        if let Some(accepting) = self.accepting.take() {
            accepting.abort();
            // Until it is gone the address is taken.
            let _ = accepting.await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(accepting) = &self.accepting {
            accepting.abort();
        }
        let open = {
            let mut table = self.hall.lock();
            table.stopped = true;
            std::mem::take(&mut table.open)
        };
        for shared in open.into_values() {
            shared.change(|state| state.session.goodbye("the server has stopped"));
        }
    }
}

impl Builder {
    /// Serves a service, under its descriptor's name.
    pub fn service(mut self, dispatcher: impl Dispatcher) -> Self {
        self.services.push(Arc::new(dispatcher));
        self
    }

    /// The limits of this end.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Where the outcomes of `persist` methods are kept. Servers, also of several processes, may share a store that allows
    /// it. Without this it is a [`MemoryStore`](crate::store::MemoryStore) of the server's own, which its end forgets.
    pub fn store(mut self, store: Arc<dyn OperationStore>) -> Self {
        self.store = Some(store);
        self
    }

    /// Asks, of everybody who connects, who they are. Handlers find the answer in `cx.principal()`, and operations of one
    /// principal are unknown to all others. Without this everybody is anonymous, and all share one name.
    pub fn authenticate(mut self, ask: impl Fn(&Peer) -> Result<Principal, Refusal> + Send + Sync + 'static) -> Self {
        self.authenticate = Some(Arc::new(ask));
        self
    }

    pub(super) fn router(self) -> Router {
        Router::with(self.services, self.store, self.authenticate)
    }

    fn check(&self) -> Result<(), ServeError> {
        for (index, dispatcher) in self.services.iter().enumerate() {
            let service = dispatcher.service();
            service.check().map_err(ServeError::Service)?;
            if self.services[..index].iter().any(|earlier| earlier.service().name == service.name) {
                return Err(ServeError::DuplicateService(service.name));
            }
        }
        Ok(())
    }

    /// Listens at an address and serves every link that comes in.
    pub async fn bind(self, address: impl Into<Target>) -> Result<Server, ServeError> {
        self.check()?;
        let address = address.into().address().map_err(ServeError::Address)?;
        let bound = Listener::bind(&address).await;
        let (listener, address) = bound.map_err(|error| ServeError::Listen { address: address.to_string(), error })?;
        let pending = Arc::new(Semaphore::new(self.limits.max_pending_handshakes));
        let hall = Hall::new(self);
        let accepting = Accepting { listener, pending, hall: Arc::clone(&hall) };
        Ok(Server { address: Some(address), hall, accepting: Some(tokio::spawn(accepting.run())) })
    }

    /// A server that listens nowhere and is given its links, by [`Server::accept`].
    pub fn start(self) -> Result<Server, ServeError> {
        self.check()?;
        Ok(Server { address: None, hall: Hall::new(self), accepting: None })
    }

    /// Serves one link until its session ends, which a lost link does. Dropping the future ends it.
    pub async fn serve_link(self, link: Link) -> Result<(), ServeError> {
        self.check()?;
        let door = Door { limits: self.limits.clone().into(), router: self.router(), registry: None };
        let visitor = accept(link, &door, false).await.map_err(ServeError::Handshake)?;
        if let Visitor::New(established, _) = visitor {
            let serving = Serving(established.shared);
            ended(&serving.0).await;
        }
        Ok(())
    }
}

/// The accept loop.
struct Accepting {
    listener: Listener,
    pending: Arc<Semaphore>,
    hall: Arc<Hall>,
}

impl Accepting {
    async fn run(mut self) {
        loop {
            let Ok(permit) = Arc::clone(&self.pending).acquire_owned().await else { return };
            match self.listener.accept().await {
                // One link's fault is not the listener's, and a shortage passes.
                Err(error) if error.kind() == io::ErrorKind::NotConnected => {}
                Err(error) => {
                    tracing::warn!(%error, "a link could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
                Ok(link) => self.welcome(link, permit),
            }
        }
    }

    /// Brings up a session in a task of its own, so that a slow peer holds up nobody.
    fn welcome(&self, link: Link, permit: OwnedSemaphorePermit) {
        let hall = Arc::clone(&self.hall);
        tokio::spawn(async move {
            let address = link.address().to_owned();
            let received = hall.receive(link).await;
            drop(permit);
            match received {
                Ok(Some(visitor)) => visitor.await,
                Ok(None) => {}
                Err(error) => tracing::debug!(peer = address, %error, "a handshake failed"),
            }
        });
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

/// Ends a session whose server is dropped.
struct Serving(Arc<Shared>);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.change(|state| state.session.goodbye("the server has stopped"));
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.services.iter().map(|dispatcher| dispatcher.service().name)).finish()
    }
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(error) => error.fmt(f),
            Self::Listen { address, error } => write!(f, "cannot listen on {address}: {error}"),
            Self::Service(error) => error.fmt(f),
            Self::DuplicateService(name) => write!(f, "two services are called `{name}`"),
            Self::Handshake(error) => error.fmt(f),
            Self::Stopped => f.write_str("the server no longer accepts links: its task panicked, or its runtime ends"),
        }
    }
}

impl std::error::Error for ServeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            // What they hold is printed with them, so it is not their source as well.
            Self::Listen { error, .. } => error.source(),
            Self::Address(error) => error.source(),
            Self::Service(error) => error.source(),
            Self::Handshake(error) => error.source(),
            Self::DuplicateService(_) | Self::Stopped => None,
        }
    }
}
