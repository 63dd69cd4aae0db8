//! The live operations: which attempts share one, whether its handler runs, and what each attempt is answered.
//!
//! An operation is live from its first attempt until its outcome is final. The store is asked before its handler starts and
//! again before anybody is answered; both are effects, whose results come back as inputs. Nothing is remembered here of an
//! operation that is over: the store knows.
//!
//! What always holds: an attempt gets exactly one answer; an outcome is answered only once it is sealed; while an operation is
//! live, its handler runs at most once; an attempt that leaves takes no other with it.
//!
//! `R` is whatever starts a handler. It comes with an attempt and is given back, once, to be run.

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use crate::error::Ran;
use crate::ids::{ConnectionId, MethodId, RequestId};
use crate::operation::{Admission, Digest, Fence, NewOperation, OperationKey, Outcome};
use crate::schema::SchemaHash;
use crate::sorted::Sorted;
use crate::wire::Failure;

/// Lists of attempts that are kept for reuse.
const SPARES: usize = 8;
/// For how many attempts such a list has room at most.
const SPARE: usize = 16;

/// One request of one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Attempt {
    pub(crate) session: u64,
    pub(crate) connection: ConnectionId,
    pub(crate) request: RequestId,
}

/// Which wait for another process's handler: an answer to an earlier one comes too late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Round(u64);

/// The store did not do what it was asked; why is in the logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StoreFailed;

/// What an attempt is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The sealed response.
    Outcome(Bytes),
    Failure(Failure),
}

/// How an operation's handler ended.
#[derive(Debug)]
pub(crate) enum OperationEnd {
    /// It returned, or its response could not be encoded: this is the response, and it is to be kept.
    Returned(Outcome),
    /// It was never started: the operation may be tried anew.
    Refused(Failure),
    /// It panicked, or was aborted: there is no outcome and never will be.
    Broken(Failure),
}

/// What the operations want done next.
#[derive(Debug)]
pub(crate) enum Step<R> {
    /// Ask the store to admit it; `admitted` takes the store's answer.
    Admit(Arc<NewOperation>),
    /// Another process runs it. After a while, longer each time, call `ask_again`.
    Wait { key: OperationKey, round: Round, times: u32 },
    /// Run its handler; `handler_ended` says how it ended. `detached`: the attempt that it came with is gone.
    Run { operation: Arc<NewOperation>, fence: Fence, attempt: Attempt, runnable: R, detached: bool },
    /// End the handler that came with this attempt.
    Abort(Attempt),
    /// Ask the store to make this outcome final; `sealed` says what is.
    Seal { key: OperationKey, fence: Fence, outcome: Outcome },
    /// Ask the store to take the admission back; then `let_go`.
    Release { key: OperationKey, fence: Fence },
    /// Tell the store that there will be no outcome; then `let_go`.
    GiveUp { key: OperationKey, fence: Fence },
    /// Reply. `runs_on`: the handler that came with this attempt has not ended.
    Answer { attempt: Attempt, answer: Answer, runs_on: bool },
    /// Tell the store that nobody will ask for it again: nobody knows its id.
    Forget { key: OperationKey },
    /// The handler that came with this attempt, which was answered before, has ended.
    Over(Attempt),
}

/// All live operations, by key.
#[derive(Debug)]
pub(crate) struct Operations<R> {
    live: Sorted<OperationKey, Live<R>, 64>,
    steps: VecDeque<Step<R>>,
    rounds: u64,
    /// Empty ones, for those who wait.
    spares: Vec<Vec<Attempt>>,
}

#[derive(Debug)]
struct Live<R> {
    /// What it is. Nobody asks once its handler runs.
    operation: Option<Arc<NewOperation>>,
    method: MethodId,
    digest: Digest,
    schema: SchemaHash,
    /// Its handler goes on when nobody waits for it.
    runs_on_alone: bool,
    /// Its id was made here and told nobody, so only those who wait ask for its outcome.
    unnamed: bool,
    /// Whose handler it is that runs, or will.
    origin: Attempt,
    /// `None` once it runs.
    runnable: Option<R>,
    /// Who gets the answer.
    waiting: Vec<Attempt>,
    /// Attempts that are made anew when this is over: to do something else, while nobody knows yet what the id belongs to, or
    /// such that came when there was nothing to share any more.
    later: Vec<(Attempt, NewOperation, R)>,
    phase: Phase,
}

