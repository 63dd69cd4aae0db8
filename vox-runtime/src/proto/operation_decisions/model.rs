//! The operations against a store that is slow, fails and is shared with another process, from a seed.
//!
//! A run is a script of random actions: attempts at a few operations, by sessions that cancel, run out of time or go away;
//! steps done in any order and answered late; handlers that return, refuse, panic or do not notice an abort; another
//! process that is admitted, seals or dies; a store that fails before or after its effect. Beside it runs what is promised:
//!
//! - every attempt gets exactly one answer;
//! - an outcome is answered only while the store has it sealed, byte for byte, and only to the same method and arguments;
//! - the handler of a `persist` operation is started once at most, unless it refused; that of a volatile one too; one that may
//!   run again is never run twice at once;
//! - an operation that was sealed once is never run again, and never answered with another outcome;
//! - who is answered as cancelled was cancelled, and a `persist` handler is never told to end;
//! - every handler's room is given back exactly once, and not before the handler has ended;
//! - in the end nothing is live.
//!
//! `VOX_SEEDS=1000000 cargo test --release -p vox-runtime operations` runs more, `VOX_SEED=17` one, with its log.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::super::simulator::{Rng, variable};
use super::{Answer, Attempt, OperationEnd, Operations, Round, Step, StoreFailed};
use crate::descriptor::RetryPolicy;
use crate::error::{Ran, Short};
use crate::ids::{ConnectionId, MethodId, RequestId};
use crate::operation::{Admission, Digest, Fence, NewOperation, OperationId, OperationKey, Outcome, Principal};
use crate::schema::Schema;
use crate::wire::Failure;

/// How many seeds a plain test run tries.
const SEEDS: u64 = 4_000;

#[test]
fn operations_keep_every_promise_whatever_the_store_and_the_callers_do() {
    if let Some(seed) = variable("VOX_SEED") {
        return World::new(seed, true).run();
    }
    for seed in 0..variable("VOX_SEEDS").unwrap_or(SEEDS) {
        let run = std::panic::AssertUnwindSafe(|| World::new(seed, false).run());
        assert!(std::panic::catch_unwind(run).is_ok(), "seed {seed} fails: run it again with VOX_SEED={seed}");
    }
}

/// What the store has of one operation.
#[derive(Debug, Clone)]
struct Record {
    method: MethodId,
    digest: Digest,
    fence: Fence,
    state: Kept,
}

#[derive(Debug, Clone, PartialEq)]
enum Kept {
    Granted { ours: bool },
    Sealed(Bytes),
    GivenUp,
}

/// What the world knows of one attempt.
#[derive(Debug)]
struct Asked {
    key: OperationKey,
    digest: Digest,
    gone: bool,
    answer: Option<Answer>,
}

/// A handler that was started.
#[derive(Debug)]
struct Handler {
    key: OperationKey,
    fence: Fence,
    attempt: Attempt,
    aborted: bool,
}

/// A result on its way back.
#[derive(Debug)]
enum Reply {
    Admitted(OperationKey, Result<Admission, StoreFailed>),
    Sealed(OperationKey, Result<Outcome, StoreFailed>),
    LetGo(OperationKey, Option<Outcome>),
    Again(OperationKey, Round),
}

struct World {
    rng: Rng,
    log: bool,
    operations: Operations<Attempt>,
    store: BTreeMap<OperationKey, Record>,
    fences: u64,
    requests: u64,
    steps: Vec<Step<Attempt>>,
    replies: Vec<Reply>,
    handlers: Vec<Handler>,
    /// Handlers that have ended, and may say so again.
    echoes: Vec<(OperationKey, Fence)>,
    asked: BTreeMap<Attempt, Asked>,
    /// Handlers whose attempt was answered before they ended.
    detached: BTreeSet<Attempt>,
    /// Handlers whose room is still taken.
    rooms: BTreeSet<Attempt>,
    /// How often each operation's handler was started and did not refuse.
    ran: BTreeMap<OperationKey, u32>,
    sealed: BTreeMap<OperationKey, Bytes>,
}

impl World {
    fn new(seed: u64, log: bool) -> Self {
        Self {
            rng: Rng(seed),
            log,
            operations: Operations::default(),
            store: BTreeMap::new(),
            fences: 0,
            requests: 0,
            steps: Vec::new(),
            replies: Vec::new(),
            handlers: Vec::new(),
            echoes: Vec::new(),
            asked: BTreeMap::new(),
            detached: BTreeSet::new(),
            rooms: BTreeSet::new(),
            ran: BTreeMap::new(),
            sealed: BTreeMap::new(),
        }
    }

    fn run(mut self) {
        for _ in 0..20 + self.rng.below(150) {
            self.step();
        }
        self.settle();
        assert_eq!(self.operations.len(), 0, "nothing is live in the end");
        assert!(self.rooms.is_empty() && self.detached.is_empty(), "room is given back");
        for (attempt, asked) in &self.asked {
            assert!(asked.answer.is_some(), "{attempt:?} was never answered");
        }
    }

