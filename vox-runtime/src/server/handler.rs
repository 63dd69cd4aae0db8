//! A dispatcher is made of a handler, or of one in an `Arc`. Boxed dispatchers.

use std::sync::Arc;

use crate::descriptor::ServiceDescriptor;
use crate::driver::{Dispatcher, HandlerFuture, Incoming};

/// Says that `H` implements the trait of the service that this client calls. Generated code implements it.
pub trait Serves<H> {}

/// A handler of the service that the client `C` calls, or such a handler in an `Arc`. `How` tells the two apart.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no handler of the service that `{C}` calls",
    label = "this type does not implement the service's trait",
    note = "write `impl` of the trait for this type; a handler that others hold too is given as an `Arc`"
)]
pub trait IntoHandler<C, How> {
    /// The handler.
    type Handler;

    /// The handler, in the `Arc` that the dispatcher keeps.
    fn into_handler(self) -> Arc<Self::Handler>;
}

/// A handler is given by value.
#[derive(Debug)]
pub struct Owned;

/// A handler is given in an `Arc`.
#[derive(Debug)]
pub struct Held;

#[diagnostic::do_not_recommend]
impl<C: Serves<H>, H> IntoHandler<C, Owned> for H {
    type Handler = H;

    fn into_handler(self) -> Arc<H> {
        Arc::new(self)
    }
}

#[diagnostic::do_not_recommend]
impl<C: Serves<H>, H> IntoHandler<C, Held> for Arc<H> {
    type Handler = H;

    fn into_handler(self) -> Arc<H> {
        self
    }
}

#[diagnostic::do_not_recommend]
impl<D: Dispatcher + ?Sized> Dispatcher for Box<D> {
    fn service(&self) -> &'static ServiceDescriptor {
        (**self).service()
    }

    fn dispatch(&self, call: Incoming<'_>) -> HandlerFuture {
        (**self).dispatch(call)
    }
}

#[diagnostic::do_not_recommend]
impl<D: Dispatcher + ?Sized> Dispatcher for Arc<D> {
    fn service(&self) -> &'static ServiceDescriptor {
        (**self).service()
    }

    fn dispatch(&self, call: Incoming<'_>) -> HandlerFuture {
        (**self).dispatch(call)
    }
}
