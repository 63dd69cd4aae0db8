//! Runs operations: asks the store, starts handlers, answers attempts.
//!
//! `proto::Operations` decides; this does what it says, each step in turn and with no lock held. What the store has ready
//! at once is taken at once, on the thread that asked, so that a store in memory costs neither a task nor a hand-off;
//! whatever takes longer gets a task.

mod after_panic;
mod ask_store;
mod in_tests;
mod over_limit;

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::SystemTime;

use bytes::Bytes;
use tokio::runtime::Handle;

use self::ask_store::Told;
use super::buffers::{give_buffer, take_buffer};
use super::dispatch::Dispatcher;
use super::peer::Peer;
use super::peer_shares::DetachedOf;
use crate::descriptor::MethodDescriptor;
use crate::error::Short;
use crate::ids::{MethodId, ServiceIndex};
use crate::limits::Limits;
use crate::operation::{Admission, Digest, Fence, NewOperation, Operation, OperationId, OperationKey, Outcome};
use crate::proto::{Answer, Attempt, HandlerEnd, OperationEnd, Operations, Request, Step};
use crate::schema::Schema;
use crate::sorted::Sorted;
use crate::store::{MemoryStore, OperationStore, StoreLimits};
use crate::wire::{Failure, Payload};

/// Acknowledgements that may wait for the store at once. Past them they are dropped: the records go at the horizon.
const MAX_ACKNOWLEDGEMENTS: usize = 1024;
/// How many operations that are over one session remembers.
const REMEMBERED: usize = 256;
/// How many more it knows to be over. Of what is older than these nothing is known, so it does not run.
const TOMBSTONES: usize = 4096;

/// The operations of one server, or of one session, and where their outcomes are kept.
pub(crate) struct OperationRunner {
    table: Mutex<OperationTable>,
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
struct OperationTable {
    operations: Operations<Box<Start>>,
    /// The attempts without an answer, and those whose handlers run on.
    attempts: Sorted<Attempt, Place, 64>,
    /// The methods that are called, and the schemas of their responses, which take a while to find.
    methods: BTreeMap<Known, (&'static MethodDescriptor, Schema)>,
    /// Those that are over, oldest first, where only so many are remembered.
    over: VecDeque<OperationKey>,
}

/// A method, and where its descriptor is: what serves single connections may have several versions of one method.
type Known = (MethodId, usize);

/// A session that attempts come from, as the operations see it.
pub(super) trait AttemptSession: Send + Sync {
    fn number(&self) -> u64;
    fn peer(&self) -> &Peer;
    fn limits(&self) -> &Limits;

    /// The service of this index that is served to all.
    fn service(&self, index: ServiceIndex) -> Option<&Arc<dyn Dispatcher>>;

    /// Whether somebody still waits for the answer to this attempt.
    fn awaits(&self, attempt: Attempt) -> bool;

    /// The handler that came with an attempt is told to end.
    fn abort(&self, attempt: Attempt);

    /// An attempt is refused for want of this.
    fn note_refused(&self, short: Short);

