//! A session as users hold it: to open further connections, or only to keep it.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use super::caller::{Caller, Client};
use super::connect::{Connect, Connected, Target};
use super::remote::Remote;
use super::state::{SessionState, SessionWatch};
use super::station::Station;
use crate::descriptor::{ServiceDescriptor, ServiceError};
use crate::driver::{OpenWaiter, Shared};
use crate::error::{EndReason, Refusal};
use crate::ids::ConnectionId;
use crate::metadata::Metadata;
use crate::proto::Token;
use crate::server::Peer;

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

    fn station(&self) -> &Arc<Station> {
        self.caller.station()
    }

    /// Where there is a session: this one, or, where it is lost and the peer can be reached again, the next.
    async fn live(&self) -> Arc<Shared> {
        let line = self.station().line();
        let ended = line.shared().lock().session.end_reason().is_some();
        if ended && let Ok(next) = Arc::clone(self.station()).leave(Arc::clone(&line), None).await {
            return Arc::clone(next.shared());
        }
        Arc::clone(line.shared())
    }

    /// Opens a connection to the service of `C`. Refused, with the peer's reason, where the peer does not serve it.
    pub async fn open<C: Client>(&self) -> Result<C, OpenError> {
        self.open_with(Metadata::new()).await
    }

    /// As [`open`](Self::open), with metadata for the peer.
    pub async fn open_with<C: Client>(&self, metadata: Metadata) -> Result<C, OpenError> {
        let Some(service) = C::SERVICE else {
            return Ok(C::from_caller(Caller::holding(self.live().await, self.station().remote().cloned())));
        };
        service.check().map_err(OpenError::Service)?;
        metadata.check().map_err(OpenError::Metadata)?;
        let shared = self.live().await;
        let opened = open_connection(&shared, service, metadata.clone()).await;
        let connection = opened.map_err(OpenError::Refused)?;
        let remote = self.station().remote().cloned();
        Ok(C::from_caller(Caller::on(shared, connection, remote, (service, metadata))))
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

    /// How the session stands, or the one that follows.
    pub fn state(&self) -> SessionState {
        self.caller.state()
    }

    /// Follows how the session stands, and the next.
    pub fn watch(&self) -> SessionWatch {
        self.caller.watch()
    }

    /// Ends the session and everything in it, on both sides. None follows it: where it was lost and another took its place,
    /// that one ends as well, and so does every wait for the next.
    pub fn close(&self, reason: &str) {
        if let Some(remote) = self.station().remote() {
            remote.keeper().close(reason);
        }
        self.station().line().shared().change(|state| state.session.goodbye(reason));
    }
}

/// Opens a connection on this session.
pub(super) async fn open_connection(
    shared: &Arc<Shared>,
    service: &'static ServiceDescriptor,
    metadata: Metadata,
) -> Result<ConnectionId, Refusal> {
    // Made before the lock is taken: the first time takes a while.
    let contract = Some(service.contract());
    let token = shared.change(|state| {
        let token = state.opens.insert(OpenWaiter::Waiting(None));
        state.session.open(service.name, metadata, contract, token).map(|()| token).inspect_err(|_| {
            state.opens.remove(token);
        })
    })?;
    let mut opening = Opening { shared, token: Some(token) };
    opening.wait().await
}

/// Waits for the answer to an `open`. Dropped before, it sees to it that the connection is closed again.
struct Opening<'a> {
    shared: &'a Shared,
    /// `None` once answered.
    token: Option<Token>,
}

impl Opening<'_> {
    async fn wait(&mut self) -> Result<ConnectionId, Refusal> {
        poll_fn(|cx| {
            let Self { shared, token } = self;
            let Some(key) = *token else { return Poll::Pending };
            shared.change(|state| match state.opens.get_mut(key) {
                Some(OpenWaiter::Done(_)) => match state.opens.remove(key) {
                    Some(OpenWaiter::Done(result)) => {
                        *token = None;
                        Poll::Ready(result)
                    }
                    Some(_) | None => Poll::Pending,
                },
                Some(waiter) => {
                    *waiter = OpenWaiter::Waiting(Some(cx.waker().clone()));
                    Poll::Pending
                }
                None => Poll::Pending,
            })
        })
        .await
    }
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        let Some(token) = self.token else { return };
        self.shared.change(|state| match state.opens.get_mut(token) {
            Some(OpenWaiter::Done(_)) => {
                if let Some(OpenWaiter::Done(Ok(connection))) = state.opens.remove(token) {
                    state.session.shut(connection);
                }
            }
            Some(waiter) => *waiter = OpenWaiter::Abandoned,
            None => {}
        });
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
    Refused(Refusal),
    /// The service cannot be called: one of its types cannot cross the wire.
    Service(ServiceError),
    /// The metadata is over a limit; says which.
    Metadata(String),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => write!(f, "refused: {refusal}"),
            Self::Service(error) => error.fmt(f),
            Self::Metadata(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for OpenError {}
