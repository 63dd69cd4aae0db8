//! The server and its builder: listens, accepts links, keeps their sessions.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_core::Stream;
use tokio::runtime::Handle;
use tokio::sync::Mutex as TurnMutex;
use tokio::task::{AbortHandle, JoinHandle};

use super::session_table::{SessionTable, ended};
use crate::catch_panic::catch_panic;
use crate::client::{ConnectError, Target, TargetKind};
use crate::descriptor::ServiceError;
use crate::driver::{
    AcceptWith, AcceptedLink, Acceptor, Authenticate, Dispatcher, Entrance, LINK_PANICKED, Peer, Router, Shared, accept,
};
use crate::error::{EndReason, Refusal};
use crate::escaped::{Escaped, show};
use crate::limits::{LimitError, Limits};
use crate::operation::Principal;
use crate::store::OperationStore;
use crate::transport::{Address, AddressError, Link, Listener, Listening, memory_pair_at};

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
    let server = builder.bind(target).await?;
    let Some(accepting) = &server.accepting else { return Ok(()) };
    match accepting.end.lock().await.as_mut() {
        Some(end) => end.await.map_err(|_| ServeError::Stopped { address: server.address() }),
        None => Ok(()),
    }
}

/// A server that accepts links. Dropping it stops it at once, and its address is free again; [`shutdown`](Self::shutdown) stops
/// it in good order.
pub struct Server {
    /// Where it listens, if it does.
    address: Option<Address>,
    pub(super) session_table: Arc<SessionTable>,
    pub(super) accepting: Option<Arc<Accepting>>,
}

/// The task that accepts links.
pub(super) struct Accepting {
    pub(super) task: AbortHandle,
    listening: Arc<Listening>,
    /// Taken by the first that waits for its end.
    pub(super) end: TurnMutex<Option<JoinHandle<()>>>,
}

/// What a server is made of.
#[derive(Default)]
#[must_use = "a server is made by `bind`"]
pub struct ServerBuilder {
    pub(crate) services: Vec<Arc<dyn Dispatcher>>,
    pub(crate) limits: Limits,
    store: Option<Arc<dyn OperationStore>>,
    authenticate: Option<Authenticate>,
    pub(super) accept_with: Option<AcceptWith>,
    pub(crate) describes: bool,
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
    /// A limit of the server is set to what it cannot be.
    Limit(LimitError),
    /// It was awaited outside of a tokio runtime, and sessions live in one.
    NoRuntime {
        /// Where it was to listen, or where the link leads.
        address: String,
    },
    /// The peer of a link that was served failed the handshake.
    Handshake(ConnectError),
    /// The task that accepts links has ended: it panicked, or its runtime is shutting down.
    Stopped {
        /// Where it listened, as clients write it.
        address: String,
    },
    /// A link that was served panicked when it was read or written.
    LinkPanicked {
        /// The peer's address.
        address: String,
    },
    /// The session of a link that was served ended because vox panicked in it: [`EndReason::InternalFault`].
    Fault {
        /// The peer's address.
        address: String,
    },
}