#[derive(Debug, Clone, PartialEq)]
enum Phase {
    /// The store was asked.
    Admitting {
        times: u32,
    },
    /// Another process runs it.
    Elsewhere {
        round: Round,
        times: u32,
    },
    Running(Fence),
    /// Nobody waits any more for a handler that does not run on alone; it was told to end.
    Aborting(Fence, Failure),
    Sealing(Fence),
    /// The store was told that there will be no outcome. Unless it knows of one, every attempt that waits gets this.
    LettingGo(Failure),
}

impl<R> Default for Operations<R> {
    fn default() -> Self {
        Self { live: Sorted::default(), steps: VecDeque::new(), rounds: 0, spares: Vec::new() }
    }
}

impl<R> Operations<R> {
    /// What there is to do next.
    pub(crate) fn poll_step(&mut self) -> Option<Step<R>> {
        self.steps.pop_front()
    }

    /// Whether there is anything to do.
    pub(crate) fn has_steps(&self) -> bool {
        !self.steps.is_empty()
    }

    /// How many operations are live.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.live.len()
    }

    /// Whether the operation is live.
    pub(crate) fn is_live(&self, key: &OperationKey) -> bool {
        self.live.contains_key(key)
    }

    /// An attempt arrived.
    pub(crate) fn attempt(&mut self, attempt: Attempt, operation: NewOperation, runnable: R) {
        if let Some(live) = self.live.get_mut(&operation.key) {
            let is_same = live.method == operation.method && live.digest == operation.digest;
            match live.phase {
                // What the store says when this is over holds for it, and not what those hear who are in it now.
                Phase::Aborting(..) | Phase::LettingGo(_) => live.later.push((attempt, operation, runnable)),
                // What another version of the method returns is written as this one would only when it is read from the store.
                _ if is_same && live.schema != operation.schema.hash() => {
                    live.later.push((attempt, operation, runnable))
                }
                _ if is_same => live.waiting.push(attempt),
                Phase::Admitting { .. } => live.later.push((attempt, operation, runnable)),
                Phase::Elsewhere { .. } | Phase::Running(_) | Phase::Sealing(_) => {
                    let answer = Answer::Failure(Failure::OperationConflict);
                    self.steps.push_back(Step::Answer { attempt, answer, runs_on: false });
                }
            }
            return;
        }
        let mut live = self.entry(attempt, &operation, Phase::Admitting { times: 0 });
        let (key, operation) = (operation.key.clone(), Arc::new(operation));
        self.steps.push_back(Step::Admit(Arc::clone(&operation)));
        (live.operation, live.runnable) = (Some(operation), Some(runnable));
        self.live.insert(key, live);
    }

    /// An attempt arrived at an operation that is not live, and the store, asked in the same moment, has granted it: the
    /// one who reports this runs its handler.
    pub(crate) fn attempt_granted(&mut self, attempt: Attempt, operation: &NewOperation, fence: Fence) {
        let live = self.entry(attempt, operation, Phase::Running(fence));
        let before = self.live.insert(operation.key.clone(), live);
        debug_assert!(before.is_none(), "a live operation was granted again");
    }

    /// The operation's id was made here and is told nobody: once it is over, its record serves nobody.
    pub(crate) fn is_unnamed(&mut self, key: &OperationKey) {
        if let Some(live) = self.live.get_mut(key) {
            live.unnamed = true;
        }
    }

    fn entry(&mut self, origin: Attempt, operation: &NewOperation, phase: Phase) -> Live<R> {
        let mut waiting = self.spares.pop().unwrap_or_default();
        waiting.push(origin);
        let NewOperation { method, digest, policy, .. } = *operation;
        let runs_on_alone = policy.persist;
        Live {
            operation: None,
            method,
            digest,
            schema: operation.schema.hash(),
            runs_on_alone,
            unnamed: false,
            origin,
            runnable: None,
            waiting,
            later: Vec::new(),
            phase,
        }
    }

    /// The store answered an `Admit`.
    pub(crate) fn admitted(&mut self, key: &OperationKey, admission: Result<Admission, StoreFailed>) {
        let Some(live) = self.live.get_mut(key) else { return };
        let Phase::Admitting { times } = live.phase else { return };
        let answer = match admission {
            Ok(Admission::Granted(fence)) => return self.granted(key, fence),
            Ok(Admission::Running) if live.waiting.is_empty() => {
                live.refuse_rivals(&mut self.steps);
                self.live.remove(key);
                return;
            }
            Ok(Admission::Running) => {
                live.refuse_rivals(&mut self.steps);
                self.rounds += 1;
                let round = Round(self.rounds);
                live.phase = Phase::Elsewhere { round, times: times + 1 };
                self.steps.push_back(Step::Wait { key: key.clone(), round, times });
                return;
            }
            Ok(Admission::Replay(outcome)) => Answer::Outcome(outcome.bytes),
            Ok(Admission::Conflict) => Answer::Failure(Failure::OperationConflict),
            Ok(Admission::Indeterminate) => Answer::Failure(Failure::Indeterminate),
            Ok(Admission::Expired) => Answer::Failure(Failure::OperationExpired),
            Err(StoreFailed) => Answer::Failure(Failure::StoreUnavailable(Ran::No)),
        };
        self.finish(key, &answer);
    }

    /// As [`Self::admitted`]: it is sealed, with an outcome that nobody can read any more, and why.
    pub(crate) fn unreadable(&mut self, key: &OperationKey, why: String) {
        if let Some(Live { phase: Phase::Admitting { .. }, .. }) = self.live.get(key) {
            self.finish(key, &Answer::Failure(Failure::InvalidResponse(why)));
        }
    }

    fn granted(&mut self, key: &OperationKey, fence: Fence) {
        let Some(live) = self.live.get_mut(key) else { return };
        if live.waiting.is_empty() && !live.runs_on_alone {
            live.phase = Phase::LettingGo(Failure::Cancelled);
            return self.steps.push_back(Step::Release { key: key.clone(), fence });
        }
        let (Some(operation), Some(runnable)) = (live.operation.take(), live.runnable.take()) else { return };
        live.refuse_rivals(&mut self.steps);
        live.phase = Phase::Running(fence);
        let (attempt, detached) = (live.origin, !live.waiting.contains(&live.origin));
        self.steps.push_back(Step::Run { operation, fence, attempt, runnable, detached });
    }

    /// The time of a `Wait` is over.
    pub(crate) fn ask_again(&mut self, key: &OperationKey, over: Round) {
        let Some(live) = self.live.get_mut(key) else { return };
        if let Phase::Elsewhere { round, times } = live.phase
            && round == over
            && let Some(operation) = &live.operation
        {
            live.phase = Phase::Admitting { times };
            self.steps.push_back(Step::Admit(Arc::clone(operation)));
        }
    }

    /// The handler has ended. The first end under a fence counts.
    pub(crate) fn handler_ended(&mut self, key: &OperationKey, fence: Fence, end: OperationEnd) {
        let Some(live) = self.live.get_mut(key) else { return };
        let aborted = match &live.phase {
            Phase::Running(running) if *running == fence => None,
            Phase::Aborting(running, failure) if *running == fence => Some(failure.clone()),
            _ => return,
        };
        let key = key.clone();
        // What returned in spite of an abort has an outcome like any other.
        match (end, aborted) {
            (OperationEnd::Returned(outcome), _) => {
                live.phase = Phase::Sealing(fence);
                self.steps.push_back(Step::Seal { key, fence, outcome });
            }
            (OperationEnd::Refused(failure), _) => {
                live.phase = Phase::LettingGo(failure);
                self.steps.push_back(Step::Release { key, fence });
            }
            (OperationEnd::Broken(failure), aborted) => {
                live.phase = Phase::LettingGo(aborted.unwrap_or(failure));
                self.steps.push_back(Step::GiveUp { key, fence });
            }
        }
    }

    /// The handler has returned, and nobody but the attempt that it came with has ever asked for it. `seal` asks the store in
    /// the same moment to make the outcome final. If it does, the operation is over, and that attempt is to be answered so;
    /// otherwise nothing has happened.
    pub(crate) fn returned_alone<T>(
        &mut self,
        key: &OperationKey,
        fence: Fence,
        seal: impl FnOnce() -> Option<T>,
    ) -> Option<(Attempt, T)> {
        let live = self.live.get(key)?;
        let alone = live.phase == Phase::Running(fence) && live.waiting == [live.origin] && live.later.is_empty();
        let sealed = if alone { seal()? } else { return None };
        let Live { origin, waiting, .. } = self.live.remove(key)?;
        self.keep_spare(waiting);
        Some((origin, sealed))
    }

    fn keep_spare(&mut self, mut waiting: Vec<Attempt>) {
        if self.spares.len() < SPARES && waiting.capacity() <= SPARE {
            waiting.clear();
            self.spares.push(waiting);
        }
    }

    /// The store answered a `Seal`: with what is sealed, by this process or another.
    pub(crate) fn sealed(&mut self, key: &OperationKey, sealed: Result<Outcome, StoreFailed>) {
        let Some(live) = self.live.get_mut(key) else { return };
        let Phase::Sealing(fence) = live.phase else { return };
        match sealed {
            Ok(outcome) => self.finish(key, &Answer::Outcome(outcome.bytes)),
            Err(StoreFailed) => {
                // Without a word to the store the operation would count as running for as long as this process lives.
                live.phase = Phase::LettingGo(Failure::StoreUnavailable(Ran::Unknown));
                self.steps.push_back(Step::GiveUp { key: key.clone(), fence });
            }
        }
    }

    /// The store answered a `Release` or a `GiveUp`, well or not. `sealed`: the handler had sealed an outcome itself.
    pub(crate) fn let_go(&mut self, key: &OperationKey, sealed: Option<Outcome>) {
        let Some(Live { phase: Phase::LettingGo(failure), .. }) = self.live.get(key) else { return };
        let answer = match sealed {
            Some(outcome) => Answer::Outcome(outcome.bytes),
            None => Answer::Failure(failure.clone()),
        };
        self.finish(key, &answer);
    }

    /// An attempt's caller cancelled it, ran out of time, or is gone. It alone is answered so.
    pub(crate) fn attempt_gone(&mut self, key: &OperationKey, attempt: Attempt, why: Failure) {
        let Some(live) = self.live.get_mut(key) else { return };
        if let Some(place) = live.later.iter().position(|(later, ..)| *later == attempt) {
            live.later.remove(place);
            return self.steps.push_back(Step::Answer { attempt, answer: Answer::Failure(why), runs_on: false });
        }
        let Some(place) = live.waiting.iter().position(|waiting| *waiting == attempt) else { return };
        if let Phase::Running(fence) = live.phase
            && live.waiting.len() == 1
            && !live.runs_on_alone
        {
            // It is answered once the handler has ended: until then it takes the room that its caller was given.
            live.phase = Phase::Aborting(fence, why);
            return self.steps.push_back(Step::Abort(live.origin));
        }
        if let Phase::Aborting(..) = live.phase {
            return;
        }
        live.waiting.remove(place);
        let runs_on = attempt == live.origin && live.handler_started();
        let given_up = live.waiting.is_empty() && matches!(live.phase, Phase::Elsewhere { .. });
        self.steps.push_back(Step::Answer { attempt, answer: Answer::Failure(why), runs_on });
        if given_up {
            self.live.remove(key);
        }
    }

    /// The operation is over: everybody who still waits gets the same.
    fn finish(&mut self, key: &OperationKey, answer: &Answer) {
        let Some(mut live) = self.live.remove(key) else { return };
        if live.runnable.is_none() && !live.waiting.contains(&live.origin) {
            self.steps.push_back(Step::Over(live.origin));
        }
        for attempt in live.waiting.drain(..) {
            self.steps.push_back(Step::Answer { attempt, answer: answer.clone(), runs_on: false });
        }
        self.keep_spare(live.waiting);
        // The replies are in their sessions by now, which give them again over every link that they get.
        if live.unnamed {
            self.steps.push_back(Step::Forget { key: key.clone() });
        }
        for (attempt, operation, runnable) in live.later {
            self.attempt(attempt, operation, runnable);
        }
    }
}

impl<R> Live<R> {
    /// The id belongs to this operation, and not to those that wait to know.
    fn refuse_rivals(&mut self, steps: &mut VecDeque<Step<R>>) {
        let answer = Answer::Failure(Failure::OperationConflict);
        for (attempt, ..) in self.later.drain(..) {
            steps.push_back(Step::Answer { attempt, answer: answer.clone(), runs_on: false });
        }
    }

    /// Whether the handler was started, and its end is not yet on record.
    fn handler_started(&self) -> bool {
        self.runnable.is_none()
    }
}
