//! The server: accepts links, keeps their sessions, shuts down in good order.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

use super::context::Peer;
use super::incoming::Dispatcher;
use crate::client::{ConnectError, Target, TargetKind};
use crate::descriptor::ServiceError;
use crate::driver::{Authenticate, Established, Router, Shared, State, accept, observe};
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
        Some(accepting) => accepting.await.unwrap_or(Ok(())).map_err(ServeError::Io),
        None => Ok(()),
    }
}

/// A server that accepts links. Dropping it stops it at once; [`shutdown`](Self::shutdown) stops it in good order.
pub struct Server {
    address: Address,
    accepting: Option<JoinHandle<io::Result<()>>>,
    sessions: Arc<Sessions>,
}

/// What a server is made of.
#[derive(Default)]
#[must_use = "a server is made by `bind`"]
pub struct Builder {
    services: Vec<Arc<dyn Dispatcher>>,
    limits: Limits,
    store: Option<Arc<dyn OperationStore>>,
    authenticate: Option<Authenticate>,
}

/// What a shutdown came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// The sessions that were open.
    pub sessions: usize,
    /// The handlers that had not ended when time was up, and were aborted.
    pub cut_calls: usize,
}

/// Why a server could not be made, or ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServeError {
    /// The address cannot be read.
    Address(AddressError),
    /// The address cannot be listened at, or the listener broke.
    Io(io::Error),
    /// A service cannot be served: one of its types cannot cross the wire.
    Service(ServiceError),
    /// Two services have the same name.
    DuplicateService(&'static str),
    /// The peer of a link that was served failed the handshake.
    Handshake(ConnectError),
}

impl Server {
    /// A server to be configured.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Where it listens, as clients write it. A port of 0 has become the real one.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// How many sessions are open.
    pub fn sessions(&self) -> usize {
        self.sessions.lock().open.len()
    }

    /// Stops taking links and calls, gives running handlers `grace` to end, then ends every session.
    pub async fn shutdown(mut self, grace: Duration) -> ShutdownReport {
        self.stop_accepting().await;
        self.sessions.lock().stopped = true;
        let open: Vec<Arc<Shared>> = self.sessions.lock().open.values().cloned().collect();
        for shared in &open {
            shared.change(|state| state.drain());
        }
        let _ = tokio::time::timeout(grace, async {
            for shared in &open {
                idle(shared).await;
            }
        })
        .await;
        let mut report = ShutdownReport { sessions: open.len(), cut_calls: 0 };
        for shared in &open {
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
            let mut table = self.sessions.lock();
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

    fn router(self) -> Router {
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
        let (listener, address) = Listener::bind(&address).await.map_err(ServeError::Io)?;
        let sessions = Arc::new(Sessions::default());
        let accepting = Accepting {
            listener,
            pending: Arc::new(Semaphore::new(self.limits.max_pending_handshakes)),
            limits: self.limits.clone(),
            router: self.router(),
            sessions: Arc::clone(&sessions),
        };
        Ok(Server { address, accepting: Some(tokio::spawn(accepting.run())), sessions })
    }

    /// Serves one link until its session ends. Dropping the future ends it.
    pub async fn serve_link(self, link: Link) -> Result<(), ServeError> {
        self.check()?;
        let limits = self.limits.clone();
        let established = accept(link, limits, self.router()).await.map_err(ServeError::Handshake)?;
        let serving = Serving(established.shared);
        ended(&serving.0).await;
        Ok(())
    }
}

/// The sessions of a server.
#[derive(Default)]
struct Sessions {
    table: Mutex<SessionTable>,
}

#[derive(Default)]
struct SessionTable {
    open: BTreeMap<u64, Arc<Shared>>,
    next: u64,
    /// No session is kept any more.
    stopped: bool,
}

impl Sessions {
    fn lock(&self) -> MutexGuard<'_, SessionTable> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The accept loop.
struct Accepting {
    listener: Listener,
    router: Router,
    limits: Limits,
    pending: Arc<Semaphore>,
    sessions: Arc<Sessions>,
}

impl Accepting {
    async fn run(mut self) -> io::Result<()> {
        loop {
            let Ok(permit) = Arc::clone(&self.pending).acquire_owned().await else { return Ok(()) };
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
        if self.sessions.lock().open.len() >= self.limits.max_sessions {
            tracing::warn!(peer = link.address(), "refused: too many sessions");
            return;
        }
        let (limits, router, sessions) = (self.limits.clone(), self.router.clone(), Arc::clone(&self.sessions));
        tokio::spawn(async move {
            let address = link.address().to_owned();
            let accepted = accept(link, limits, router).await;
            drop(permit);
            match accepted {
                Ok(Established { shared, .. }) => keep(&sessions, shared).await,
                Err(error) => tracing::debug!(peer = address, %error, "a handshake failed"),
            }
        });
    }
}

/// Keeps a session in the table while it lasts.
async fn keep(sessions: &Sessions, shared: Arc<Shared>) {
    let key = {
        let mut table = sessions.lock();
        table.next += 1;
        let key = table.next;
        table.open.insert(key, Arc::clone(&shared));
        if table.stopped {
            shared.change(|state| state.session.goodbye("the server has stopped"));
        }
        key
    };
    ended(&shared).await;
    sessions.lock().open.remove(&key);
}

async fn ended(shared: &Shared) {
    observe(shared, |state| state.session.end_reason().map(|_| ())).await;
}

/// Waits until no handler runs.
async fn idle(shared: &Shared) {
    let idle = |state: &State| state.session.end_reason().is_some() || state.session.handlers_running() == 0;
    observe(shared, |state| idle(state).then_some(())).await;
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
            Self::Io(error) => write!(f, "cannot listen: {error}"),
            Self::Service(error) => error.fmt(f),
            Self::DuplicateService(name) => write!(f, "two services are called `{name}`"),
            Self::Handshake(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ServeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Address(error) => Some(error),
            Self::Service(error) => Some(error),
            Self::Handshake(error) => Some(error),
            Self::DuplicateService(_) => None,
        }
    }
}
