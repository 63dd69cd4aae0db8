//! A request on its way to its handler.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use super::answer::Answer;
use super::args::{Args, InvalidArgs};
use crate::descriptor::MethodDescriptor;
use crate::driver::{Granted, HandlerFuture, Incoming, ReusableFuture, Shared, give_buffer};
use crate::evidence::SendOutcome;
use crate::ids::{ConnectionId, MethodId, RequestId};
use crate::proto::{HandlerEnd, Request};
use crate::wire::Failure;

impl<'a> Incoming<'a> {
    /// Takes the request apart: which method is called, where its handler will live, and what it will be given.
    pub fn accept(self) -> (MethodId, Slot, Accepted<'a>) {
        let Self { shared, request, granted, memory } = self;
        let (connection, id) = (request.connection, request.request);
        let slot = Slot { shared: Arc::clone(shared), connection, request: id, granted: granted.cloned(), memory };
        (request.method, slot, Accepted { shared, request, granted })
    }
}

/// Where the handler of one request lives. Ends in exactly one way: with a handler in it, or refused.
pub struct Slot {
    shared: Arc<Shared>,
    connection: ConnectionId,
    request: RequestId,
    granted: Option<Arc<Granted>>,
    /// Memory of a handler of the same method that has ended.
    memory: Option<ReusableFuture>,
}

impl Slot {
    /// Runs `handler`. What it answers is the reply.
    pub fn host<K, Fut>(self, handler: Fut) -> HandlerFuture
    where
        K: SendOutcome + 'static,
        Fut: Future<Output = Result<Answer<K>, InvalidArgs>> + Send + 'static,
    {
        let Self { shared, connection, request, granted, memory } = self;
        let future = Handling { shared: Some(shared), connection, request, granted, handler };
        HandlerFuture(Some(match memory {
            Some(mut memory) => {
                memory.set(future);
                memory
            }
            None => ReusableFuture::new(future),
        }))
    }

    /// Answers that the service has no such method.
    pub fn unknown_method(self) -> HandlerFuture {
        let end = HandlerEnd::Failed(Failure::UnknownMethod);
        ended(&self.shared, self.connection, self.request, self.granted.as_deref(), end);
        HandlerFuture(None)
    }
}

/// A request whose handler has been found.
pub struct Accepted<'a> {
    shared: &'a Arc<Shared>,
    request: &'a mut Request,
    granted: Option<&'a Arc<Granted>>,
}

impl Accepted<'_> {
    /// What the handler is given.
    pub fn args(self, method: &'static MethodDescriptor) -> Args {
        Args::new(Arc::clone(self.shared), method, self.request, self.granted.cloned())
    }
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slot").field("request", &self.request).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Accepted<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Accepted").field("method", &self.request.method).finish_non_exhaustive()
    }
}

pin_project! {
    /// A handler and what becomes of its answer. Written out: an `async fn` would keep room for the handler twice.
    struct Handling<F> {
        // `None` once it is answered.
        shared: Option<Arc<Shared>>,
        connection: ConnectionId,
        request: RequestId,
        granted: Option<Arc<Granted>>,
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
            let granted = this.granted.take();
            answered(answer, |end| ended(&shared, *this.connection, *this.request, granted.as_deref(), end));
        }
        Poll::Ready(())
    }
}

/// A handler has ended: its operation hears of it, or, where there is none, its session.
fn ended(
    shared: &Shared,
    connection: ConnectionId,
    request: RequestId,
    granted: Option<&Granted>,
    end: HandlerEnd<'_>,
) {
    match granted {
        None => shared.handler_ended(connection, request, end),
        Some(granted) => granted.handler_ended(end),
    }
}

fn answered<K>(answer: Result<Answer<K>, InvalidArgs>, ended: impl FnOnce(HandlerEnd<'_>)) {
    let (outcome, _kept) = match answer {
        Ok(Answer { payload, kept }) => (payload, Some(kept)),
        Err(invalid) => (Err(invalid.into_failure()), None),
    };
    match outcome {
        Ok(mut payload) => {
            ended(HandlerEnd::Returned(&mut payload));
            give_buffer(payload.encoded);
        }
        Err(failure) => ended(HandlerEnd::Failed(failure)),
    }
}
