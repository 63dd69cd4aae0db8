//! Operations, as they are lived: the store is asked, handlers are started, attempts are answered.
//!
//! `proto::Operations` decides; this does what it says, each step in turn and with no lock held. What the store has ready
//! at once is taken at once, on the thread that asked, so that a store in memory costs neither a task nor a hand-off;
//! whatever takes longer gets a task.

mod asking;

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::Bytes;
use tokio::runtime::Handle;

use self::asking::Told;
use super::after::Notice;
use super::hosting::run_elsewhere;
use super::shared::{Shared, State};
use crate::descriptor::MethodDescriptor;
use crate::ids::{ConnectionId, MethodId, RequestId};
use crate::operation::{Digest, Fence, NewOperation, Operation, OperationId, OperationKey, Outcome};
use crate::proto::{Answer, Attempt, HandlerEnd, OperationEnd, Operations, Request, Step};
use crate::schema::{Schema, SchemaHash};
use crate::store::{MemoryStore, OperationStore, StoreLimits};
use crate::wire::Failure;

/// Acknowledgements that may wait for the store at once. Past them they are dropped: the records go at the horizon.
const MAX_ACKNOWLEDGEMENTS: usize = 1024;
/// How many operations that are over one session remembers.
const REMEMBERED: usize = 256;
/// How many more it knows to be over. Of what is older than these nothing is known, so it does not run.
const TOMBSTONES: usize = 4096;

/// The operations of one server, or of one session, and where their outcomes are kept.
pub(crate) struct Operating {
    desk: Mutex<Desk>,
    store: Arc<dyn OperationStore>,
    /// How many that are over are remembered: of the oldest beyond them the outcome goes.
    remembered: usize,
    /// Acknowledgements under way.
    acknowledging: AtomicUsize,
    /// Handlers that run on without the caller that they came with.
    detached: AtomicUsize,
    /// Where tasks are spawned from outside of any.
    runtime: OnceLock<Handle>,
}

#[derive(Default)]
struct Desk {
    operations: Operations<Box<Start>>,
    /// The attempts without an answer, and those whose handlers run on.
    attempts: BTreeMap<Attempt, Place>,
    /// The schemas of responses, which take a while to find.
    schemas: BTreeMap<MethodId, Schema>,
    /// Those that are over, oldest first, where only so many are remembered.
    over: VecDeque<OperationKey>,
}

/// What starts a handler.
pub(crate) struct Start {
    shared: Arc<Shared>,
    request: Request,
}

/// Where an attempt came from.
struct Place {
    shared: Arc<Shared>,
    key: OperationKey,
}

/// What there is to do next, and what belongs to it.
struct Next {
    step: Option<Step<Box<Start>>>,
    /// The session of the attempt that the step is about.
    place: Option<Arc<Shared>>,
    /// An operation that is remembered no longer.
    forgotten: Option<OperationKey>,
    more: bool,
}

/// An operation that was admitted, as its handler has it.
pub(crate) struct Granted {
    pub(crate) operation: Operation,
    schema: SchemaHash,
    operating: Arc<Operating>,
}

/// A handler that may start.
pub(super) struct Granting {
    pub(super) shared: Arc<Shared>,
    pub(super) request: Request,
    pub(super) granted: Arc<Granted>,
}

impl Operating {
    pub(crate) fn new(store: Arc<dyn OperationStore>) -> Arc<Self> {
        Self::with_memory(store, usize::MAX)
    }

    fn with_memory(store: Arc<dyn OperationStore>, remembered: usize) -> Arc<Self> {
        Arc::new(Self {
            desk: Mutex::default(),
            store,
            remembered,
            acknowledging: AtomicUsize::new(0),
            detached: AtomicUsize::new(0),
            runtime: OnceLock::new(),
        })
    }

    /// The operations that are known within one session only.
    fn of_a_session() -> Arc<Self> {
        let store = MemoryStore::with_limits(StoreLimits { max_tombstones: TOMBSTONES, ..StoreLimits::default() });
        Self::with_memory(Arc::new(store), REMEMBERED)
    }