    /// An attempt is answered, and its handler has ended.
    fn handler_ended(&self, attempt: Attempt, end: HandlerEnd<'_>);

    /// An attempt is answered though its handler runs on.
    fn detach(&self, attempt: Attempt, end: HandlerEnd<'_>);

    /// Starts a handler in a task of its own.
    fn start(self: Arc<Self>, granting: Granting, runtime: &Handle);
}

/// What starts a handler.
pub(crate) struct Start {
    shared: Arc<dyn AttemptSession>,
    request: Request,
    /// What serves it, where that is of its connection alone.
    chosen: Option<Arc<dyn Dispatcher>>,
}

/// Where an attempt came from.
struct Place {
    shared: Arc<dyn AttemptSession>,
    key: OperationKey,
    /// Its handler runs on, and counts for its peer.
    runs_on: Option<DetachedOf>,
}

/// What there is to do next, and what belongs to it.
struct Next {
    step: Option<Step<Box<Start>>>,
    /// The session of the attempt that the step is about.
    place: Option<Arc<dyn AttemptSession>>,
    /// An operation that is remembered no longer.
    forgotten: Option<OperationKey>,
    more: bool,
}

/// An operation that was admitted, as its handler has it.
pub(crate) struct Granted {
    pub(crate) operation: Operation,
    schema: Schema,
    runner: Arc<OperationRunner>,
    /// Nobody knows its id.
    unnamed: bool,
}

/// A handler that may start.
pub(super) struct Granting {
    pub(super) request: Request,
    pub(super) granted: Arc<Granted>,
    /// What serves it, where that is of its connection alone.
    pub(super) chosen: Option<Arc<dyn Dispatcher>>,
}

impl OperationRunner {
    pub(crate) fn new(store: Arc<dyn OperationStore>) -> Arc<Self> {
        Self::with_memory(store, usize::MAX)
    }

    fn with_memory(store: Arc<dyn OperationStore>, remembered: usize) -> Arc<Self> {
        Arc::new(Self {
            table: Mutex::default(),
            store,
            remembered,
            acknowledging: AtomicUsize::new(0),
            detached: AtomicUsize::new(0),
            runtime: OnceLock::new(),
        })
    }

    /// The operations that are known within one session only.
    pub(super) fn of_a_session(time: impl Fn() -> SystemTime + Send + Sync + 'static) -> Arc<Self> {
        let limits = StoreLimits { max_tombstones: TOMBSTONES, ..StoreLimits::default() };
        let store = MemoryStore::within(limits, time);
        Self::with_memory(Arc::new(store), REMEMBERED)
    }

    /// What time it is where the outcomes are kept.
    pub(super) fn time(&self) -> SystemTime {
        self.store.time()
    }

    fn lock(&self) -> MutexGuard<'_, OperationTable> {
        self.table.lock().unwrap_or_else(|poisoned| self.give_up_all(poisoned.into_inner()))
    }

    /// Takes up an attempt. Gives its handler, if it is to be started at once.
    pub(super) fn attempt<S: AttemptSession + 'static>(
        self: &Arc<Self>,
        shared: &Arc<S>,
        method: &'static MethodDescriptor,
        mut request: Request,
        chosen: Option<Arc<dyn Dispatcher>>,
    ) -> Option<Granting> {
        self.runtime.get_or_init(Handle::current);
        let unnamed = request.operation.is_none();
        let id = request.operation.unwrap_or_else(OperationId::new);
        let key = OperationKey { id, principal: shared.peer().principal().clone() };
        let digest = Digest::of(method.id, &request.payload);
        let attempt = Attempt { session: shared.number(), connection: request.connection, request: request.request };
        let session: Arc<dyn AttemptSession> = Arc::<S>::clone(shared);
        let place = Place { shared: session, key: key.clone(), runs_on: None };
        let over_limit = self.is_over_limit(method, &**shared).is_some();
        // What is known within one session only takes no store's room.
        let account = shared.peer().account().filter(|_| method.policy.persist);
        let peer = account.and_then(|account| account.key.clone());
        let MethodDescriptor { service, id, policy, .. } = *method;
        let memory = self.store.in_memory().map(|memory| (memory, memory.now()));
        let mut table = self.lock();
        let is_live = table.operations.is_live(&key);
        table.attempts.insert(attempt, place);
        let schema = table
            .methods
            .entry((id, std::ptr::from_ref(method) as usize))
            .or_insert_with(|| (method, method.schema()))
            .1
            .clone();
        let operation = NewOperation { key, peer, service, method: id, policy, digest, schema };
        // Asked under the lock, where a store can be: nothing of a user's runs in it, and it takes no time. Where no more may
        // start, what runs may be joined and what is over is replayed all the same.
        let admission =
            memory.filter(|_| !is_live && !over_limit).map(|(memory, now)| memory.admit_at_once(&operation, now));
        let Some(Ok(Admission::Granted(fence))) = admission else {
            // Whatever else it said, it will say again.
            let start = Box::new(Start { shared: Arc::<S>::clone(shared), request, chosen });
            let unknown = unnamed.then(|| operation.key.clone());
            table.operations.attempt(attempt, operation, start);
            if let Some(key) = unknown {
                table.operations.is_unnamed(&key);
            }
            drop(table);
            // Its caller may have left before there was an attempt to take leave from.
            if !shared.awaits(attempt) {
                self.leave(attempt, Failure::Cancelled);
            }
            return self.drain(Some(attempt), None);
        };
        table.operations.attempt_granted(attempt, &operation, fence);
        if unnamed {
            table.operations.is_unnamed(&operation.key);
        }
        drop(table);
        let NewOperation { key, schema, .. } = operation;
        let granted = self.grant(method, key, fence, &schema, &mut request);
        if !shared.awaits(attempt) {
            self.withdraw(attempt, Failure::Cancelled);
            if !policy.persist {
                granted.handler_ended(HandlerEnd::Failed(Failure::Cancelled));
                return None;
            }
        }
        Some(Granting { request, granted, chosen })
    }

