//! The caller: the connection that a generated client makes its calls on.

use std::fmt;
use std::sync::Arc;

use super::client_connection::ClientConnection;
use super::remote::Remote;
use super::state::{SessionState, SessionWatch};
use crate::descriptor::ServiceDescriptor;
use crate::driver::{CallerHandle, Peer, Shared, observe};
use crate::error::EndReason;
use crate::escaped::Escaped;
use crate::ids::ConnectionId;
use crate::metadata::Metadata;
use crate::operation::OperationId;

/// A typed client. `#[vox::service]` generates one per service.
pub trait Client: Clone + Send + Sync + 'static {
    /// The service it calls; `None` for [`NoopClient`].
    const SERVICE: Option<&'static ServiceDescriptor>;

    /// Wraps a connection to that service.
    fn from_caller(caller: Caller) -> Self;

    /// The connection.
    fn caller(&self) -> &Caller;

    /// Whether there is a link, so that a call made now is sent now.
    fn is_connected(&self) -> bool {
        self.caller().is_connected()
    }

    /// How its session stands, or the one that follows.
    fn state(&self) -> SessionState {
        self.caller().state()
    }

    /// Waits until the connection has ended, with its session or by the peer alone, and says how. Where the peer can be
    /// reached again, the next call opens another.
    fn closed(&self) -> impl Future<Output = EndReason> + Send {
        self.caller().closed()
    }
}

/// A connection of a session, to make calls on. Clones share it; it closes when the last of them, of its calls and
/// of their channels is dropped.
///
/// Where the peer can be reached again, a connection whose session was lost is opened anew on the next session by the first call
/// that needs it.
#[derive(Clone)]
pub struct Caller {
    client_connection: Arc<ClientConnection>,
}

impl Caller {
    /// A connection that is open to this service.
    pub(crate) fn on(
        shared: Arc<Shared>,
        connection: ConnectionId,
        remote: Option<Arc<Remote>>,
        service: (&'static ServiceDescriptor, Metadata),
    ) -> Self {
        Self { client_connection: ClientConnection::new(CallerHandle::on(shared, connection), remote, Some(service)) }
    }

    /// No connection, only the session.
    pub(super) fn holding(shared: Arc<Shared>, remote: Option<Arc<Remote>>) -> Self {
        Self { client_connection: ClientConnection::new(CallerHandle::holding(shared), remote, None) }
    }

    /// Nothing yet: what is needed is made when it is.
    pub(super) fn unconnected(
        none: Arc<Shared>,
        remote: Arc<Remote>,
        service: Option<(&'static ServiceDescriptor, Metadata)>,
    ) -> Self {
        Self { client_connection: ClientConnection::new(CallerHandle::holding(none), Some(remote), service) }
    }

    /// The other end.
    pub fn peer(&self) -> &Peer {
        &self.client_connection.first().shared().peer
    }

    /// A new operation's id, by the server's clock: it is good there even if the clock of this end is hours off. Without a link it
    /// goes by what the server said last, and before the first by the clock of this end.
    pub fn new_operation(&self) -> OperationId {
        self.client_connection.handle().shared().new_operation()
    }

    /// Tells the server that the outcome of this operation is known here and will not be asked for again, so that it need not
    /// be kept. For ids that the application gave itself; those that the runtime made are acknowledged by it. A later
    /// attempt under the same id ends with `OperationExpired`.
    pub fn acknowledge(&self, operation: OperationId) {
        let handle = self.client_connection.handle();
        handle.shared().change(|state| state.session.acknowledge_operation(handle.connection(), operation));
    }

    /// Waits until the connection has ended, with its session or by the peer alone, and says how. Where the peer can be
    /// reached again, the next call opens another.
    pub async fn closed(&self) -> EndReason {
        let handle = self.client_connection.handle();
        observe(handle.shared(), |state| handle.end_in(state)).await
    }

    /// Whether there is a link, so that a call made now is sent now.
    pub fn is_connected(&self) -> bool {
        self.state() == SessionState::Connected
    }

    /// How its session stands, or the one that follows.
    pub fn state(&self) -> SessionState {
        match self.client_connection.remote() {
            Some(remote) => remote.reconnector().state(),
            None => SessionState::alone(&self.client_connection.handle().shared().lock()),
        }
    }

    /// Follows how its session stands.
    pub fn watch(&self) -> SessionWatch {
        match self.client_connection.remote() {
            Some(remote) => SessionWatch::of_peer(remote.reconnector().phases()),
            None => SessionWatch::of_session(Arc::clone(self.client_connection.handle().shared())),
        }
    }

    /// The session that it calls on now.
    #[cfg(test)]
    pub(crate) fn shared(&self) -> Arc<Shared> {
        Arc::clone(self.client_connection.handle().shared())
    }

    pub(super) fn client_connection(&self) -> &Arc<ClientConnection> {
        &self.client_connection
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let handle = self.client_connection.handle();
        write!(f, "Caller({}, {})", handle.connection(), Escaped::new(handle.shared().peer.address()))
    }
}

/// A client that calls nothing: keeps a session open in which this end only serves.
#[derive(Debug, Clone)]
#[must_use = "dropping it closes the session"]
pub struct NoopClient {
    caller: Caller,
}

impl Client for NoopClient {
    const SERVICE: Option<&'static ServiceDescriptor> = None;

    fn from_caller(caller: Caller) -> Self {
        Self { caller }
    }

    fn caller(&self) -> &Caller {
        &self.caller
    }
}
