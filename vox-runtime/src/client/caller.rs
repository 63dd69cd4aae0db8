//! What generated clients hold: a connection to call on.

use std::fmt;
use std::sync::Arc;

use super::call::CallWriter;
use super::session::Session;
use crate::descriptor::{MethodDescriptor, ServiceDescriptor};
use crate::driver::{Shared, observe};
use crate::error::EndReason;
use crate::ids::ConnectionId;
use crate::operation::OperationId;
use crate::server::Peer;

/// A typed client. `#[vox::service]` generates one per service.
pub trait Client: Clone + Send + Sync + 'static {
    /// The service it calls; `None` for [`NoopClient`].
    const SERVICE: Option<&'static ServiceDescriptor>;

    /// Wraps a connection to that service.
    fn from_caller(caller: Caller) -> Self;

    /// The connection.
    fn caller(&self) -> &Caller;
}

/// A connection of a session, to make calls on. Clones share it; it closes when the last of them, of its calls and
/// of their channels is dropped.
#[derive(Clone)]
pub struct Caller {
    handle: Arc<CallerHandle>,
}

/// Keeps a connection open, or, where there is none, the session.
pub(crate) struct CallerHandle {
    shared: Arc<Shared>,
    connection: Option<ConnectionId>,
}

impl CallerHandle {
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The connection; that of a client without a service is no peer's.
    pub(crate) fn connection(&self) -> ConnectionId {
        self.connection.unwrap_or(ConnectionId(0))
    }
}

impl Drop for CallerHandle {
    fn drop(&mut self) {
        self.shared.change(|state| {
            match self.connection {
                Some(connection) => state.session.shut(connection),
                None => state.holders -= 1,
            }
            state.end_if_unused();
        });
    }
}

impl Caller {
    /// A connection that is open.
    pub(crate) fn on(shared: Arc<Shared>, connection: ConnectionId) -> Self {
        Self { handle: Arc::new(CallerHandle { shared, connection: Some(connection) }) }
    }

    /// No connection, only the session.
    pub(crate) fn holding(shared: Arc<Shared>) -> Self {
        shared.change(|state| state.holders += 1);
        Self { handle: Arc::new(CallerHandle { shared, connection: None }) }
    }

    /// Starts writing a call. For generated code.
    pub fn call(&self, method: &'static MethodDescriptor) -> CallWriter<'_> {
        CallWriter::new(self, method)
    }

    /// The session that the connection belongs to. Holding it keeps the session open.
    pub fn session(&self) -> Session {
        Session::hold(&self.handle.shared)
    }

    /// The other end.
    pub fn peer(&self) -> &Peer {
        &self.handle.shared.peer
    }

    /// Tells the server that the outcome of this operation is known here and will not be asked for again, so that it need not
    /// be kept. For ids that the application gave itself; those that the runtime made are acknowledged by it. A later
    /// attempt under the same id ends with `OperationExpired`.
    pub fn acknowledge(&self, operation: OperationId) {
        self.handle.shared.change(|state| state.session.acknowledge_operation(self.handle.connection(), operation));
    }

    /// Waits until the session has ended, and says how.
    pub async fn closed(&self) -> EndReason {
        closed(&self.handle.shared).await
    }

    pub(crate) fn handle(&self) -> &Arc<CallerHandle> {
        &self.handle
    }
}

pub(super) async fn closed(shared: &Shared) -> EndReason {
    observe(shared, |state| state.session.end_reason().cloned()).await
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Caller({}, {})", self.handle.connection(), self.handle.shared.peer.address())
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
