//! Opening a connection on a session: asking the peer, and waiting for its answer.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use crate::descriptor::ServiceDescriptor;
use crate::driver::{OpenWaiter, Shared};
use crate::error::Refusal;
use crate::ids::ConnectionId;
use crate::metadata::Metadata;
use crate::proto::Token;

/// Opens a connection on this session.
pub(super) async fn open_connection(
    shared: &Arc<Shared>,
    service: &'static ServiceDescriptor,
    metadata: Metadata,
) -> Result<ConnectionId, Refusal> {
    // Made before the lock is taken: the first time takes a while.
    let contract = service.contract();
    let recalled = shared.router.likely(&contract);
    let token = shared.change(|state| {
        let token = state.opens.get_or_insert_default().insert(OpenWaiter::Waiting(None));
        state.session.open(service.name, metadata, Some(contract), recalled, token).map(|()| token).inspect_err(|_| {
            state.take_open(token);
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
            shared.change(|state| match state.opens.as_mut().and_then(|opens| opens.get_mut(key)) {
                Some(OpenWaiter::Done(_)) => match state.take_open(key) {
                    Some(OpenWaiter::Done(result)) => {
                        *token = None;
                        Poll::Ready(result)
                    }
                    Some(_) | None => Poll::Pending,
                },
                Some(OpenWaiter::Waiting(place)) => {
                    state.deferred.keep(place, cx.waker());
                    Poll::Pending
                }
                Some(OpenWaiter::Abandoned) | None => Poll::Pending,
            })
        })
        .await
    }
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        let Some(token) = self.token else { return };
        self.shared.change(|state| match state.opens.as_mut().and_then(|opens| opens.get_mut(token)) {
            Some(OpenWaiter::Done(_)) => {
                if let Some(OpenWaiter::Done(Ok(connection))) = state.take_open(token) {
                    state.session.shut(connection);
                }
            }
            Some(waiter) => *waiter = OpenWaiter::Abandoned,
            None => {}
        });
    }
}
