//! The context of a call, for its handler.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::client::Session;
use crate::descriptor::MethodDescriptor;
use crate::driver::{Granted, Peer, Shared};
use crate::ids::{ConnectionId, RequestId};
use crate::metadata::Metadata;
use crate::operation::{Operation, Principal};
use crate::reply::Room;

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
    granted: Option<Arc<Granted>>,
}

impl Context {
    pub(crate) fn new(
        shared: Arc<Shared>,
        method: &'static MethodDescriptor,
        connection: ConnectionId,
        request: RequestId,
        deadline: Option<Instant>,
        metadata: Metadata,
        granted: Option<Arc<Granted>>,
    ) -> Self {
        Self { shared, method, connection, request, deadline, metadata, granted }
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

    /// Who the caller was authenticated as; anonymous where the server does not ask.
    pub fn principal(&self) -> &Principal {
        self.shared.peer.principal()
    }

    /// The operation that the handler runs for, in a method that is `persist`: to seal its outcome together with its
    /// effect, or to name it to another system.
    pub fn operation(&self) -> Option<&Operation> {
        self.granted.as_deref()?.kept()
    }

    /// How much time is left until the handler is aborted; `None` where the call has no deadline, or the method is
    /// `persist` and its handler runs to its end.
    ///
    /// Calls made inside the handler inherit the deadline without being told.
    pub fn time_left(&self) -> Option<Duration> {
        let now = tokio::time::Instant::now().into_std();
        self.deadline.map(|deadline| deadline.saturating_duration_since(now))
    }

    /// The session with the caller, to open connections the other way. Holding it keeps the session open.
    pub fn session(&self) -> Session {
        Session::hold(&self.shared, None)
    }

    /// The id of the connection that the call came on.
    pub fn connection_id(&self) -> ConnectionId {
        self.connection
    }

    /// The id of this attempt.
    pub fn request_id(&self) -> RequestId {
        self.request
    }

    /// The largest response that there can be: what the caller takes, or, where other callers may get it too, what can be kept.
    pub(super) fn room(&self) -> Room {
        match &self.granted {
            None => Room { bytes: self.shared.max_payload, decoded: self.shared.max_decoded },
            Some(granted) => Room { bytes: granted.max_outcome_bytes(), decoded: usize::MAX },
        }
    }

    /// Whether the response is an outcome that is kept.
    pub(super) fn is_kept(&self) -> bool {
        self.granted.is_some()
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
