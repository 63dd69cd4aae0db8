//! A context that a test makes, to call a handler's method without a client.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use super::context::Context;
use crate::client::Session;
use crate::descriptor::MethodDescriptor;
use crate::driver::{Dispatcher, Granted, Peer, Router, face_to_face};
use crate::evidence;
use crate::ids::{ConnectionId, RequestId};
use crate::metadata::Metadata;
use crate::operation::{Admission, Digest, NewOperation, OperationId, OperationKey, Principal};
use crate::store::{MemoryStore, OperationStore, StoreError};

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
    operation: Option<OperationId>,
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
            operation: None,
        }
    }
}

impl ContextBuilder {
    /// What the caller sends beside the arguments: `cx.metadata()`.
    pub fn metadata(mut self, key: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        self.metadata.insert(key, value);
        self
    }

    /// What the peer says of itself in the handshake: `cx.peer().metadata()`.
    pub fn peer_metadata(mut self, key: impl AsRef<str>, value: impl AsRef<str>) -> Self {
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

    /// The method that runs: `cx.method()`. It is one of the client's `SERVICE.methods`. Where it is `persist`, the context has an operation,
    /// as in production: `cx.operation()`.
    pub fn method(mut self, method: &'static MethodDescriptor) -> Self {
        self.method = method;
        self
    }

    /// The id of the operation that the handler runs for, where its method is `persist`: `cx.operation()`. Without this it is a new one.
    pub fn operation(mut self, id: OperationId) -> Self {
        self.operation = Some(id);
        self
    }

    /// A service of the peer's, for the handler to call back: `cx.session().open()` finds it. Without one the peer serves nothing.
    pub fn peer_serves(mut self, dispatcher: impl Dispatcher) -> Self {
        self.services.push(Arc::new(dispatcher));
        self
    }

    /// Makes the context. Its session runs in the runtime of the test. An operation is admitted by a [`MemoryStore`] of the context's own.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, as of `#[tokio::test]`; and where the operation's id is of another time.
    pub fn build(self) -> TestContext {
        let granted = self.new_operation().map(|operation| {
            let store = MemoryStore::new();
            let admission = store.admit_at_once(&operation, store.now());
            self.granted(Arc::new(store), operation, admission)
        });
        self.with(granted)
    }

    /// As [`build`](Self::build), of which the operation is admitted by this store: for a handler that seals its outcome in a transaction of that store.
    ///
    /// ```
    /// # extern crate vox_runtime as vox;
    /// # #[vox_macros::service(crate = vox_runtime)]
    /// # trait Bank {
    /// #     #[vox(persist)]
    /// #     async fn pay(&self, cx: &vox::Context, cents: u64) -> u64;
    /// # }
    /// # use std::sync::Arc;
    /// # use vox::Context;
    /// # use vox::store::MemoryStore;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let pay = &BankClient::SERVICE.methods[0];
    /// let cx = Context::for_test().method(pay).build_in(Arc::new(MemoryStore::new())).await;
    /// assert!(cx.operation().is_some());
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// As `build`; and where the store fails, or does not let the operation run, as one that it has run before.
    pub async fn build_in(self, store: Arc<dyn OperationStore>) -> TestContext {
        let granted = match self.new_operation() {
            None => None,
            Some(operation) => {
                let admission = store.admit(&operation).await;
                Some(self.granted(store, operation, admission))
            }
        };
        self.with(granted)
    }

    /// What a store is asked to admit, where it is asked.
    fn new_operation(&self) -> Option<NewOperation> {
        let MethodDescriptor { service, id: method, policy, .. } = *self.method;
        let id = self.operation.unwrap_or_else(OperationId::new);
        let key = OperationKey { id, principal: self.principal.clone() };
        let (digest, schema) = (Digest::of(method, &[]), self.method.schema());
        policy.persist.then_some(NewOperation { key, peer: None, service, method, policy, digest, schema })
    }

    fn granted(
        &self,
        store: Arc<dyn OperationStore>,
        operation: NewOperation,
        admission: Result<Admission, StoreError>,
    ) -> Arc<Granted> {
        let what = format!("the operation of `{}.{}`", self.method.service, self.method.name);
        match admission {
            Ok(Admission::Granted(fence)) => Granted::for_test(store, self.method, operation, fence),
            Ok(other) => panic!("{what} may not run: the store says {other:?}"),
            Err(error) => panic!("{what} is not admitted: {error}"),
        }
    }

    fn with(self, granted: Option<Arc<Granted>>) -> TestContext {
        let Self { method, metadata, address, of_peer, principal, time_left, services, operation: _ } = self;
        let peer = Peer::new(address, of_peer).authenticated(principal);
        let (shared, far) = face_to_face(peer, Router::new(services));
        let (session, peer) = (Session::hold(&shared, None), Session::hold(&far, None));
        // What runs to its end has no deadline.
        let time_left = time_left.filter(|_| !method.policy.persist);
        let deadline = time_left.and_then(|time| tokio::time::Instant::now().into_std().checked_add(time));
        let context = Context::new(shared, method, ConnectionId(1), RequestId(1), deadline, metadata, granted);
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