    fn step(&mut self) {
        match self.rng.below(100) {
            0..25 => self.attempt(),
            25..35 => self.leave(),
            35..55 => self.do_step(),
            55..75 => self.hear(),
            75..92 => self.end_handler(),
            _ => self.another_process(),
        }
        self.drain();
    }

    /// Lets everything come to its end, with another process that ends what it runs.
    fn settle(&mut self) {
        for round in 0.. {
            if self.steps.is_empty() && self.replies.is_empty() && self.handlers.is_empty() {
                return;
            }
            if round > 300 {
                // What the store was not told has ended counts as running: then callers lose patience.
                self.leave();
                self.drain();
            }
            self.do_step();
            self.drain();
            self.hear();
            self.drain();
            self.end_handler();
            self.drain();
            self.another_process();
        }
    }

    fn note(&self, what: impl std::fmt::Debug) {
        if self.log {
            println!("{what:?}");
        }
    }

    // ---- actions ----

    fn attempt(&mut self) {
        let which = self.rng.below(OPERATIONS);
        let (key, policy) = (key(which), policy(which));
        let digest = Digest([u8::from(self.rng.percent(10)); 32]);
        self.requests += 1;
        let attempt = Attempt {
            session: self.rng.below(3) as u64,
            connection: ConnectionId(1),
            request: RequestId(self.requests),
        };
        let (method, schema) = (MethodId(1), schema());
        let operation = NewOperation { key: key.clone(), peer: None, service: "Bank", method, policy, digest, schema };
        self.note(("attempt", attempt, which, digest.0[0]));
        let is_live = self.operations.is_live(&key);
        self.asked.insert(attempt, Asked { key, digest, gone: false, answer: None });
        // Some stores can be asked in the same moment.
        if !is_live
            && self.rng.percent(50)
            && let Admission::Granted(fence) = self.admit(&operation)
        {
            self.operations.attempt_granted(attempt, &operation, fence);
            return self.started(&operation, fence, attempt, false);
        }
        self.operations.attempt(attempt, operation, attempt);
    }

    fn leave(&mut self) {
        let here: Vec<Attempt> =
            self.asked.iter().filter(|(_, asked)| !asked.gone).map(|(attempt, _)| *attempt).collect();
        if here.is_empty() {
            return;
        }
        let attempt = *self.rng.pick(&here);
        let why = if self.rng.percent(50) { Failure::Cancelled } else { Failure::DeadlineExceeded };
        self.note(("leaves", attempt, &why));
        let Some(asked) = self.asked.get_mut(&attempt) else { return };
        asked.gone = true;
        let key = asked.key.clone();
        self.operations.attempt_gone(&key, attempt, why);
    }

    fn end_handler(&mut self) {
        if !self.echoes.is_empty() && self.rng.percent(20) {
            // The first end counts; a second one is that of nothing.
            let (key, fence) = self.echoes.swap_remove(0);
            return self.operations.handler_ended(&key, fence, OperationEnd::Broken(Failure::Panicked));
        }
        if self.handlers.is_empty() {
            return;
        }
        let at = self.rng.below(self.handlers.len());
        let Handler { key, fence, aborted, .. } = self.handlers.swap_remove(at);
        let end = match self.rng.below(100) {
            _ if aborted && self.rng.percent(80) => OperationEnd::Broken(Failure::Cancelled),
            0..60 => OperationEnd::Returned(self.outcome()),
            60..75 => {
                *self.ran.entry(key.clone()).or_default() -= 1;
                OperationEnd::Refused(Failure::Busy(Short::SHUTTING_DOWN))
            }
            75..90 => {
                // It sealed its outcome in a transaction of its own, and panicked then.
                let outcome = self.outcome();
                let _ = self.seal(&key, fence, &outcome);
                OperationEnd::Broken(Failure::Panicked)
            }
            _ => OperationEnd::Broken(Failure::Panicked),
        };
        self.note(("ends", &key, fence, &end));
        if let OperationEnd::Returned(outcome) = &end
            && self.rng.percent(50)
            && self.ends_alone(&key, fence, outcome)
        {
            return self.echoes.push((key, fence));
        }
        self.operations.handler_ended(&key, fence, end);
        self.echoes.push((key, fence));
    }

    /// Whether the store, asked in the same moment, made an outcome final that only one attempt waits for.
    fn ends_alone(&mut self, key: &OperationKey, fence: Fence, outcome: &Outcome) -> bool {
        let mut operations = std::mem::take(&mut self.operations);
        let fails = self.rng.percent(5);
        let ended = operations.returned_alone(key, fence, || self.seal(key, fence, outcome).ok().filter(|_| !fails));
        self.operations = operations;
        let Some((attempt, sealed)) = ended else { return false };
        self.answered(attempt, Answer::Outcome(sealed.bytes), false);
        true
    }