impl Server {
    /// A server to be configured.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::default()
    }

    /// Where it listens, as clients write it. A port of 0 has become the real one. Empty where it does not listen.
    pub fn address(&self) -> String {
        self.address.as_ref().map(Address::to_string).unwrap_or_default()
    }

    /// How many sessions are open. A session that waits for a new link counts too. One counts from before its peer is
    /// welcomed until it ends, so a client that is connected is counted.
    pub fn sessions(&self) -> usize {
        self.session_table.sessions()
    }

    /// How many sessions wait for a new link.
    pub fn detached_sessions(&self) -> usize {
        self.session_table.lock().detached.len()
    }

    /// Takes in a link that came in by other means: for a new session, or for one of this server's that lost its link.
    ///
    /// Gives back how the handshake went, once it has; the session goes on by itself. While `Limits::max_pending_handshakes`
    /// links have said nothing yet, others wait until one of them makes way. A server that is shutting down refuses the link.
    ///
    /// A peer may take up to `Limits::handshake_timeout`, so give each link a task of its own, or use
    /// [`accept_all`](Self::accept_all).
    pub async fn accept(&self, link: Link) -> Result<(), ConnectError> {
        if Handle::try_current().is_err() {
            return Err(ConnectError::no_runtime(link.address()));
        }
        let admitted = self.session_table.admit().await;
        let Some(accepted) = self.session_table.receive(link, admitted).await? else { return Ok(()) };
        tokio::spawn(accepted);
        Ok(())
    }

    /// Takes in every link of a stream, as [`accept`](Self::accept) does, each in a task of its own. Ends with the stream, or
    /// when the server shuts down. The stream is asked for no link while `Limits::max_pending_handshakes` have said nothing yet.
    pub async fn accept_all(&self, links: impl Stream<Item = Link> + Send) {
        let mut links = pin!(links);
        loop {
            let next = self.session_table.next(poll_fn(|cx| links.as_mut().poll_next(cx)));
            let next = tokio::select! {
                biased;
                () = self.session_table.closing() => None,
                (link, admitted) = next => link.map(|link| (link, admitted)),
            };
            let Some((link, admitted)) = next else { return };
            welcome(&self.session_table, link, admitted);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(accepting) = &self.accepting {
            accepting.task.abort();
            accepting.listening.close();
        }
        self.session_table.close();
        let open = std::mem::take(&mut self.session_table.lock().open);
        for shared in open.into_values() {
            shared.change(|state| state.session.goodbye("the server has stopped"));
        }
    }
}

impl ServerBuilder {
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

    /// Asks, of every peer that connects or resumes a session, who it is. Handlers find the answer in `cx.principal()`, and
    /// operations of one principal are unknown to all others. Without this every peer is anonymous, and all share one name.
    ///
    /// The answer may take nine tenths of `Limits::handshake_timeout`. A peer for which it takes longer, or for which `ask`
    /// panics, is refused as `Busy` and may try again; no other peer is harmed. A [`Principal`] with an empty name is refused: it
    /// is what a missing name becomes by mistake.
    ///
    /// ```
    /// # extern crate vox_runtime as vox;
    /// use vox::{Principal, Refusal, RefusalCode, Server};
    ///
    /// let builder = Server::builder().authenticate(async |peer| match peer.metadata().get("token") {
    ///     Some("secret of acme") => Ok(Principal::new("acme")),
    ///     _ => Err(Refusal::new(RefusalCode::Unauthorized, "the token is unknown")),
    /// });
    /// # drop(builder);
    /// ```
    pub fn authenticate<F, A>(mut self, ask: F) -> Self
    where
        F: Fn(Peer) -> A + Send + Sync + 'static,
        A: Future<Output = Result<Principal, Refusal>> + Send + 'static,
    {
        self.authenticate = Some(Authenticate::new(ask));
        self
    }

    pub(super) fn router(self) -> Router {
        Router::with(self.services, self.store, self.authenticate, self.accept_with)
    }

    fn check(&mut self) -> Result<(), ServeError> {
        self.limits.check().map_err(ServeError::Limit)?;
        for dispatcher in &self.services {
            dispatcher.service().check().map_err(ServeError::Service)?;
        }
        self.add_description();
        match Router::duplicate(&self.services) {
            None => Ok(()),
            Some(name) => Err(ServeError::DuplicateService(name)),
        }
    }

    /// Listens at an address and serves every link that comes in.
    pub async fn bind(mut self, address: impl Into<Target>) -> Result<Server, ServeError> {
        self.check()?;
        let address = address.into().address().map_err(ServeError::Address)?;
        in_a_runtime(|| address.to_string())?;
        let bound = Listener::bind(&address).await;
        let (listener, address) = bound.map_err(|error| ServeError::Listen { address: address.to_string(), error })?;
        let session_table = SessionTable::new(self.limits.clone(), self.router());
        let listening = Arc::new(Listening::new(listener));
        let task = tokio::spawn(listen(Closes(Arc::clone(&listening)), Arc::clone(&session_table)));
        let accepting = Accepting { task: task.abort_handle(), listening, end: TurnMutex::new(Some(task)) };
        Ok(Server { address: Some(address), session_table, accepting: Some(accepting.into()) })
    }

    /// A server that listens nowhere and is given its links, by [`Server::accept`].
    pub fn start(mut self) -> Result<Server, ServeError> {
        self.check()?;
        Ok(Server {
            address: None,
            session_table: SessionTable::new(self.limits.clone(), self.router()),
            accepting: None,
        })
    }

