//! A request on its way from a session to its dispatcher.

use std::fmt;
use std::sync::Arc;

use super::method_pace::ReusableFuture;
use super::operation_runner::Granted;
use super::shared::Shared;
use crate::descriptor::ServiceDescriptor;
use crate::ids::MethodId;
use crate::proto::Request;

/// A request that is being handled. What a dispatcher gives back for every request.
#[must_use]
pub struct HandlerFuture(pub(crate) Option<ReusableFuture>);

impl fmt::Debug for HandlerFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HandlerFuture")
    }
}

/// Serves one service. `#[vox::service]` implements it for the dispatcher that it generates.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no dispatcher",
    label = "a handler is served by the dispatcher of its service",
    note = "for a service `Bank`, write `BankDispatcher::new(handler)`"
)]
pub trait Dispatcher: Send + Sync + 'static {
    /// What is served.
    fn service(&self) -> &'static ServiceDescriptor;

    /// Starts the handler of one request.
    fn dispatch(&self, call: Incoming<'_>) -> HandlerFuture;
}

/// A request that has arrived. Ends in exactly one way: hosted by its handler, or refused.
pub struct Incoming<'a> {
    pub(crate) shared: &'a Arc<Shared>,
    pub(crate) request: &'a mut Request,
    pub(crate) granted: Option<&'a Arc<Granted>>,
    /// Memory of a handler of the same method that has ended.
    pub(crate) memory: Option<ReusableFuture>,
}

impl<'a> Incoming<'a> {
    pub(super) fn new(
        shared: &'a Arc<Shared>,
        request: &'a mut Request,
        granted: Option<&'a Arc<Granted>>,
        memory: Option<ReusableFuture>,
    ) -> Self {
        Self { shared, request, granted, memory }
    }

    /// Which method is called.
    pub fn method(&self) -> MethodId {
        self.request.method
    }
}

impl fmt::Debug for Incoming<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming").field("method", &self.request.method).finish_non_exhaustive()
    }
}
