//! What was promised: of every call, every operation and every start of a handler.

use std::collections::BTreeMap;
use std::time::Instant;

use bytes::Bytes;

use crate::descriptor::{MethodDescriptor, RetryPolicy, ServiceDescriptor};
use crate::error::{Ran, VoxError};
use crate::ids::{MethodId, RequestId};
use crate::operation::{OperationId, OperationKey, Principal};
use crate::proto::retry_policy::MAX_ATTEMPTS;
use crate::proto::{Attempts, CallEnd, Token};
use crate::wire::{Failure, is_outcome};

/// A method of each policy.
pub(super) static SERVICE: ServiceDescriptor = ServiceDescriptor {
    name: "alpha",
    docs: "",
    methods: &[
        method(1, "volatile", RetryPolicy::VOLATILE),
        method(2, "idem", RetryPolicy::IDEM),
        method(3, "persist", RetryPolicy::PERSIST),
        method(4, "both", RetryPolicy::IDEM_PERSIST),
    ],
};

const fn method(id: u64, name: &'static str, policy: RetryPolicy) -> MethodDescriptor {
    MethodDescriptor {
        id: MethodId(id),
        service: "alpha",
        name,
        docs: "",
        args: &[],
        response: <u8 as facet::Facet>::SHAPE,
        policy,
        timeout: None,
        carried: |outcome, _| Ok(outcome.clone()),
        described: None,
        told_names: None,
    }
}

/// What somebody wants done: a method, its arguments, and the operation's id if it has one.
#[derive(Debug)]
pub(super) struct Intention {
    pub(super) principal: Principal,
    pub(super) id: Option<OperationId>,
    pub(super) method: &'static MethodDescriptor,
    pub(super) payload: Vec<u8>,
    pub(super) effect: Effect,
}

/// How the handlers of an intention write what they do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nowhere.
    None,
    /// In a transaction of its own.
    Apart,
    /// Together with the seal.
    WithSeal,
}

impl Intention {
    pub(super) fn policy(&self) -> RetryPolicy {
        self.method.policy
    }

    pub(super) fn key(&self) -> Option<OperationKey> {
        Some(OperationKey { id: self.id?, principal: self.principal.clone() })
    }
}

/// A call, over all of its attempts.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) client: usize,
    pub(super) intention: usize,
    /// The runtime made its id, and acknowledges it.
    pub(super) auto_id: bool,
    pub(super) deadline: Option<Instant>,
    pub(super) attempts: Attempts,
    pub(super) place: Place,
    pub(super) outcome: Option<CallEnd>,
    /// Nobody waits for it any more.
    pub(super) gone: bool,
    /// What it is if no session can be had: the same as the end of its last attempt.
    pub(super) or: Option<CallEnd>,
    sent: u32,
    /// An attempt ended and may have run.
    unknown: bool,
    /// How often a handler was started by one of its attempts.
    pub(super) started: u32,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Place {
    Queued,
    Flying { token: Token, request: RequestId },
    Over,
}

/// A handler that was started.
#[derive(Debug)]
struct Execution {
    call: usize,
    intention: usize,
    session: u64,
    /// What it returned, or may.
    ends: Vec<Bytes>,
    panicked: bool,
}

/// What is known of an operation, in whichever store.
#[derive(Debug, Default)]
pub(super) struct OperationModel {
    /// Its handler's starts.
    started: u32,
    running: u32,
    /// An admission was committed once.
    granted: bool,
    sealed: Option<Bytes>,
    panicked: bool,
    /// The store was not told that its handler has ended: it counts as running while this process lives.
    pub(super) stuck: Option<usize>,
}

#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) intentions: Vec<Intention>,
    pub(super) calls: Vec<Call>,
    executions: Vec<Execution>,
    pub(super) operations: BTreeMap<OperationKey, OperationModel>,
    /// Operations that are known in one session only.
    local: BTreeMap<(u64, OperationKey), u32>,
    /// Which call an attempt belongs to, by its session and request.
    pub(super) attempts: BTreeMap<(u64, RequestId), usize>,
    /// The store failed at least once.
    pub(super) store_failed: bool,
    /// What happened, and how often.
    pub(super) events: BTreeMap<&'static str, u64>,
}

