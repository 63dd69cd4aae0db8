//! A session as users hold it: to open further connections, or only to keep it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::caller::{Caller, Client};
use super::client_connection::ClientConnection;
use super::connect::{Connect, Connected, Target};
use super::opening::open_connection;
use super::remote::Remote;
use super::state::{SessionState, SessionWatch};
use super::wait_closed::Closing;
use crate::descriptor::{ServiceDescriptor, ServiceError};
use crate::driver::{LAST_WORDS, Peer, Shared};
use crate::error::{EndReason, Refusal};
use crate::escaped::Escaped;
use crate::limits::Refusals;
use crate::metadata::Metadata;

/// Two peers and all that is open between them. Holding it keeps the session open; clones share it.
#[derive(Clone)]
pub struct Session {
    caller: Caller,
}

impl Session {
    /// Connects without opening any service yet.
    pub fn connect(target: impl Into<Target>) -> Connect<Self> {
        Connect::new(target.into())
    }

    pub(crate) fn hold(shared: &Arc<Shared>, remote: Option<Arc<Remote>>) -> Self {
        Self { caller: Caller::holding(Arc::clone(shared), remote) }
    }

    fn client_connection(&self) -> &Arc<ClientConnection> {
        self.caller.client_connection()
    }

    /// Where there is a session: this one, or, where it is lost and the peer can be reached again, the next.
    async fn live(&self) -> Arc<Shared> {
        let handle = self.client_connection().handle();
        let ended = handle.shared().lock().session.end_reason().is_some();
        if ended && let Ok(next) = Arc::clone(self.client_connection()).reconnect(Arc::clone(&handle), None).await {
            return Arc::clone(next.shared());
        }
        Arc::clone(handle.shared())
    }

    /// Opens a connection to the service of `C`. Refused, with the peer's reason, where the peer does not serve it.
    pub async fn open<C: Client>(&self) -> Result<C, OpenError> {
        self.open_with(Metadata::new()).await
    }

    /// As [`open`](Self::open), with metadata for the peer.
    pub async fn open_with<C: Client>(&self, metadata: Metadata) -> Result<C, OpenError> {
        let Some(service) = C::SERVICE else {
            return Ok(C::from_caller(Caller::holding(self.live().await, self.client_connection().remote().cloned())));
        };
        Ok(C::from_caller(self.open_caller(service, metadata).await?))
    }

    /// Opens a connection to this service.
    pub(crate) async fn open_caller(
        &self,
        service: &'static ServiceDescriptor,
        metadata: Metadata,
    ) -> Result<Caller, OpenError> {
        service.check().map_err(OpenError::Service)?;
        metadata.check().map_err(|why| OpenError::Metadata { address: self.peer().address().to_owned(), why })?;
        let shared = self.live().await;
        let opened = open_connection(&shared, service, metadata.clone()).await;
        let refused = |refusal| OpenError::Refused { address: shared.peer.address().to_owned(), refusal };
        let connection = opened.map_err(refused)?;
        let remote = self.client_connection().remote().cloned();
        Ok(Caller::on(shared, connection, remote, (service, metadata)))
    }

    /// The other end.
    pub fn peer(&self) -> &Peer {
        self.caller.peer()
    }

    /// Waits until the session has ended, and says how. Where the peer can be reached again, another may follow.
    pub async fn closed(&self) -> EndReason {
        self.caller.closed().await
    }

    /// Whether there is a link, so that a call made now is sent now.
    pub fn is_connected(&self) -> bool {
        self.caller.is_connected()
    }

    /// The bytes that this end keeps because of the peer: its messages that are not whole, its requests until their handlers have ended, its
    /// items until they are received, its replies of over 1 KiB until their calls are polled, and what was sent to it that it has not read or not acknowledged. Above
    /// [`Limits::session_memory`](crate::Limits::session_memory) its calls are refused.
    pub fn memory(&self) -> usize {
        self.client_connection().handle().shared().lock().session.memory()
    }

    /// How often this end turned down or held up what the peer asked for: in the session that there is, not in one that was before it.
    pub fn refusals(&self) -> Refusals {
        self.client_connection().handle().shared().refusals()
    }

    /// How the session stands, or the one that follows.
    pub fn state(&self) -> SessionState {
        self.caller.state()
    }

    /// Follows how the session stands, and the next.
    pub fn watch(&self) -> SessionWatch {
        self.caller.watch()
    }

    /// How long [`close`](Self::close) may wait at most.
    pub const CLOSE_TIMEOUT: Duration = LAST_WORDS;

    /// Ends the session and everything in it, on both sides: its calls, its handlers, its channels. None follows it: where it was lost
    /// and another took its place, that one ends as well, and so does every wait for the next.
    ///
    /// What was accepted before leaves first: requests, items that `send` took, ends of channels. Then a goodbye with this reason, and the
    /// link is closed. So the peer keeps nothing of the session, as it would of one whose link is lost.
    ///
    /// A call without an answer ends as [`VoxError::Indeterminate`](crate::VoxError), and its handler is stopped where it is, perhaps before it
    /// has read the last items. So await a call before you close where its handler is to read everything: its answer says that it has.
    /// A half that a handler has given to a task of its own still gives all items that arrived, and then the end of its channel.
    ///
    /// The end begins here and now, also if what this returns is dropped. Await it before the program ends: it waits until the
    /// link has taken everything and the peer has hung up. It gives up when the link takes nothing for a second, when the peer has not hung up
    /// a second after the last byte, or after [`CLOSE_TIMEOUT`](Self::CLOSE_TIMEOUT). Without a link nothing can be said.
    ///
    /// Dropping the last handle of a session (clients, sessions, halves of channels) ends it in the same config, with nobody to wait for it.
    ///
    /// ```
    /// # extern crate vox_runtime as vox;
    /// # async fn example(session: vox::Session) {
    /// session.close("done").await;
    /// # }
    /// ```
    pub fn close(&self, reason: &str) -> Closing {
        let own = Arc::clone(self.client_connection().handle().shared());
        let mut sessions: Vec<_> =
            self.client_connection().remote().map(|remote| remote.reconnector().close(reason)).into_iter().collect();
        own.let_go(|state| state.session.goodbye(reason));
        sessions.push(own);
        Closing::of(sessions)
    }
}

impl Caller {
    /// The session that the connection belongs to. Holding it keeps the session open.
    pub fn session(&self) -> Session {
        Session::hold(self.client_connection().handle().shared(), self.client_connection().remote().cloned())
    }
}

impl Connected for Session {
    const SERVICE: Option<&'static ServiceDescriptor> = None;

    fn connected(caller: Caller) -> Self {
        Self { caller }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({:?})", self.caller)
    }
}

/// Why a connection was not opened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenError {
    /// The peer, or a limit, refused it; or the session has ended.
    Refused {
        /// The peer's address.
        address: String,
        /// What is said of it.
        refusal: Refusal,
    },
    /// The service cannot be called: one of its types cannot cross the wire.
    Service(ServiceError),
    /// The metadata is over a limit.
    Metadata {
        /// The peer's address.
        address: String,
        /// Which limit, and by how much.
        why: String,
    },
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { address, refusal } => write!(f, "{} refused: {refusal}", Escaped::new(address)),
            Self::Service(error) => error.fmt(f),
            Self::Metadata { address, why } => {
                write!(f, "no connection to {}: {}", Escaped::new(address), Escaped::new(why))
            }
        }
    }
}

impl std::error::Error for OpenError {}
