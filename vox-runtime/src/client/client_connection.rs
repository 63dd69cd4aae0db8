//! The connection of a client. When its session is lost, calls go to the same service on the next session.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use tokio::sync::Mutex as TurnMutex;

use super::opening::open_connection;
use super::remote::Remote;
use crate::descriptor::ServiceDescriptor;
use crate::driver::{CallerHandle, now};
use crate::metadata::Metadata;

/// What the clones of one client share.
pub(crate) struct ClientConnection {
    first: Arc<CallerHandle>,
    /// Where it has moved to, once it has. So a client whose session was never lost takes no lock to find its connection.
    moved: OnceLock<Mutex<Arc<CallerHandle>>>,
    /// Held by the task that moves it.
    reconnecting: TurnMutex<()>,
    remote: Option<Arc<Remote>>,
    /// What is opened; `None`: nothing, and only the session is held.
    service: Option<(&'static ServiceDescriptor, Metadata)>,
}

impl ClientConnection {
    pub(super) fn new(
        first: CallerHandle,
        remote: Option<Arc<Remote>>,
        service: Option<(&'static ServiceDescriptor, Metadata)>,
    ) -> Arc<Self> {
        Arc::new(Self {
            first: Arc::new(first),
            moved: OnceLock::new(),
            reconnecting: TurnMutex::default(),
            remote,
            service,
        })
    }

    #[inline]
    pub(super) fn first(&self) -> &Arc<CallerHandle> {
        &self.first
    }

    #[inline]
    pub(super) fn remote(&self) -> Option<&Arc<Remote>> {
        self.remote.as_ref()
    }

    /// Where it has moved to; `None`: it is where it was first.
    #[inline]
    pub(super) fn moved(&self) -> Option<Arc<CallerHandle>> {
        let moved = self.moved.get()?;
        Some(Arc::clone(&moved.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Where it is.
    pub(super) fn handle(&self) -> Arc<CallerHandle> {
        self.moved().unwrap_or_else(|| Arc::clone(&self.first))
    }

    /// Leaves a place whose connection or session is over: for the next session, if there is to be one. Waits for it, to the
    /// deadline, or, where there is none, for [`Limits::link_wait`](crate::Limits::link_wait). `Err` says why there is none.
    pub(super) async fn reconnect(
        self: Arc<Self>,
        dead: Arc<CallerHandle>,
        deadline: Option<Instant>,
    ) -> Result<Arc<CallerHandle>, ReconnectError> {
        let Some(remote) = &self.remote else { return Err(ReconnectError::Closed("its session has ended".to_owned())) };
        let until = deadline.or_else(|| now().checked_add(remote.reconnector().config().limits.link_wait));
        let moved = match until {
            None => Some(self.open_on_next_session(remote, &dead).await),
            Some(until) => remote.reconnector().in_time(until, self.open_on_next_session(remote, &dead)).await,
        };
        match moved {
            Some(moved) => moved.map_err(ReconnectError::Closed),
            None => Err(ReconnectError::TooLate(remote.reconnector().words())),
        }
    }

    async fn open_on_next_session(
        &self,
        remote: &Remote,
        dead: &Arc<CallerHandle>,
    ) -> Result<Arc<CallerHandle>, String> {
        // Before it is told that somebody waits, so that the handshake has it.
        let turn = self.reconnecting.try_lock().ok();
        let is_gone = turn.is_some() && Arc::ptr_eq(&self.handle(), dead);
        let wish = self
            .service
            .as_ref()
            .filter(|_| is_gone)
            .and_then(|service| remote.reconnector().wishes.wish(service.clone()));
        let waiting = remote.reconnector().begin_to_wait();
        let _turn = match turn {
            Some(turn) => turn,
            None => self.reconnecting.lock().await,
        };
        let handle = self.handle();
        if !Arc::ptr_eq(&handle, dead) {
            return Ok(handle);
        }
        loop {
            let shared = remote.reconnector().session(&waiting).await?;
            if let Some(granted) = wish.as_ref().and_then(|wish| wish.granted(&shared)) {
                return Ok(self.move_to(granted));
            }
            // Until there is a connection, so that the session does not end for lack of one.
            let held = CallerHandle::holding(Arc::clone(&shared));
            let handle = match &self.service {
                None => held,
                Some((service, metadata)) => match open_connection(&shared, service, metadata.clone()).await {
                    Ok(connection) => CallerHandle::on(Arc::clone(&shared), connection),
                    // Lost again, meanwhile.
                    Err(_) if shared.lock().session.end_reason().is_some() => continue,
                    Err(refusal) => return Err(refusal.to_string()),
                },
            };
            return Ok(self.move_to(handle));
        }
    }

    fn move_to(&self, handle: CallerHandle) -> Arc<CallerHandle> {
        let handle = Arc::new(handle);
        let moved = self.moved.get_or_init(|| Mutex::new(Arc::clone(&handle)));
        *moved.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&handle);
        handle
    }
}

/// Why there is nowhere to go.
pub(super) enum ReconnectError {
    Closed(String),
    /// The deadline came first. Says why there was no link by then, if there was none.
    TooLate(Option<String>),
}