impl Model {
    pub(super) fn event(&mut self, what: &'static str) {
        *self.events.entry(what).or_default() += 1;
    }

    pub(super) fn policy(&self, call: usize) -> RetryPolicy {
        self.intentions[self.calls[call].intention].policy()
    }

    /// What the attempt is about.
    pub(super) fn intention_of(&self, session: u64, request: RequestId) -> usize {
        self.calls[self.attempts[&(session, request)]].intention
    }

    // ---- calls ----

    pub(super) fn new_call(
        &mut self,
        client: usize,
        intention: usize,
        auto_id: bool,
        deadline: Option<Instant>,
    ) -> usize {
        let attempts = Attempts::new(self.intentions[intention].policy());
        self.calls.push(Call {
            client,
            intention,
            auto_id,
            deadline,
            attempts,
            place: Place::Queued,
            outcome: None,
            gone: false,
            or: None,
            sent: 0,
            unknown: false,
            started: 0,
        });
        self.calls.len() - 1
    }

    /// A call is sent.
    pub(super) fn sent(&mut self, call: usize, session: u64, token: Token, request: RequestId) {
        let policy = self.policy(call);
        let model = &mut self.calls[call];
        assert_eq!(model.outcome, None, "call {call} is sent after it ended");
        assert!(!model.unknown || policy.idem || policy.persist, "volatile call {call} is sent again");
        model.sent += 1;
        assert!(model.sent <= MAX_ATTEMPTS, "call {call} is sent too often");
        model.place = Place::Flying { token, request };
        if model.sent > 1 {
            self.event("sent again");
        }
        self.attempts.insert((session, request), call);
    }

    /// One attempt of a call has ended for its caller.
    pub(super) fn attempt_ended(&mut self, call: usize, session: u64, end: &CallEnd, now: Instant) {
        let model = &mut self.calls[call];
        assert!(!model.gone && model.outcome.is_none(), "call {call} is ended again, with {end:?}");
        match end {
            CallEnd::NeverLeft(_) | CallEnd::NeverLeftInTime => self.event("never left"),
            CallEnd::Indeterminate => model.unknown = true,
            CallEnd::DeadlineExceeded => {
                assert!(model.deadline.is_some_and(|deadline| deadline <= now), "call {call} has time left");
            }
            CallEnd::Reply(payload) if is_outcome(payload) => self.check_outcome(call, session, payload),
            CallEnd::Reply(payload) => self.check_failure(call, &read_failure(payload), now),
        }
    }

    /// A call has its one outcome.
    pub(super) fn ended(&mut self, call: usize, end: CallEnd) {
        let policy = self.policy(call);
        let model = &mut self.calls[call];
        assert!(model.outcome.is_none() && !model.gone, "call {call} has two outcomes");
        let says_so = matches!(&end, CallEnd::Reply(p) if !is_outcome(p) && read_failure(p) == Failure::Indeterminate);
        if ran(&end) == Ran::No {
            assert_eq!(model.started, 0, "call {call} ran, and is said not to have: {end:?}");
        }
        if end == CallEnd::Indeterminate {
            assert!(model.unknown, "call {call} cannot have run, and is said to be unknown");
            let tried = model.sent == MAX_ATTEMPTS || model.or.is_some();
            assert!(tried || !(policy.idem || policy.persist), "call {call} could have been sent again");
        }
        assert!(!policy.idem || !says_so, "call {call} may run again, and is said to be unknown");
        model.outcome = Some(end);
        model.place = Place::Over;
        if says_so {
            self.event("indeterminate");
        }
    }

    fn check_outcome(&mut self, call: usize, session: u64, payload: &Bytes) {
        let number = execution_of(payload);
        let execution = &self.executions[number];
        let wanted = self.calls[call].intention;
        assert!(execution.ends.contains(payload), "call {call} is answered what no handler returned");
        assert_eq!(execution.intention, wanted, "call {call} has another's outcome");
        let intention = &self.intentions[wanted];
        let is_own = execution.call == call;
        if intention.policy().persist {
            let sealed = &self.operations[&intention.key().expect("an operation")].sealed;
            assert_eq!(sealed.as_ref(), Some(payload), "call {call} is answered what is not sealed");
        } else if intention.id.is_some() && !intention.policy().idem {
            assert!(is_own || execution.session == session, "call {call} has an outcome of another session");
        } else {
            assert!(is_own, "call {call} has another call's outcome");
        }
        if !is_own {
            self.event("replay");
        }
    }