    /// Serves one link until its session ends, which a lost link does. Dropping the future ends it. A session that vox itself has ended by a
    /// panic is [`ServeError::Fault`], and one whose link panicked when it was read or written [`ServeError::LinkPanicked`].
    pub async fn serve_link(mut self, link: Link) -> Result<(), ServeError> {
        self.check()?;
        in_a_runtime(|| link.address().to_owned())?;
        let acceptor = Acceptor::new(self.limits.clone(), self.router(), None);
        let accepted = accept(link, &acceptor, Entrance::open()).await.map_err(ServeError::Handshake)?;
        if let AcceptedLink::New(established, _) = accepted {
            let serving = Serving(established.shared);
            ended(&serving.0).await;
            let address = || serving.0.peer.address().to_owned();
            match serving.0.lock().session.end_reason() {
                Some(EndReason::InternalFault) => return Err(ServeError::Fault { address: address() }),
                Some(EndReason::LinkLost(why)) if &**why == LINK_PANICKED => {
                    return Err(ServeError::LinkPanicked { address: address() });
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl ServerBuilder {
    /// The other end of a link in memory that this server serves, in a task of its own, until its session ends.
    pub(crate) fn over_memory(mut self, address: &str) -> Result<Link, ServeError> {
        self.check()?;
        in_a_runtime(|| address.to_owned())?;
        let (ours, theirs) = memory_pair_at(address);
        tokio::spawn(async move {
            if let Err(error) = self.serve_link(theirs).await {
                catch_panic(|| tracing::debug!(%error, "a server in memory has ended"));
            }
        });
        Ok(ours)
    }
}

fn in_a_runtime(address: impl FnOnce() -> String) -> Result<(), ServeError> {
    Handle::try_current().map(drop).map_err(|_| ServeError::NoRuntime { address: address() })
}

/// Closes a listener when the task that accepts from it is gone: with its runtime, or before it was ever polled.
struct Closes(Arc<Listening>);

impl Drop for Closes {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// The accept loop.
async fn listen(listener: Closes, session_table: Arc<SessionTable>) {
    loop {
        let (accepted, admitted) = session_table.next(listener.0.accept()).await;
        let Some(accepted) = accepted else { return };
        match accepted {
            // One link's fault is not the listener's, and a shortage passes.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => {}
            Err(error) => {
                catch_panic(|| tracing::warn!(%error, "a link could not be accepted"));
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
            Ok(link) => welcome(&session_table, link, admitted),
        }
    }
}

/// Brings up a session in a task of its own, so that a slow peer holds up nobody.
fn welcome(session_table: &Arc<SessionTable>, link: Link, admitted: Entrance) {
    let session_table = Arc::clone(session_table);
    tokio::spawn(async move {
        let address = link.address().to_owned();
        match session_table.receive(link, admitted).await {
            Ok(Some(accepted)) => accepted.await,
            Ok(None) => {}
            Err(error) => catch_panic(|| tracing::debug!(peer = %Escaped::new(&address), %error, "a handshake failed")),
        }
    });
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

impl fmt::Debug for ServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.services.iter().map(|dispatcher| dispatcher.service().name)).finish()
    }
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(error) => error.fmt(f),
            Self::Listen { address, error } => show(f, format_args!("cannot listen on {address}: {error}")),
            Self::Service(error) => error.fmt(f),
            Self::DuplicateService(name) => write!(f, "two services are called `{name}`"),
            Self::Limit(error) => error.fmt(f),
            Self::NoRuntime { address } => {
                show(f, format_args!("cannot serve {address}: there is no tokio runtime here"))
            }
            Self::Handshake(error) => error.fmt(f),
            Self::Stopped { address: at } => show(
                f,
                format_args!("the server at {at} no longer accepts links: its task panicked, or its runtime ends"),
            ),
            Self::LinkPanicked { address } => {
                show(f, format_args!("the session with {address} has ended: {LINK_PANICKED}; the log says where"))
            }
            Self::Fault { address } => {
                show(f, format_args!("the session with {address} has ended: {}", EndReason::InternalFault))
            }
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
            _ => None,
        }
    }
}