    /// The caller of an attempt waits no more.
    pub(super) fn withdraw(self: &Arc<Self>, attempt: Attempt, why: Failure) {
        self.leave(attempt, why);
        self.drain(None, None);
    }

    fn leave(&self, attempt: Attempt, why: Failure) {
        let mut table = self.lock();
        let OperationTable { operations, attempts, .. } = &mut *table;
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
                    let Start { shared, mut request, chosen } = *runnable;
                    let dispatcher = chosen.as_ref().or_else(|| shared.service(request.service));
                    let method = dispatcher.and_then(|dispatcher| dispatcher.service().method(request.method));
                    let over_limit = method.and_then(|method| self.is_over_limit(method, &*shared));
                    if detached {
                        let runs_on = runs_on(&*shared);
                        let place = Place { shared: Arc::clone(&shared), key: operation.key.clone(), runs_on };
                        self.lock().attempts.insert(attempt, place);
                        self.detached.fetch_add(1, Ordering::Relaxed);
                        shared.detach(attempt, HandlerEnd::Aborted);
                    }
                    if let Some(method) = method {
                        let key = operation.key.clone();
                        let granted = self.grant(method, key, fence, &operation.schema, &mut request);
                        match over_limit {
                            Some(short) => {
                                shared.note_refused(short);
                                granted.handler_ended(HandlerEnd::Failed(Failure::Busy(short)));
                            }
                            None if own == Some(attempt) => mine = Some(Granting { request, granted, chosen }),
                            None => shared.start(Granting { request, granted, chosen }, self.runtime()),
                        }
                    }
                }
                (Step::Answer { attempt, answer, runs_on }, Some(shared)) => {
                    if runs_on {
                        self.detached.fetch_add(1, Ordering::Relaxed);
                    }
                    reply(&*shared, attempt, answer, runs_on);
                }
                (Step::Over(attempt), Some(shared)) => {
                    self.detached.fetch_sub(1, Ordering::Relaxed);
                    shared.handler_ended(attempt, HandlerEnd::Aborted);
                }
                (Step::Abort(attempt), Some(shared)) => {
                    shared.abort(attempt);
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
        let mut table = self.lock();
        let OperationTable { operations, attempts, over, .. } = &mut *table;
        let mut forgotten = None;
        if let Some(told) = told {
            forgotten = told.tell(operations).and_then(|key| self.forget(&key, over));
        }
        let step = operations.poll_step();
        let place = match &step {
            // Where its handler runs on, the end of that is still to be told.
            Some(Step::Answer { attempt, runs_on: true, .. }) => attempts.get_mut(attempt).map(|place| {
                place.runs_on = runs_on(&*place.shared);
                Arc::clone(&place.shared)
            }),
            Some(Step::Abort(attempt)) => attempts.get(attempt).map(|place| Arc::clone(&place.shared)),
            Some(Step::Answer { attempt, .. } | Step::Over(attempt)) => {
                attempts.remove(attempt).map(|place| place.shared)
            }
            _ => None,
        };
        Next { step, place, forgotten, more: operations.has_steps() }
    }