    fn lock(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes up an attempt. Gives its handler to be started, if that is what it comes to at once.
    pub(super) fn attempt(self: &Arc<Self>, shared: &Arc<Shared>, request: Request) -> Option<Granting> {
        let method = method(shared, &request)?;
        self.runtime.get_or_init(Handle::current);
        let id = request.operation.unwrap_or_else(OperationId::new);
        let key = OperationKey { id, principal: shared.peer.principal().clone() };
        let digest = Digest::of(method.id, &request.payload);
        let attempt = Attempt { session: shared.number, connection: request.connection, request: request.request };
        let place = Place { shared: Arc::clone(shared), key: key.clone() };
        let start = Box::new(Start { shared: Arc::clone(shared), request });
        let crowded =
            method.policy.persist && self.detached.load(Ordering::Relaxed) >= shared.limits.max_server_detached;
        {
            let mut desk = self.lock();
            // What runs already may be joined all the same.
            if crowded && !desk.operations.is_live(&key) {
                drop(desk);
                shared.handler_ended(attempt.connection, attempt.request, HandlerEnd::Failed(Failure::Busy));
                return None;
            }
            let schema = desk.schemas.entry(method.id).or_insert_with(|| method.schema()).clone();
            let MethodDescriptor { service, id, policy, .. } = *method;
            let operation = NewOperation { key, service, method: id, policy, digest, schema };
            desk.attempts.insert(attempt, place);
            desk.operations.attempt(attempt, operation, start);
        }
        // Its caller may have left before there was an attempt to take leave from.
        if !shared.lock().session.awaits(attempt.connection, attempt.request) {
            self.leave(attempt, Failure::Cancelled);
        }
        self.drain(Some(attempt), None)
    }

    /// The caller of an attempt waits no more.
    pub(super) fn withdraw(self: &Arc<Self>, attempt: Attempt, why: Failure) {
        self.leave(attempt, why);
        self.drain(None, None);
    }

    fn leave(&self, attempt: Attempt, why: Failure) {
        let mut desk = self.lock();
        let Desk { operations, attempts, .. } = &mut *desk;
        if let Some(place) = attempts.get(&attempt) {
            operations.attempt_gone(&place.key, attempt, why);
        }
    }

    /// The caller has the outcome and will not ask again.
    pub(super) fn acknowledge(self: &Arc<Self>, key: OperationKey) {
        if self.lock().operations.is_live(&key) {
            return;
        }
        if let Some(memory) = self.store.in_memory() {
            return memory.acknowledge_at_once(&key);
        }
        if self.acknowledging.fetch_add(1, Ordering::Relaxed) >= MAX_ACKNOWLEDGEMENTS {
            self.acknowledging.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        self.tell_store(key);
    }

    /// Does every step there is, and first hears what the store has said. The start of the handler that came with `own` is
    /// given back.
    fn drain(self: &Arc<Self>, own: Option<Attempt>, mut told: Option<Told>) -> Option<Granting> {
        let mut mine = None;
        loop {
            let Next { step, place, forgotten, more } = self.next(told.take());
            if let Some(key) = forgotten {
                self.acknowledge(key);
            }
            let Some(step) = step else { return mine };
            match (step, place) {
                (Step::Run { operation, fence, attempt, runnable, detached }, _) => {
                    let Start { shared, request } = *runnable;
                    if detached {
                        let place = Place { shared: Arc::clone(&shared), key: operation.key.clone() };
                        self.lock().attempts.insert(attempt, place);
                        self.detached.fetch_add(1, Ordering::Relaxed);
                        shared.detach(attempt.connection, attempt.request, HandlerEnd::Aborted);
                    }
                    match self.grant(&operation, fence, shared, request) {
                        Some(granting) if own == Some(attempt) => mine = Some(granting),
                        Some(granting) => run_elsewhere(granting, self.runtime()),
                        None => {}
                    }
                }
                (Step::Answer { attempt, answer, runs_on }, Some(shared)) => {
                    if runs_on {
                        self.detached.fetch_add(1, Ordering::Relaxed);
                    }
                    shared.answer(attempt.connection, attempt.request, answer, runs_on);
                }
                (Step::Over(attempt), Some(shared)) => {
                    self.detached.fetch_sub(1, Ordering::Relaxed);
                    shared.handler_ended(attempt.connection, attempt.request, HandlerEnd::Aborted);
                }
                (Step::Abort(attempt), Some(shared)) => {
                    shared.change(|state| state.abort_operation(attempt.connection, attempt.request));
                }
                (Step::Answer { .. } | Step::Over(_) | Step::Abort(_), None) => {}
                (Step::Wait { key, round, times }, _) => self.wait(key, round, times),
                (step, _) => told = self.ask_store(step),
            }
            if told.is_none() && !more {
                return mine;
            }
        }
    }

    /// Takes in what the store said, and takes out what is to be done next: all under one lock.
    fn next(&self, told: Option<Told>) -> Next {
        let mut desk = self.lock();
        let Desk { operations, attempts, over, .. } = &mut *desk;
        let mut forgotten = None;
        if let Some(told) = told {
            let is_over = told.tell(operations);
            if let Some(key) = is_over.filter(|_| self.remembered < usize::MAX) {
                over.push_back(key);
                forgotten = if over.len() > self.remembered { over.pop_front() } else { None };
            }
        }
        let step = operations.poll_step();
        let place = match &step {
            // Where its handler runs on, the end of that is still to be told.
            Some(Step::Answer { attempt, runs_on: true, .. } | Step::Abort(attempt)) => {
                attempts.get(attempt).map(|place| Arc::clone(&place.shared))
            }
            Some(Step::Answer { attempt, .. } | Step::Over(attempt)) => {
                attempts.remove(attempt).map(|place| place.shared)
            }
            _ => None,
        };
        Next { step, place, forgotten, more: operations.has_steps() }
    }

    fn grant(
        self: &Arc<Self>,
        new: &NewOperation,
        fence: Fence,
        shared: Arc<Shared>,
        mut request: Request,
    ) -> Option<Granting> {
        let method = method(&shared, &request)?;
        // What runs to its end is not told when its caller would have liked that to be.
        request.deadline = request.deadline.filter(|_| !method.policy.persist);
        let operation = Operation { key: new.key.clone(), fence, method };
        let granted = Granted { operation, schema: new.schema.hash(), operating: Arc::clone(self) };
        Some(Granting { shared, request, granted: Arc::new(granted) })
    }

    fn runtime(&self) -> &Handle {
        self.runtime.get_or_init(Handle::current)
    }
}

impl Granted {
    /// The operation, if a store remembers it: what is known within one session only is no store's.
    pub(crate) fn kept(&self) -> Option<&Operation> {
        self.operation.method.policy.persist.then_some(&self.operation)
    }

    /// The longest response that can be kept.
    pub(crate) fn max_outcome_bytes(&self) -> usize {
        self.operating.store.max_outcome_bytes()
    }

    /// The handler has ended. The first end counts.
    pub(crate) fn handler_ended(&self, end: HandlerEnd<'_>) {
        let Operation { key, fence, method } = &self.operation;
        let returned = |bytes: Bytes| OperationEnd::Returned(Outcome { bytes, schema: self.schema });
        let end = match end {
            HandlerEnd::Returned(payload) => returned(Bytes::copy_from_slice(payload)),
            // It ran, and no other attempt would have a better answer.
            HandlerEnd::Failed(failure @ Failure::InvalidResponse(_)) => {
                let mut payload = Vec::new();
                failure.put(&mut payload);
                returned(payload.into())
            }
            HandlerEnd::Failed(failure @ Failure::Panicked) => OperationEnd::Broken(failure),
            HandlerEnd::Failed(failure) => OperationEnd::Refused(failure),
            HandlerEnd::Aborted if method.policy.persist => OperationEnd::Broken(Failure::Indeterminate),
            HandlerEnd::Aborted => OperationEnd::Broken(Failure::Cancelled),
        };
        self.operating.lock().operations.handler_ended(key, *fence, end);
        self.operating.drain(None, None);
    }
}

fn method(shared: &Shared, request: &Request) -> Option<&'static MethodDescriptor> {
    shared.router.get(request.service).service().method(request.method)
}

impl Shared {
    /// The operations that a request belongs to: of a method whose outcome is kept the server's, else this session's own.
    fn operating(&self, kept: bool) -> Option<&Arc<Operating>> {
        match kept {
            true => self.router.operating(),
            false => Some(self.operations.get_or_init(Operating::of_a_session)),
        }
    }