    fn check_failure(&mut self, call: usize, failure: &Failure, now: Instant) {
        let model = &self.calls[call];
        let intention = &self.intentions[model.intention];
        let key = intention.key().filter(|_| !intention.policy().idem || intention.policy().persist);
        let operation = key.as_ref().and_then(|key| self.operations.get(key)).filter(|_| intention.policy().persist);
        let rivals = |key: &OperationKey| {
            let of_key = self.intentions.iter().filter(|other| other.key().as_ref() == Some(key));
            of_key
                .filter(|other| (other.method.id, &other.payload) != (intention.method.id, &intention.payload))
                .count()
        };
        match failure {
            Failure::InvalidPayload(_) => {}
            Failure::Busy(_) => self.event("busy"),
            Failure::Panicked => {
                let own = self.executions.iter().any(|e| e.intention == model.intention && e.panicked);
                assert!(own, "no handler of call {call} panicked");
                self.event("panicked");
            }
            Failure::DeadlineExceeded => {
                assert!(model.deadline.is_some_and(|deadline| deadline <= now), "call {call} has time left");
            }
            Failure::Indeterminate => match operation {
                Some(operation) => {
                    assert!(operation.granted, "call {call}: nothing was admitted that could be unknown");
                    assert_eq!(operation.sealed, None, "call {call}: what is unknown is sealed");
                }
                None => assert!(key.is_some(), "call {call} is no operation, and is said to be unknown"),
            },
            Failure::OperationConflict => {
                assert!(key.is_some_and(|key| rivals(&key) > 0), "call {call} is in conflict with nothing");
                self.event("conflict");
            }
            Failure::OperationExpired => {
                assert!(key.is_some(), "call {call} is no operation, and is expired");
                self.event("expired");
            }
            Failure::StoreUnavailable(ran) => {
                assert!(self.store_failed && intention.policy().persist, "call {call}: the store did not fail");
                if *ran == Ran::Unknown {
                    assert!(operation.is_some_and(|operation| operation.started > 0), "call {call}: nothing ran");
                }
                self.event("store unavailable");
            }
            Failure::Cancelled | Failure::UnknownMethod | Failure::InvalidResponse(_) => {
                panic!("call {call} was answered {failure:?}")
            }
        }
    }

    // ---- handlers ----

    /// A handler starts for an attempt. `operation`: under which key, and whether a store remembers it. Gives its number.
    pub(super) fn started(
        &mut self,
        session: u64,
        request: RequestId,
        payload: &[u8],
        operation: Option<(&OperationKey, bool)>,
    ) -> usize {
        let call = self.attempts[&(session, request)];
        let intention = self.calls[call].intention;
        let (wanted, policy) = (&self.intentions[intention], self.intentions[intention].policy());
        assert_eq!(payload, wanted.payload, "call {call} is served with other arguments");
        let model = &mut self.calls[call];
        model.started += 1;
        assert!(model.started == 1 || policy.idem, "call {call} runs a second time");
        if let Some(outcome) = &model.outcome {
            assert_ne!(ran(outcome), Ran::No, "call {call} runs, and was said not to");
        }
        match operation {
            None => assert!(!policy.persist, "call {call} runs outside of its operation"),
            Some((key, true)) => {
                assert_eq!(Some(key), wanted.key().as_ref(), "call {call} runs as another operation");
                let operation = self.operations.entry(key.clone()).or_default();
                assert_eq!(operation.sealed, None, "{key:?} runs though it is sealed");
                assert_eq!(operation.running, 0, "{key:?} runs twice at once");
                operation.started += 1;
                operation.running += 1;
                assert!(operation.started == 1 || policy.idem, "{key:?} runs a second time");
            }
            Some((key, false)) => {
                let started = self.local.entry((session, key.clone())).or_default();
                *started += 1;
                assert_eq!(*started, 1, "{key:?} runs a second time in one session");
            }
        }
        self.executions.push(Execution { call, intention, session, ends: Vec::new(), panicked: false });
        self.executions.len() - 1
    }