    /// An operation is over. Gives the one that is not remembered any longer.
    fn forget(&self, key: &OperationKey, over: &mut VecDeque<OperationKey>) -> Option<OperationKey> {
        if self.remembered == usize::MAX {
            return None;
        }
        over.push_back(key.clone());
        if over.len() > self.remembered { over.pop_front() } else { None }
    }

    fn grant(
        self: &Arc<Self>,
        method: &'static MethodDescriptor,
        key: OperationKey,
        fence: Fence,
        schema: &Schema,
        request: &mut Request,
    ) -> Arc<Granted> {
        // What runs to its end is not told when its caller would have liked that to be.
        request.deadline = request.deadline.filter(|_| !method.policy.persist);
        let unnamed = request.operation.is_none();
        let operation = Operation { key, fence, method };
        Arc::new(Granted { operation, schema: schema.clone(), runner: Arc::clone(self), unnamed })
    }

    /// A handler has returned. Whether that is all there is to it: one attempt waits, the store can be asked under the lock and
    /// makes the outcome final, and it is answered.
    fn returned_alone(self: &Arc<Self>, granted: &Granted, payload: &mut Payload) -> bool {
        let Some(memory) = self.store.in_memory() else { return false };
        let Operation { key, fence, .. } = &granted.operation;
        let mut table = self.lock();
        let OperationTable { operations, attempts, over, .. } = &mut *table;
        let seal = || memory.seal_at_once(key, *fence, payload.whole(), granted.schema.clone()).ok();
        let Some((attempt, earlier)) = operations.returned_alone(key, *fence, seal) else { return false };
        let place = attempts.remove(&attempt);
        let forgotten = self.forget(key, over);
        drop(table);
        if granted.unnamed {
            memory.forget_at_once(key);
        }
        if let Some(key) = forgotten {
            self.acknowledge(key);
        }
        let Some(Place { shared, .. }) = place else { return true };
        match earlier {
            None => shared.handler_ended(attempt, HandlerEnd::Returned(payload)),
            Some(outcome) => reply(&*shared, attempt, Answer::Outcome(outcome.bytes), false),
        }
        true
    }

    fn runtime(&self) -> &Handle {
        self.runtime.get_or_init(Handle::current)
    }
}

/// Counts a handler that runs on without its caller, for the peer.
fn runs_on(session: &dyn AttemptSession) -> Option<DetachedOf> {
    session.peer().account().map(|account| account.take_detached())
}

/// Replies to an attempt.
fn reply(session: &dyn AttemptSession, attempt: Attempt, answer: Answer, runs_on: bool) {
    let reply = |end: HandlerEnd<'_>| match runs_on {
        true => session.detach(attempt, end),
        false => session.handler_ended(attempt, end),
    };
    match answer {
        Answer::Failure(failure) => reply(HandlerEnd::Failed(failure)),
        Answer::Outcome(bytes) => {
            let mut payload = Payload::from(take_buffer());
            payload.encoded.extend_from_slice(&bytes);
            reply(HandlerEnd::Returned(&mut payload));
            give_buffer(payload.encoded);
        }
    }
}

impl Granted {
    /// The operation, if a store remembers it: what is known within one session only is no store's.
    pub(crate) fn kept(&self) -> Option<&Operation> {
        self.operation.method.policy.persist.then_some(&self.operation)
    }

    /// The longest response that can be kept.
    pub(crate) fn max_outcome_bytes(&self) -> usize {
        self.runner.store.max_outcome_bytes()
    }

    /// The handler has ended. The first end counts.
    pub(crate) fn handler_ended(&self, mut end: HandlerEnd<'_>) {
        if let HandlerEnd::Returned(payload) = &mut end
            && self.runner.returned_alone(self, payload)
        {
            return;
        }
        let Operation { key, fence, method } = &self.operation;
        let returned = |bytes: Bytes| OperationEnd::Returned(Outcome { bytes, schema: self.schema.clone() });
        let end = match end {
            HandlerEnd::Returned(payload) => returned(Bytes::copy_from_slice(payload.whole())),
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
        self.runner.lock().operations.handler_ended(key, *fence, end);
        self.runner.drain(None, None);
    }
}
