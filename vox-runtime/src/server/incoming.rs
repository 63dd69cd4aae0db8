//! A request on its way to its handler.

use std::future::Future;
use std::sync::Arc;

use super::args::{Args, InvalidArgs};
use crate::descriptor::{MethodDescriptor, ServiceDescriptor};
use crate::driver::{Hosted, Shared, give_buffer, take_buffer};
use crate::ids::MethodId;
use crate::proto::{HandlerEnd, Request};
use crate::reply::Reply;
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

    /// Runs `run` on the arguments. What it returns is the reply.
    pub fn host<T, E, F, Fut>(self, method: &'static MethodDescriptor, reply: &'static Reply<T, E>, run: F) -> Hosted
    where
        T: Send + 'static,
        E: Send + 'static,
        F: FnOnce(Args) -> Fut + Send + 'static,
        Fut: Future<Output = Result<Result<T, E>, InvalidArgs>> + Send + 'static,
    {
        let Self { shared, request, memory } = self;
        let future = handle(shared, method, request, reply, run);
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
        self.shared.handler_ended(self.request.connection, self.request.request, end);
        Hosted(None)
    }
}

impl std::fmt::Debug for Incoming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Incoming").field("method", &self.request.method).finish_non_exhaustive()
    }
}

async fn handle<T, E, F, Fut>(
    shared: Arc<Shared>,
    method: &'static MethodDescriptor,
    request: Request,
    reply: &'static Reply<T, E>,
    run: F,
) where
    F: FnOnce(Args) -> Fut,
    Fut: Future<Output = Result<Result<T, E>, InvalidArgs>>,
{
    let (connection, id) = (request.connection, request.request);
    let result = run(Args::new(Arc::clone(&shared), method, request)).await;
    let mut payload = take_buffer();
    let end = match &result {
        Ok(result) => match reply.encode(result, &mut payload, shared.max_payload) {
            Ok(()) => HandlerEnd::Returned(&mut payload),
            Err(why) => HandlerEnd::Failed(Failure::InvalidResponse(why)),
        },
        Err(invalid) => HandlerEnd::Failed(Failure::InvalidPayload(invalid.to_string())),
    };
    shared.handler_ended(connection, id, end);
    give_buffer(payload);
}
