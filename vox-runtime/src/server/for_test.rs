//! A context that a test makes, to call a handler's method without a client.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use super::context::{Context, Peer};
use super::incoming::Dispatcher;
use crate::client::Session;
use crate::descriptor::MethodDescriptor;
use crate::driver::{Router, face_to_face};
use crate::evidence;
use crate::ids::{ConnectionId, RequestId};
use crate::metadata::Metadata;
use crate::operation::Principal;

/// Says what the [`Context`] of a test holds. [`Context::for_test`] makes one.
#[must_use = "a context is made by `build`"]
pub struct ContextBuilder {
    method: &'static MethodDescriptor,
    metadata: Metadata,
    address: String,
    of_peer: Metadata,
    principal: Principal,
    time_left: Option<Duration>,
    services: Vec<Arc<dyn Dispatcher>>,
}

/// A [`Context`] that a test made, and the session that it belongs to. The session ends with it.
pub struct TestContext {
    context: Context,
    session: Session,
    /// What the peer holds, so that its end of the session stays when a handler's client is gone.
    _peer: Session,
}

impl Context {
    /// A context for a test that calls a handler's method itself.
    ///
    /// Without more it has no metadata, no deadline and an anonymous peer. [`ContextBuilder::build`] makes it.
    ///
    /// ```
    /// # extern crate vox_runtime as vox;
    /// # use vox::Context;
    /// struct Greeter;
    ///
    /// impl Greeter {
    ///     async fn hello(&self, cx: &Context) -> String {
    ///         format!("Hello, {}!", cx.metadata().get("name").unwrap_or("world"))
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let cx = Context::for_test().metadata("name", "Emma").build();
    /// assert_eq!(Greeter.hello(&cx).await, "Hello, Emma!");
    /// # }
    /// ```
    pub fn for_test() -> ContextBuilder {
        ContextBuilder {
            method: &METHOD,
            metadata: Metadata::new(),
            address: "mem://test".to_owned(),
            of_peer: Metadata::new(),
            principal: Principal::anonymous(),
            time_left: None,
            services: Vec::new(),
        }
    }
}

impl ContextBuilder {
    /// What the caller sends beside the arguments: `cx.metadata()`.
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.insert(key, value);
        self
    }

    /// What the peer says of itself in the handshake: `cx.peer().metadata()`.
    pub fn peer_metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.of_peer.insert(key, value);
        self
    }

    /// Where the peer is: `cx.peer().address()`. It is `mem://test` unless this says otherwise.
    pub fn peer_address(mut self, address: impl Into<String>) -> Self {
        self.address = address.into();
        self
    }

    /// Who the caller is: `cx.principal()`.
    pub fn principal(mut self, principal: Principal) -> Self {
        self.principal = principal;
        self
    }

    /// How much time the call has, from [`build`](Self::build) on: `cx.time_left()`. Nothing aborts the handler when it is
    /// over: for that, call the method by a client.
    pub fn time_left(mut self, time: Duration) -> Self {
        self.time_left = Some(time);
        self
    }

    /// The method that runs: `cx.method()`. It is one of the client's `SERVICE.methods`.
    pub fn method(mut self, method: &'static MethodDescriptor) -> Self {
        self.method = method;
        self
    }

    /// A service of the peer's, for the handler to call back: `cx.session().open()` finds it. Without one the peer serves nothing.
    pub fn peer_serves(mut self, dispatcher: impl Dispatcher) -> Self {
        self.services.push(Arc::new(dispatcher));
        self
    }

    /// Makes the context. Its session runs in the runtime of the test.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, as of `#[tokio::test]`.
    pub fn build(self) -> TestContext {
        let Self { method, metadata, address, of_peer, principal, time_left, services } = self;
        let peer = Peer::new(address, of_peer).authenticated(principal);
        let (shared, far) = face_to_face(peer, Router::new(services));
        let (session, peer) = (Session::hold(&shared, None), Session::hold(&far, None));
        let deadline = time_left.and_then(|time| tokio::time::Instant::now().into_std().checked_add(time));
        let context = Context::new(shared, method, ConnectionId(1), RequestId(1), deadline, metadata, None);
        TestContext { context, session, _peer: peer }
    }
}

impl Deref for TestContext {
    type Target = Context;

    fn deref(&self) -> &Context {
        &self.context
    }
}

impl Drop for TestContext {
    fn drop(&mut self) {
        self.session.close("the context of the test is gone");
    }
}

impl fmt::Debug for TestContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.context.fmt(f)
    }
}

impl fmt::Debug for ContextBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContextBuilder").field("method", &self.method.name).finish_non_exhaustive()
    }
}

/// The method that runs unless the test says which.
static METHOD: MethodDescriptor = evidence::method(0, "Test", "test");