    /// Takes up an attempt. Gives its handler to be started, if that is what it comes to at once.
    pub(super) fn start_operation(self: &Arc<Self>, request: Request) -> Option<Granting> {
        let kept = method(self, &request)?.policy.persist;
        Arc::clone(self.operating(kept)?).attempt(self, request)
    }

    /// Tells the operations what became known under the session's lock.
    pub(super) fn notice(&self, notice: Notice) {
        match notice {
            Notice::Withdrawn(connection, request, why, kept) => {
                if let Some(operating) = self.operating(kept) {
                    operating.withdraw(Attempt { session: self.number, connection, request }, why);
                }
            }
            Notice::Acknowledged(id) => {
                let key = OperationKey { id, principal: self.peer.principal().clone() };
                for operating in self.router.operating().into_iter().chain(self.operations.get()) {
                    operating.acknowledge(key.clone());
                }
            }
        }
    }

    /// Replies to an attempt.
    fn answer(&self, connection: ConnectionId, request: RequestId, answer: Answer, runs_on: bool) {
        let reply = |end: HandlerEnd<'_>| match runs_on {
            true => self.detach(connection, request, end),
            false => self.handler_ended(connection, request, end),
        };
        match answer {
            Answer::Failure(failure) => reply(HandlerEnd::Failed(failure)),
            Answer::Outcome(bytes) => {
                let mut payload = super::take_buffer();
                payload.extend_from_slice(&bytes);
                reply(HandlerEnd::Returned(&mut payload));
                super::give_buffer(payload);
            }
        }
    }

    /// A request is answered though its handler runs on.
    fn detach(&self, connection: ConnectionId, request: RequestId, end: HandlerEnd<'_>) {
        self.change(|state| state.session.detach(connection, request, end));
    }
}

impl State {
    /// Nobody waits any more for the answer to an attempt.
    pub(super) fn withdraw(&mut self, connection: ConnectionId, request: RequestId, failure: Failure, runs_on: bool) {
        match self.requests.iter().position(|r| (r.connection, r.request) == (connection, request)) {
            None => self.after.operations.push(Notice::Withdrawn(connection, request, failure, runs_on)),
            // Not taken up yet. What runs without its caller will be.
            Some(_) if runs_on => self.session.detach(connection, request, HandlerEnd::Failed(failure)),
            Some(index) => {
                self.requests.remove(index);
                self.session.handler_ended(connection, request, HandlerEnd::Failed(failure));
            }
        }
    }

    /// The handler that came with an attempt is told to end.
    fn abort_operation(&mut self, connection: ConnectionId, request: RequestId) {
        self.session.unwant(connection, request);
        self.after.aborts.extend(self.tasks.remove(&(connection, request)));
    }
}
