//! What a handler may know of its call.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::client::Session;
use crate::descriptor::MethodDescriptor;
use crate::driver::Shared;
use crate::ids::{ConnectionId, RequestId};
use crate::metadata::Metadata;

/// A handler's view of its call: who calls, with what metadata, until when, and the session, to call back.
///
/// A method gets it by naming an argument `cx: &vox::Context`, anywhere; the client does not see that argument.
pub struct Context {
    shared: Arc<Shared>,
    method: &'static MethodDescriptor,
    connection: ConnectionId,
    request: RequestId,
    deadline: Option<Instant>,
    metadata: Metadata,
}

impl Context {
    pub(crate) fn new(
        shared: Arc<Shared>,
        method: &'static MethodDescriptor,
        connection: ConnectionId,
        request: RequestId,
        deadline: Option<Instant>,
        metadata: Metadata,
    ) -> Self {
        Self { shared, method, connection, request, deadline, metadata }
    }

    /// The method that runs.
    pub fn method(&self) -> &'static MethodDescriptor {
        self.method
    }

    /// What the caller sent beside the arguments.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Who calls.
    pub fn peer(&self) -> &Peer {
        &self.shared.peer
    }

    /// How much time is left until the handler is aborted; `None` where the call has no deadline.
    ///
    /// Calls made inside the handler inherit the deadline without being told.
    pub fn time_left(&self) -> Option<Duration> {
        let now = tokio::time::Instant::now().into_std();
        self.deadline.map(|deadline| deadline.saturating_duration_since(now))
    }

    /// The session with the caller, to open connections the other way. Holding it keeps the session open.
    pub fn session(&self) -> Session {
        Session::hold(&self.shared)
    }

    /// The id of the connection that the call came on.
    pub fn connection_id(&self) -> ConnectionId {
        self.connection
    }

    /// The id of this attempt.
    pub fn request_id(&self) -> RequestId {
        self.request
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("method", &self.method.name)
            .field("connection", &self.connection)
            .field("request", &self.request)
            .field("metadata", &self.metadata)
            .finish_non_exhaustive()
    }
}

/// The other end of a session.
#[derive(Debug, Clone)]
pub struct Peer {
    address: String,
    metadata: Metadata,
}

impl Peer {
    pub(crate) fn new(address: String, metadata: Metadata) -> Self {
        Self { address, metadata }
    }

    /// Where the link leads, as this end's own transport says: the peer has no part in it.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What the peer said of itself in the handshake. It may say anything.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}
