//! Runs handlers: the first poll in place, the rest in a task of its own.
//!
//! A handler that is ready at once costs no task and no hand-off. One that is not moves, with what it has done
//! so far, into a task. One whose polls take long would hold up the connection's reading, so its method goes
//! straight to tasks for a while. Memory for handlers' futures is kept per method and used again.

use std::borrow::Borrow;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::runtime::Handle;
use tracing::Span;

use super::blocking_watchdog::in_user_code;
use super::clock::now;
use super::dispatch::{Dispatcher, HandlerFuture, Incoming};
use super::handler_panic::catch_handler_panic;
use super::inherited::{Scope, drop_cut};
use super::method_pace::{Handlers, KEPT_FUTURES, ReusableFuture};
use super::operation_runner::{Granted, Granting};
use super::shared::Shared;
use super::state::Next;
use crate::catch_panic::catch_panic;
use crate::escaped::Escaped;
use crate::ids::{ConnectionId, RequestId};
use crate::proto::{HandlerEnd, Request};

impl Handlers {
    /// Starts the handler of one request, if there is one. Gives back the time, where it was looked at when that was done.
    pub(super) fn host(
        &mut self,
        shared: &Arc<Shared>,
        next: &mut Option<Next>,
        cx: &mut Context<'_>,
    ) -> Option<Instant> {
        let Next { request, .. } = next.as_mut()?;
        let Some(serves) = shared.serves(request.service) else {
            // Its connection is gone, and nothing of it runs on.
            shared.handler_ended(request.connection, request.request, HandlerEnd::Aborted);
            return None;
        };
        if !request.as_operation {
            return self.run(shared, request, &serves, None, cx);
        }
        let Next { request, .. } = next.take()?;
        // Where another attempt's handler runs, or none does, the operation answers for it.
        let Granting { mut request, granted, chosen } = shared.start_operation(request, serves)?;
        let dispatcher = chosen.as_ref().or_else(|| shared.router.get(request.service))?;
        self.run(shared, &mut request, dispatcher, Some(granted), cx)
    }

    fn run(
        &mut self,
        shared: &Arc<Shared>,
        request: &mut Request,
        dispatcher: &Arc<dyn Dispatcher>,
        granted: Option<Arc<Granted>>,
        cx: &mut Context<'_>,
    ) -> Option<Instant> {
        let method = (request.service, request.method);
        let (connection, id) = (request.connection, request.request);
        let scope = Scope::of_call(request.deadline, &request.metadata);
        let span = server_span(shared, request, dispatcher);
        let place = self.methods.binary_search_by_key(&method, |(method, _)| *method);
        let memory = place.ok().and_then(|at| self.methods[at].1.kept.pop());
        // Answered without a handler, a request leaves nothing behind, whatever its peer calls the method.
        let future = dispatched(shared, dispatcher, request, granted.as_ref(), memory)?;
        let mut task = HandlerTask { future: Some(future), shared, connection, id, granted, scope, span };
        let spawns = self.spawns;
        self.polled = Some(method);
        let pace = self.pace(place, method);
        let mut clock = None;
        if !spawns && pace.in_place() {
            shared.share_woken();
            let before = pace.is_timed().then(now);
            let polled = task.poll_handler(cx);
            if let Some(before) = before {
                let after = now();
                pace.note(after.saturating_duration_since(before));
                clock = Some(after);
            }
            if polled.is_ready() {
                if let Some(future) = task.future.take()
                    && pace.kept.len() < KEPT_FUTURES
                {
                    pace.kept.push(future);
                }
                return clock;
            }
        }
        spawn(shared, task.into_owned());
        clock
    }
}

/// Gives a request to its dispatcher. `None`: it was answered without a handler, or the dispatcher panicked, which ends the call as a
/// handler's panic does.
#[inline]
fn dispatched(
    shared: &Arc<Shared>,
    dispatcher: &Arc<dyn Dispatcher>,
    request: &mut Request,
    granted: Option<&Arc<Granted>>,
    memory: Option<ReusableFuture>,
) -> Option<ReusableFuture> {
    let (connection, id) = (request.connection, request.request);
    let incoming = Incoming::new(shared, request, granted, memory);
    match catch_handler_panic(|| dispatcher.dispatch(incoming)) {
        Ok(HandlerFuture(future)) => future,
        Err(end) => {
            match granted {
                None => shared.handler_ended(connection, id, end),
                Some(granted) => granted.handler_ended(end),
            }
            None
        }
    }
}