    /// Another process: is admitted, and then seals or dies.
    fn another_process(&mut self) {
        let which = self.rng.below(OPERATIONS);
        let key = key(which);
        match self.store.get_mut(&key) {
            None if policy(which).persist && !self.operations.is_live(&key) && self.rng.percent(30) => {
                self.fences += 1;
                let fence = Fence(self.fences);
                let record = Record {
                    method: MethodId(1),
                    digest: Digest([0; 32]),
                    fence,
                    state: Kept::Granted { ours: false },
                };
                *self.ran.entry(key.clone()).or_default() += 1;
                self.note(("another process runs", &key));
                self.store.insert(key, record);
            }
            Some(Record { state: state @ Kept::Granted { ours: false }, .. }) => {
                *state = match self.rng.percent(50) {
                    true => Kept::Sealed(Bytes::from_static(b"another's")),
                    false => Kept::GivenUp,
                };
                if let Kept::Sealed(bytes) = state {
                    self.sealed.insert(key, bytes.clone());
                }
            }
            _ => {}
        }
    }

    /// Does one of the steps that take time.
    fn do_step(&mut self) {
        if self.steps.is_empty() {
            return;
        }
        let at = self.rng.below(self.steps.len());
        let step = self.steps.swap_remove(at);
        self.note(("does", &step));
        let (before, after) = (self.rng.percent(5), self.rng.percent(5));
        let reply = match step {
            Step::Admit(operation) => {
                let admission = if before { Err(StoreFailed) } else { Ok(self.admit(&operation)) };
                Reply::Admitted(operation.key.clone(), admission)
            }
            Step::Seal { key, fence, outcome } => {
                let sealed = if before { Err(StoreFailed) } else { self.seal(&key, fence, &outcome) };
                Reply::Sealed(key, if after { Err(StoreFailed) } else { sealed })
            }
            Step::Release { key, fence } => {
                if !before && self.store.get(&key).is_some_and(|record| record.fence == fence) {
                    self.store.remove(&key);
                }
                Reply::LetGo(key, None)
            }
            Step::GiveUp { key, fence } => {
                let sealed = if before { None } else { self.give_up(&key, fence) };
                Reply::LetGo(key, sealed)
            }
            Step::Wait { key, round, .. } => Reply::Again(key, round),
            Step::Forget { .. } => return,
            step => panic!("{step:?} takes no time"),
        };
        self.replies.push(reply);
    }

    /// The store's answer to one step arrives.
    fn hear(&mut self) {
        if self.replies.is_empty() {
            return;
        }
        let at = self.rng.below(self.replies.len());
        let reply = self.replies.swap_remove(at);
        self.note(("hears", &reply));
        match reply {
            Reply::Admitted(key, admission) => self.operations.admitted(&key, admission),
            Reply::Sealed(key, sealed) => self.operations.sealed(&key, sealed),
            Reply::LetGo(key, sealed) => self.operations.let_go(&key, sealed),
            Reply::Again(key, round) => self.operations.ask_again(&key, round),
        }
    }

    // ---- the store ----

    fn admit(&mut self, operation: &NewOperation) -> Admission {
        if self.rng.percent(2) {
            return Admission::Expired;
        }
        let unreadable = self.rng.percent(3);
        if let Some(record) = self.store.get(&operation.key) {
            if (record.method, record.digest) != (operation.method, operation.digest) {
                return Admission::Conflict;
            }
            match &record.state {
                Kept::Granted { .. } => return Admission::Running,
                Kept::Sealed(bytes) if !unreadable => {
                    return Admission::Replay(Outcome { bytes: bytes.clone(), schema: operation.schema.clone() });
                }
                Kept::Sealed(_) | Kept::GivenUp if !operation.policy.idem => return Admission::Indeterminate,
                Kept::Sealed(_) | Kept::GivenUp => {}
            }
        }
        self.fences += 1;
        let fence = Fence(self.fences);
        let (method, digest) = (operation.method, operation.digest);
        let record = Record { method, digest, fence, state: Kept::Granted { ours: true } };
        self.store.insert(operation.key.clone(), record);
        Admission::Granted(fence)
    }

    fn seal(&mut self, key: &OperationKey, fence: Fence, outcome: &Outcome) -> Result<Outcome, StoreFailed> {
        let record = self.store.get_mut(key).filter(|record| record.fence == fence).ok_or(StoreFailed)?;
        let bytes = match &record.state {
            Kept::Sealed(bytes) => bytes.clone(),
            Kept::Granted { .. } => outcome.bytes.clone(),
            Kept::GivenUp => return Err(StoreFailed),
        };
        record.state = Kept::Sealed(bytes.clone());
        self.sealed.insert(key.clone(), bytes.clone());
        Ok(Outcome { bytes, schema: outcome.schema.clone() })
    }

