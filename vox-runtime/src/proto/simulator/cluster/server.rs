//! A server process: the operations that its sessions share, what its sessions are asked, and how both are driven.

use std::collections::{BTreeMap, VecDeque};

use super::handlers::Handler;
use super::model::SERVICE;
use super::store::{Heard, Job, Writer, at_once, clock};
use super::world::World;
use crate::descriptor::MethodDescriptor;
use crate::ids::{ConnectionId, RequestId};
use crate::operation::{Digest, Fence, NewOperation, OperationId, OperationKey, Principal};
use crate::proto::{
    Answer, Attempt, Batch, HandlerEnd, Operations, Request, Secrets, Session, Step, StoreFailed, WaitingRequests,
};
use crate::schema::Schema;
use crate::store::{MemoryStore, OperationStore, StoreLimits};
use crate::wire::{Failure, Payload};

/// One process, until it is killed.
#[derive(Default)]
pub(super) struct Process {
    pub(super) alive: bool,
    pub(super) table: OperationTable,
    pub(super) sessions: BTreeMap<u64, Served>,
    pub(super) handlers: Vec<Handler>,
    pub(super) writer: Writer,
    /// What it was admitted to.
    pub(super) grants: Vec<(OperationKey, Fence)>,
}

/// Operations, and the attempts at them that have no answer or whose handlers run on.
#[derive(Default)]
pub(super) struct OperationTable {
    pub(super) operations: Operations<Start>,
    pub(super) attempts: BTreeMap<Attempt, OperationKey>,
}

/// What starts a handler.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) session: u64,
    pub(super) request: Request,
}

/// A session at the end that serves.
pub(super) struct Served {
    pub(super) session: Session,
    pub(super) principal: Principal,
    /// The link that it has.
    pub(super) link: Option<u64>,
    pub(super) batch: Batch,
    pub(super) secrets: Secrets<u64>,
    /// Every secret that its peer was sent, and those that are spent.
    pub(super) sent: Vec<u64>,
    pub(super) spent: Vec<u64>,
    /// Taken in, not yet taken up.
    pub(super) requests: WaitingRequests,
    /// Operations that are known here only.
    pub(super) table: OperationTable,
    pub(super) memory: MemoryStore,
    pub(super) over: VecDeque<OperationKey>,
    /// What the operations are told, once the session's outputs are drained.
    pub(super) operation_events: Vec<OperationEvent>,
}

#[derive(Debug)]
pub(super) enum OperationEvent {
    /// The last says whether a store remembers it.
    Withdrawn(ConnectionId, RequestId, Failure, bool),
    Acknowledged(OperationId),
}

/// Whose operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Where {
    Process,
    Session(u64),
}

/// How many operations that are over a session remembers.
const REMEMBERED: usize = 2;

impl Served {
    pub(super) fn new(session: Session, principal: Principal, secret: u64, wall: &super::store::Wall) -> Self {
        let limits = StoreLimits { max_tombstones: 2, ..StoreLimits::default() };
        Self {
            session,
            principal,
            link: None,
            batch: Batch::default(),
            secrets: Secrets::new(secret),
            sent: vec![secret],
            spent: Vec::new(),
            requests: WaitingRequests::default(),
            table: OperationTable::default(),
            memory: MemoryStore::within(limits, clock(wall)),
            over: VecDeque::new(),
            operation_events: Vec::new(),
        }
    }
}

pub(super) fn schema() -> Schema {
    Schema::from_bytes(&b"schema"[..])
}

pub(super) fn method(request: &Request) -> &'static MethodDescriptor {
    SERVICE.method(request.method).expect("a method of the service")
}

impl World {
    pub(super) fn table(&mut self, p: usize, place: Where) -> &mut OperationTable {
        let process = &mut self.processes[p];
        match place {
            Where::Process => &mut process.table,
            Where::Session(session) => &mut process.sessions.get_mut(&session).expect("a session").table,
        }
    }

    pub(super) fn served(&mut self, p: usize, session: u64) -> &mut Served {
        self.processes[p].sessions.get_mut(&session).expect("a session that is served")
    }

    /// Does everything that a process has to do at once.
    pub(super) fn pump(&mut self, p: usize) {
        loop {
            let sessions: Vec<u64> = self.processes[p].sessions.keys().copied().collect();
            let mut busy = false;
            for session in sessions {
                busy |= self.drain_served(p, session);
                busy |= self.do_steps(p, Where::Session(session));
            }
            busy |= self.do_steps(p, Where::Process);
            if !busy {
                return;
            }
        }
    }

    /// Takes up an attempt at an operation.
    pub(super) fn attempt(&mut self, p: usize, session: u64, request: Request) {
        let served = self.served(p, session);
        let (method, principal) = (method(&request), served.principal.clone());
        let place = if method.policy.persist { Where::Process } else { Where::Session(session) };
        let id = request.operation.expect("a caller of an operation names it");
        let operation = NewOperation {
            key: OperationKey { id, principal },
            peer: None,
            service: method.service,
            method: method.id,
            policy: method.policy,
            digest: Digest::of(method.id, &request.payload),
            schema: schema(),
        };
        let attempt = Attempt { session, connection: request.connection, request: request.request };
        let key = operation.key.clone();
        let awaits = served.session.awaits(attempt.connection, attempt.request);
        let table = self.table(p, place);
        let attached = table.operations.is_live(&key);
        table.attempts.insert(attempt, key.clone());
        table.operations.attempt(attempt, operation, Start { session, request });
        if !awaits {
            table.operations.attempt_gone(&key, attempt, Failure::Cancelled);
        }
        if attached {
            self.model.event("attached");
        }
    }