/// Starts the handler of an operation in a task of its own: who may start it is not its session's own task.
pub(super) fn run_elsewhere(shared: Arc<Shared>, granting: Granting, runtime: &Handle) {
    let Granting { mut request, granted, chosen } = granting;
    let Some(dispatcher) = chosen.as_ref().or_else(|| shared.router.get(request.service)) else { return };
    let (connection, id) = (request.connection, request.request);
    let scope = Scope::of_call(request.deadline, &request.metadata);
    let span = server_span(&shared, &request, dispatcher);
    if let Some(future) = dispatched(&shared, dispatcher, &mut request, Some(&granted), None) {
        let _runtime = runtime.enter();
        let shared_too = Arc::clone(&shared);
        let granted = Some(granted);
        spawn(&shared, HandlerTask { future: Some(future), shared: shared_too, connection, id, granted, scope, span });
    }
}

/// Gives a handler a task of its own, unless it is not wanted any more.
fn spawn(shared: &Arc<Shared>, task: HandlerTask<Arc<Shared>>) {
    let (connection, request) = (task.connection, task.id);
    // Not under the lock: a runtime that is shutting down drops the task right here, and so the handler ends.
    let handle = tokio::spawn(task).abort_handle();
    let unwanted = shared.change(|state| {
        if state.session.wants(connection, request) {
            state.tasks.get_or_insert_default().insert((connection, request), handle);
            None
        } else {
            Some(handle)
        }
    });
    if let Some(handle) = unwanted {
        handle.abort();
    }
}

/// A handler, until it ends: by returning, by a panic, or by being dropped.
struct HandlerTask<S: Borrow<Arc<Shared>>> {
    /// `None`: it has ended and its outcome is reported. Or, right after the in-place poll, its memory is kept.
    future: Option<ReusableFuture>,
    /// Lent while it is polled in place.
    shared: S,
    connection: ConnectionId,
    id: RequestId,
    granted: Option<Arc<Granted>>,
    scope: Scope,
    span: Span,
}

impl Future for HandlerTask<Arc<Shared>> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if this.future.is_some() && this.shared.suspends(cx) {
            return Poll::Pending;
        }
        in_user_code(this.shared.watched(), || this.poll_handler(cx))
    }
}

impl HandlerTask<&Arc<Shared>> {
    /// The same, to live on its own.
    fn into_owned(mut self) -> HandlerTask<Arc<Shared>> {
        HandlerTask {
            future: self.future.take(),
            shared: Arc::clone(self.shared),
            connection: self.connection,
            id: self.id,
            granted: self.granted.take(),
            scope: self.scope.clone(),
            span: self.span.clone(),
        }
    }
}

impl<S: Borrow<Arc<Shared>>> HandlerTask<S> {
    fn poll_handler(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(future) = &mut self.future else { return Poll::Ready(()) };
        let polled = catch_handler_panic(|| {
            let _entered = self.span.enter();
            self.scope.enter(|| future.poll(cx))
        });
        match polled {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(())) => Poll::Ready(()),
            Err(end) => {
                self.end(end);
                Poll::Ready(())
            }
        }
    }
}

impl<S: Borrow<Arc<Shared>>> HandlerTask<S> {
    /// Drops what is left of the handler, then says how it ended. Saying so twice does no harm: an attempt has
    /// one outcome, the first.
    fn end(&mut self, end: HandlerEnd<'_>) {
        if let Some(future) = self.future.take() {
            let scope = self.scope.clone();
            in_user_code(self.shared.borrow().watched(), || catch_panic(move || scope.enter(move || drop_cut(future))));
            match &self.granted {
                None => self.shared.borrow().handler_ended(self.connection, self.id, end),
                Some(granted) => granted.handler_ended(end),
            }
        }
    }
}

impl<S: Borrow<Arc<Shared>>> Drop for HandlerTask<S> {
    fn drop(&mut self) {
        self.end(HandlerEnd::Aborted);
    }
}

/// The span of a served call, with OpenTelemetry's field names. Costs nothing where nobody listens. A listener that panics has none.
fn server_span(shared: &Shared, request: &Request, dispatcher: &Arc<dyn Dispatcher>) -> Span {
    catch_unwind(AssertUnwindSafe(|| open_span(shared, request, dispatcher))).unwrap_or_else(|payload| {
        catch_panic(move || drop(payload));
        Span::none()
    })
}

fn open_span(shared: &Shared, request: &Request, dispatcher: &Arc<dyn Dispatcher>) -> Span {
    if !tracing::enabled!(tracing::Level::INFO) {
        return Span::none();
    }
    let service = dispatcher.service();
    let method = service.method(request.method).map_or("?", |method| method.name);
    tracing::info_span!(
        "vox.serve",
        otel.kind = "server",
        rpc.system = "vox",
        rpc.service = service.name,
        rpc.method = method,
        network.peer.address = %Escaped::new(shared.peer.address()),
        vox.connection = request.connection.0,
        vox.request = request.request.0,
        vox.metadata = ?request.metadata,
    )
}
