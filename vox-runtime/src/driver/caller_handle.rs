//! A handle that keeps a connection open.

use std::sync::Arc;

use super::shared::Shared;
use super::state::State;
use crate::error::EndReason;
use crate::ids::ConnectionId;

/// Keeps a connection open, or, where there is none, the session.
pub(crate) struct CallerHandle {
    shared: Arc<Shared>,
    connection: Option<ConnectionId>,
}

impl CallerHandle {
    /// A connection that is open.
    pub(crate) fn on(shared: Arc<Shared>, connection: ConnectionId) -> Self {
        Self { shared, connection: Some(connection) }
    }

    /// No connection, only the session.
    pub(crate) fn holding(shared: Arc<Shared>) -> Self {
        shared.change(|state| state.holders += 1);
        Self { shared, connection: None }
    }

    #[inline]
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The connection; that of a client without a service is no peer's.
    #[inline]
    pub(crate) fn connection(&self) -> ConnectionId {
        self.connection.unwrap_or(ConnectionId(0))
    }

    /// How the connection, or the session, has ended.
    pub(crate) fn end_in(&self, state: &State) -> Option<EndReason> {
        match self.connection {
            Some(connection) => state.session.connection_end(connection),
            None => state.session.end_reason().cloned(),
        }
    }
}

impl Drop for CallerHandle {
    fn drop(&mut self) {
        self.shared.let_go(|state| {
            match self.connection {
                Some(connection) => state.session.shut(connection),
                None => state.holders -= 1,
            }
            state.end_if_unused();
        });
    }
}
