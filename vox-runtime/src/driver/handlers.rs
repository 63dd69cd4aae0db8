//! Running handlers: the first poll in place, the rest in a task of its own.
//!
//! A handler that is ready at once costs no task and no hand-off. One that is not moves, with what it has done
//! so far, into a task. One whose polls take long would hold up the connection's reading, so its method goes
//! straight to tasks for a while. Memory for handlers' futures is kept per method and used again.

use std::borrow::Borrow;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio_util::sync::ReusableBoxFuture;
use tracing::Span;

use super::clock::now;
use super::lookout::{in_user_code, share_woken};
use super::operation_runner::{Granted, Granting};
use super::scope::{Scope, drop_cut};
use super::shared::{Flush, Next, Shared, State};
use crate::contained::catch_panic;
use crate::ids::{ConnectionId, MethodId, RequestId, ServiceIndex};
use crate::proto::{HandlerEnd, Request};
use crate::server::{Dispatcher, Incoming};
use crate::shown::Shown;
use crate::wire::Failure;

/// A first poll that takes longer than this is too long to be had on the connection's own task.
const SLOW_POLL: Duration = Duration::from_micros(200);
/// How many polls in a row are too long before the method counts as slow: the processor may have been taken away
/// during one.
const SLOW_POLLS: u32 = 3;
/// How many calls of a slow method go straight to tasks before one is tried in place again.
const SLOW_CALLS: u32 = 256;
/// Of so many polls in place one is timed, until one was too long: the clock is not free.
const TIMED: u32 = 8;
/// How many futures' memory is kept per method.
const KEPT_FUTURES: usize = 8;

/// The memory and the life of a handler's future.
pub(crate) type ReusableFuture = ReusableBoxFuture<'static, ()>;

/// A request that is being handled. What a dispatcher gives back for every request.
#[must_use]
pub struct HandlerFuture(pub(crate) Option<ReusableFuture>);

impl fmt::Debug for HandlerFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HandlerFuture")
    }
}

/// Hosts the handlers of one session.
#[derive(Default)]
pub(crate) struct Handlers {
    /// Every handler gets a task at once: what is known of the methods another has, who is held up.
    spawns: bool,
    /// Whose handler was polled in place last.
    polled: Option<(ServiceIndex, MethodId)>,
    /// In the order of their keys.
    methods: Vec<((ServiceIndex, MethodId), MethodPace)>,
}

#[derive(Default)]
struct MethodPace {
    kept: Vec<ReusableFuture>,
    /// How many polls in place in a row took too long.
    strikes: u32,
    /// How many further calls go straight to tasks.
    slow: u32,
    /// How many polls in place come before one that is timed.
    untimed: u32,
}

impl Handlers {
    /// Hosts in the stead of a task that is held up.
    pub(super) fn in_stead() -> Self {
        Self { spawns: true, ..Self::default() }
    }

    /// Whether this knows nothing of the methods until another hands over what it knows.
    pub(super) fn is_in_stead(&self) -> bool {
        self.spawns
    }

    /// The handler that was polled in place last took so long that another task has the session: the next ones of its method get
    /// tasks of their own at once.
    pub(super) fn note_held_up(&mut self) {
        let Some(method) = self.polled.take() else { return };
        let place = self.methods.binary_search_by_key(&method, |(method, _)| *method);
        self.pace(place, method).slow_down();
    }

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
            share_woken(shared);
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

impl Handlers {
    /// The pace of a method, which is where it was found, or is put where it was missed.
    #[inline]
    fn pace(&mut self, place: Result<usize, usize>, method: (ServiceIndex, MethodId)) -> &mut MethodPace {
        let at = place.unwrap_or_else(|at| {
            if self.methods.is_empty() {
                self.methods.reserve_exact(1);
            }
            self.methods.insert(at, (method, MethodPace::default()));
            at
        });
        &mut self.methods[at].1
    }
}

impl MethodPace {
    /// Takes up how long a poll in place took.
    fn note(&mut self, took: Duration) {
        if took <= SLOW_POLL {
            self.strikes = 0;
            return;
        }
        self.strikes += 1;
        if self.strikes >= SLOW_POLLS {
            self.slow_down();
        }
    }

    fn slow_down(&mut self) {
        // The next one in place is a probe, and its word is enough.
        self.strikes = SLOW_POLLS - 1;
        self.slow = SLOW_CALLS;
    }

    /// Whether the next poll in place is timed: one now and then, and every one after one that took too long.
    fn is_timed(&mut self) -> bool {
        if self.strikes == 0 && self.untimed > 0 {
            self.untimed -= 1;
            return false;
        }
        self.untimed = TIMED - 1;
        true
    }

    fn in_place(&mut self) -> bool {
        if self.slow == 0 {
            return true;
        }
        self.slow -= 1;
        false
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
    match catch_unwind(AssertUnwindSafe(|| dispatcher.dispatch(incoming))) {
        Ok(HandlerFuture(future)) => future,
        Err(payload) => {
            catch_panic(move || drop(payload));
            let end = HandlerEnd::Failed(Failure::Panicked);
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
        let polled = catch_unwind(AssertUnwindSafe(|| {
            let _entered = self.span.enter();
            self.scope.enter(|| future.poll(cx))
        }));
        match polled {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(())) => Poll::Ready(()),
            Err(payload) => {
                catch_panic(move || drop(payload));
                self.end(HandlerEnd::Failed(Failure::Panicked));
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

impl State {
    /// A handler ended; those who wait for the last one may want to look.
    #[inline]
    pub(super) fn on_handler_ended(&mut self, connection: ConnectionId, request: RequestId, end: HandlerEnd<'_>) {
        // Most handlers are done before they would have a task; the key need not be hashed for them.
        if let Some(tasks) = &mut self.tasks
            && !tasks.is_empty()
        {
            tasks.remove(&(connection, request));
        }
        self.session.handler_ended(connection, request, end);
        if self.chosen.is_some() {
            self.let_go_of_chosen();
        }
        if self.draining {
            self.wake_observers();
        }
    }

    /// The next request to host. None while the outbox is full: a peer that reads no replies gets no more made.
    #[inline]
    pub(super) fn next_request(&mut self) -> Option<Next> {
        let request = if self.may_host() { self.requests.pop() } else { None };
        Some(Next { request: request?, last: self.requests.is_empty() })
    }

    #[inline]
    pub(super) fn may_host(&self) -> bool {
        !self.requests.is_empty() && (self.session.may_answer_more() || self.session.end_reason().is_some())
    }
}

impl Shared {
    /// A handler has ended. Where it is the only thing going on, its reply is written here and now.
    pub(crate) fn handler_ended(&self, connection: ConnectionId, request: RequestId, end: HandlerEnd<'_>) {
        let alone = |state: &State| match state.driver_is_awake() || state.session.handlers_running() > 0 {
            true => Flush::Driver,
            false => Flush::Here,
        };
        self.with(alone, |state| {
            state.on_handler_ended(connection, request, end);
            self.note_replies(state);
        });
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
        network.peer.address = %Shown::new(shared.peer.address()),
        vox.connection = request.connection.0,
        vox.request = request.request.0,
        vox.metadata = ?request.metadata,
    )
}