    fn give_up(&mut self, key: &OperationKey, fence: Fence) -> Option<Outcome> {
        let record = self.store.get_mut(key).filter(|record| record.fence == fence)?;
        if let Kept::Sealed(bytes) = &record.state {
            return Some(Outcome { bytes: bytes.clone(), schema: schema() });
        }
        record.state = Kept::GivenUp;
        None
    }

    fn outcome(&mut self) -> Outcome {
        Outcome { bytes: Bytes::from(self.rng.next().to_le_bytes().to_vec()), schema: schema() }
    }

    // ---- what comes out ----

    fn drain(&mut self) {
        while let Some(step) = self.operations.poll_step() {
            match step {
                Step::Run { operation, fence, attempt, runnable, detached } => {
                    assert_eq!(runnable, attempt, "a handler is started by what came with its attempt");
                    self.started(&operation, fence, attempt, detached);
                }
                Step::Abort(attempt) => {
                    let handler = self.handlers.iter_mut().find(|handler| handler.attempt == attempt);
                    let handler = handler.expect("whose handler is told to end has one");
                    assert!(!policy_of(&handler.key).persist, "a persist handler is told to end");
                    handler.aborted = true;
                }
                Step::Answer { attempt, answer, runs_on } => self.answered(attempt, answer, runs_on),
                Step::Over(attempt) => {
                    assert!(self.detached.remove(&attempt), "{attempt:?} was not detached");
                    self.room_given_back(attempt);
                }
                step => self.steps.push(step),
            }
        }
    }

    fn started(&mut self, operation: &NewOperation, fence: Fence, attempt: Attempt, detached: bool) {
        self.note(("runs", attempt, fence));
        let key = operation.key.clone();
        let others = self.handlers.iter().filter(|handler| handler.key == key).count();
        assert_eq!(others, 0, "two handlers of one operation run at once");
        let ran = self.ran.entry(key.clone()).or_default();
        *ran += 1;
        assert!(*ran == 1 || operation.policy.idem, "{key:?} runs a second time");
        assert!(!self.sealed.contains_key(&key) || operation.policy.idem, "{key:?} runs though it is sealed");
        assert!(self.rooms.insert(attempt), "{attempt:?} runs twice");
        assert_eq!(self.asked[&attempt].answer.is_some(), detached);
        if detached {
            self.detached.insert(attempt);
        }
        self.handlers.push(Handler { key, fence, attempt, aborted: false });
    }

    fn answered(&mut self, attempt: Attempt, answer: Answer, runs_on: bool) {
        self.note(("answered", attempt, &answer, runs_on));
        let asked = self.asked.get_mut(&attempt).expect("an attempt that was made");
        assert_eq!(asked.answer, None, "{attempt:?} is answered twice");
        let record = self.store.get(&asked.key);
        match &answer {
            Answer::Outcome(bytes) => {
                let record = record.expect("an outcome without a record");
                assert_eq!(record.state, Kept::Sealed(bytes.clone()), "an outcome that is not sealed");
                assert_eq!(record.digest, asked.digest, "another call's outcome");
            }
            Answer::Failure(Failure::Cancelled | Failure::DeadlineExceeded) => {
                assert!(asked.gone, "{attempt:?} was not cancelled");
            }
            Answer::Failure(Failure::StoreUnavailable(Ran::Unknown)) => {
                assert!(self.ran.contains_key(&asked.key), "nothing ran that could be unknown");
            }
            Answer::Failure(_) => {}
        }
        asked.answer = Some(answer);
        if runs_on {
            assert!(self.rooms.contains(&attempt) && self.detached.insert(attempt), "no handler of {attempt:?} runs");
        } else if self.rooms.contains(&attempt) {
            self.room_given_back(attempt);
        }
    }

    fn room_given_back(&mut self, attempt: Attempt) {
        let runs = self.handlers.iter().any(|handler| handler.attempt == attempt);
        assert!(self.rooms.remove(&attempt) && !runs, "the room of {attempt:?} is given back while it runs");
    }
}

const OPERATIONS: usize = 4;

fn key(which: usize) -> OperationKey {
    OperationKey { id: OperationId::from_u128(which as u128), principal: Principal::anonymous() }
}

fn policy(which: usize) -> RetryPolicy {
    match which {
        0 => RetryPolicy::VOLATILE,
        1 => RetryPolicy::IDEM_PERSIST,
        _ => RetryPolicy::PERSIST,
    }
}

fn policy_of(key: &OperationKey) -> RetryPolicy {
    policy(key.id.to_u128() as usize)
}

fn schema() -> Schema {
    Schema::from_bytes(&b"schema"[..])
}