    /// A handler returned this, and it is its own response.
    pub(super) fn returned(&mut self, execution: usize, payload: Bytes) {
        self.stopped(execution);
        self.may_return(execution, payload);
    }

    /// A handler writes this as its outcome.
    pub(super) fn may_return(&mut self, execution: usize, payload: Bytes) {
        self.executions[execution].ends.push(payload);
    }

    pub(super) fn panicked(&mut self, execution: usize) {
        self.stopped(execution);
        self.executions[execution].panicked = true;
        let key = self.intentions[self.executions[execution].intention].key();
        if let Some(operation) = key.and_then(|key| self.operations.get_mut(&key)) {
            operation.panicked = true;
        }
    }

    /// A handler has ended, in whatever way; or its process has.
    pub(super) fn stopped(&mut self, execution: usize) {
        let intention = &self.intentions[self.executions[execution].intention];
        if intention.policy().persist
            && let Some(operation) = intention.key().and_then(|key| self.operations.get_mut(&key))
        {
            operation.running -= 1;
        }
    }

    /// An attempt is about to be answered with an outcome that a store remembers.
    pub(super) fn answered(&mut self, session: u64, request: RequestId, payload: &Bytes) {
        let key = self.intentions[self.intention_of(session, request)].key().expect("an operation");
        let sealed = self.operations.get(&key).and_then(|operation| operation.sealed.as_ref());
        assert_eq!(sealed, Some(payload), "{key:?} is answered before it is sealed");
    }

    // ---- the store ----

    pub(super) fn granted(&mut self, key: &OperationKey) {
        self.operations.entry(key.clone()).or_default().granted = true;
    }

    /// An outcome was committed as sealed, or was found sealed.
    pub(super) fn sealed(&mut self, key: &OperationKey, payload: &Bytes) {
        let operation = self.operations.entry(key.clone()).or_default();
        match &operation.sealed {
            Some(first) => assert_eq!(first, payload, "{key:?} was sealed before, with another outcome"),
            None => operation.sealed = Some(payload.clone()),
        }
    }

    pub(super) fn is_sealed(&self, key: &OperationKey) -> bool {
        self.operations.get(key).is_some_and(|operation| operation.sealed.is_some())
    }

    /// What an operation's handlers wrote is on the disk so often.
    pub(super) fn effects(&self, key: &OperationKey, times: u32) {
        let mut intentions = self.intentions.iter().filter(|intention| intention.key().as_ref() == Some(key));
        let Some(first) = intentions.next() else { return };
        let once = first.effect == Effect::WithSeal || !first.policy().idem;
        if intentions.next().is_some() {
            return;
        }
        assert!(times <= 1 || !once, "the effect of {key:?} is there {times} times");
        if first.effect == Effect::WithSeal {
            assert!(times == 0 || self.is_sealed(key), "the effect of {key:?} is there without its seal");
        }
    }
}

/// The whole response of a handler.
pub(super) fn response(execution: usize, is_error: bool, len: usize) -> Vec<u8> {
    let mut payload = if is_error { vec![crate::wire::ERR, crate::wire::USER] } else { vec![crate::wire::OK, 0] };
    payload.extend_from_slice(&(execution as u64).to_le_bytes());
    payload.resize(payload.len() + len, execution as u8);
    payload
}

fn execution_of(payload: &[u8]) -> usize {
    let number = payload.get(2..10).and_then(|bytes| bytes.try_into().ok()).expect("a handler's response");
    u64::from_le_bytes(number) as usize
}

fn read_failure(payload: &[u8]) -> Failure {
    Failure::read(&payload[1..]).expect("a response of the runtime's")
}

fn ran(end: &CallEnd) -> Ran {
    match end {
        CallEnd::NeverLeft(_) | CallEnd::NeverLeftInTime => Ran::No,
        CallEnd::Reply(payload) if is_outcome(payload) => Ran::Yes,
        CallEnd::Reply(payload) => VoxError::<()>::from(read_failure(payload)).ran(),
        CallEnd::DeadlineExceeded | CallEnd::Indeterminate => Ran::Unknown,
    }
}