    pub(super) fn withdraw(&mut self, p: usize, place: Where, attempt: Attempt, why: Failure) {
        let OperationTable { operations, attempts } = self.table(p, place);
        if let Some(key) = attempts.get(&attempt) {
            operations.attempt_gone(key, attempt, why);
        }
    }

    pub(super) fn acknowledge(&mut self, p: usize, session: u64, id: OperationId) {
        let served = self.served(p, session);
        let key = OperationKey { id, principal: served.principal.clone() };
        if !served.table.operations.is_live(&key) {
            let _ = at_once(served.memory.acknowledge(&key));
        }
        if !self.processes[p].table.operations.is_live(&key) {
            self.ask_store(p, Job::Acknowledge(key));
        }
    }

    /// Does what the operations of one place want done. `true`: there was something.
    fn do_steps(&mut self, p: usize, place: Where) -> bool {
        let mut busy = false;
        while let Some(step) = self.table(p, place).operations.poll_step() {
            busy = true;
            self.note("step", &[p as u64], &step);
            match step {
                Step::Run { operation, fence, attempt, runnable, detached } => {
                    let Start { session, request } = runnable;
                    if detached {
                        self.table(p, place).attempts.insert(attempt, operation.key.clone());
                        let served = self.served(p, session);
                        served.session.detach(attempt.connection, attempt.request, HandlerEnd::Aborted);
                    }
                    self.start(p, session, request, Some((place, operation.key.clone(), fence)));
                }
                Step::Answer { attempt, answer, runs_on } => self.answer(p, place, attempt, answer, runs_on),
                Step::Over(attempt) => {
                    if self.table(p, place).attempts.remove(&attempt).is_some() {
                        let served = self.served(p, attempt.session);
                        served.session.handler_ended(attempt.connection, attempt.request, HandlerEnd::Aborted);
                    }
                }
                Step::Abort(attempt) => {
                    self.served(p, attempt.session).session.unwant(attempt.connection, attempt.request);
                    self.abort(p, attempt.session, attempt.connection, attempt.request);
                }
                step => self.ask(p, place, step),
            }
        }
        busy
    }

    fn answer(&mut self, p: usize, place: Where, attempt: Attempt, answer: Answer, runs_on: bool) {
        let attempts = &mut self.table(p, place).attempts;
        let known = if runs_on { attempts.contains_key(&attempt) } else { attempts.remove(&attempt).is_some() };
        if let (Answer::Outcome(bytes), Where::Process) = (&answer, place) {
            self.model.answered(attempt.session, attempt.request, bytes);
        }
        if !known {
            return;
        }
        let mut payload = Payload::default();
        let end = match answer {
            Answer::Failure(failure) => HandlerEnd::Failed(failure),
            Answer::Outcome(bytes) => {
                payload.encoded.extend_from_slice(&bytes);
                HandlerEnd::Returned(&mut payload)
            }
        };
        let session = &mut self.served(p, attempt.session).session;
        match runs_on {
            true => session.detach(attempt.connection, attempt.request, end),
            false => session.handler_ended(attempt.connection, attempt.request, end),
        }
    }

    fn ask(&mut self, p: usize, place: Where, step: Step<Start>) {
        let job = match step {
            Step::Wait { key, round, .. } => return self.processes[p].writer.heard.push(Heard::Again(key, round)),
            Step::Admit(operation) => Job::Admit(operation),
            Step::Seal { key, fence, outcome } => Job::Seal { key, fence, outcome },
            Step::Release { key, fence } => Job::Release { key, fence },
            Step::GiveUp { key, fence } => Job::GiveUp { key, fence },
            // Each of these has a name.
            step => panic!("{step:?} is nothing to ask"),
        };
        match place {
            Where::Process => self.ask_store(p, job),
            Where::Session(session) => self.ask_memory(p, session, job),
        }
    }

    /// What is known in one session only is known at once.
    fn ask_memory(&mut self, p: usize, session: u64, job: Job) {
        let served = self.served(p, session);
        let (memory, operations) = (&served.memory, &mut served.table.operations);
        let over = match job {
            Job::Admit(operation) => {
                let admission = at_once(memory.admit(&operation)).map_err(|_| StoreFailed);
                operations.admitted(&operation.key, admission);
                None
            }
            Job::Seal { key, fence, outcome } => {
                let sealed = at_once(memory.seal(&key, fence, outcome)).map_err(|_| StoreFailed);
                operations.sealed(&key, sealed);
                Some(key)
            }
            Job::Release { key, fence } => {
                let _ = at_once(memory.release(&key, fence));
                operations.let_go(&key, None);
                None
            }
            Job::GiveUp { key, fence } => {
                let sealed = at_once(memory.give_up(&key, fence)).ok().flatten();
                operations.let_go(&key, sealed);
                Some(key)
            }
            Job::Acknowledge(_) | Job::Transaction { .. } => None,
        };
        if let Some(key) = over {
            served.over.push_back(key);
            if served.over.len() > REMEMBERED
                && let Some(oldest) = served.over.pop_front()
                && !served.table.operations.is_live(&oldest)
            {
                let _ = at_once(served.memory.acknowledge(&oldest));
            }
        }
    }
}
