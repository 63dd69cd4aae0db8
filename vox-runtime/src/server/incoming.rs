//! A request on its way to its handler.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use super::args::{Args, InvalidArgs};
use crate::descriptor::{MethodDescriptor, ServiceDescriptor};
use crate::driver::{Hosted, Shared, give_buffer};
use crate::ids::{ConnectionId, MethodId, RequestId};
use crate::proto::{HandlerEnd, Request};
use crate::wire::Failure;

/// Serves one service. `#[vox::service]` implements it for the dispatcher that it generates.
pub trait Dispatcher: Send + Sync + 'static {
    /// What is served.
    fn service(&self) -> &'static ServiceDescriptor;

    /// Starts the handler of one request.
    fn dispatch(&self, call: Incoming) -> Hosted;
}

/// A request that has arrived. Ends in exactly one way: hosted by its handler, or refused.
pub struct Incoming {
    shared: Arc<Shared>,
    request: Request,
    /// Memory of a handler of the same method that has ended.
    memory: Option<tokio_util::sync::ReusableBoxFuture<'static, ()>>,
}

impl Incoming {
    pub(crate) fn new(
        shared: Arc<Shared>,
        request: Request,
        memory: Option<tokio_util::sync::ReusableBoxFuture<'static, ()>>,
    ) -> Self {
        Self { shared, request, memory }
    }

    /// Which method is called.
    pub fn method(&self) -> MethodId {
        self.request.method
    }

    /// Takes the request apart: which method is called, where its handler will live, and what it will be given.
    pub fn accept(self) -> (MethodId, Slot, Accepted) {
        let Self { shared, request, memory } = self;
        let slot =
            Slot { shared: Arc::clone(&shared), connection: request.connection, request: request.request, memory };
        (request.method, slot, Accepted { shared, request })
    }
}

/// Where the handler of one request lives. Ends in exactly one way: with a handler in it, or refused.
pub struct Slot {
    shared: Arc<Shared>,
    connection: ConnectionId,
    request: RequestId,
    /// Memory of a handler of the same method that has ended.
    memory: Option<tokio_util::sync::ReusableBoxFuture<'static, ()>>,
}

impl Slot {
    /// Runs `handler`. What it answers is the reply.
    pub fn host<K, Fut>(self, handler: Fut) -> Hosted
    where
        K: Send + 'static,
        Fut: Future<Output = Result<Answer<K>, InvalidArgs>> + Send + 'static,
    {
        let Self { shared, connection, request, memory } = self;
        let future = Handling { shared: Some(shared), connection, request, handler };
        Hosted(Some(match memory {
            Some(mut memory) => {
                memory.set(future);
                memory
            }
            None => tokio_util::sync::ReusableBoxFuture::new(future),
        }))
    }

    /// Answers that the service has no such method.
    pub fn unknown_method(self) -> Hosted {
        let end = HandlerEnd::Failed(Failure::UnknownMethod);
        self.shared.handler_ended(self.connection, self.request, end);
        Hosted(None)
    }
}

/// A request whose handler has been found.
pub struct Accepted {
    shared: Arc<Shared>,
    request: Request,
}

impl Accepted {
    /// What the handler is given.
    pub fn args(self, method: &'static MethodDescriptor) -> Args {
        Args::new(self.shared, method, self.request)
    }
}

/// What a handler answers, encoded.
pub struct Answer<K> {
    pub(super) payload: Result<Vec<u8>, String>,
    /// Dropped when the reply is on its way: nobody waits for it.
    pub(super) kept: K,
}

impl std::fmt::Debug for Incoming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Incoming").field("method", &self.request.method).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slot").field("request", &self.request).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Accepted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Accepted").field("method", &self.request.method).finish_non_exhaustive()
    }
}

impl<K> std::fmt::Debug for Answer<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer").field("bytes", &self.payload.as_ref().map(Vec::len)).finish_non_exhaustive()
    }
}

pin_project! {
    /// A handler and what becomes of its answer. Written out: an `async fn` would keep room for the handler twice.
    struct Handling<F> {
        // `None` once it is answered.
        shared: Option<Arc<Shared>>,
        connection: ConnectionId,
        request: RequestId,
        #[pin]
        handler: F,
    }
}

impl<K, F: Future<Output = Result<Answer<K>, InvalidArgs>>> Future for Handling<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let answer = ready!(this.handler.poll(cx));
        if let Some(shared) = this.shared.take() {
            answered(&shared, *this.connection, *this.request, answer);
        }
        Poll::Ready(())
    }
}

fn answered<K>(shared: &Shared, connection: ConnectionId, request: RequestId, answer: Result<Answer<K>, InvalidArgs>) {
    let (outcome, _kept) = match answer {
        Ok(Answer { payload, kept }) => (payload.map_err(Failure::InvalidResponse), Some(kept)),
        Err(invalid) => (Err(Failure::InvalidPayload(invalid.to_string())), None),
    };
    match outcome {
        Ok(mut payload) => {
            shared.handler_ended(connection, request, HandlerEnd::Returned(&mut payload));
            give_buffer(payload);
        }
        Err(failure) => shared.handler_ended(connection, request, HandlerEnd::Failed(failure)),
    }
}
