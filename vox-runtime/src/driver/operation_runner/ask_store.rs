//! Asks the store, which may answer at once, take its time, or fail.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;

use super::{OperationRunner, OperationTable, Start};
use crate::catch_panic::{Contained, catch_panic};
use crate::descriptor::MethodDescriptor;
use crate::operation::{Admission, NewOperation, OperationKey, Outcome};
use crate::proto::{Operations, Round, Step, StoreFailed};
use crate::store::{MemoryStore, StoreError};

/// How long to wait before another process is asked again whether it is done: at first, and at most.
const FIRST_WAIT: Duration = Duration::from_millis(10);
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// What the store said.
pub(super) enum Told {
    Admitted(OperationKey, Result<Admission, StoreFailed>),
    Sealed(OperationKey, Result<Outcome, StoreFailed>),
    LetGo(OperationKey, Option<Outcome>),
    /// It was sealed with an outcome that cannot be read any more, and why.
    Unreadable(OperationKey, String),
}

impl Told {
    /// Tells the operations. Gives the one that is over with it.
    pub(super) fn tell<R>(self, operations: &mut Operations<R>) -> Option<OperationKey> {
        match self {
            Self::Admitted(key, admission) => {
                operations.admitted(&key, admission);
                None
            }
            Self::Unreadable(key, why) => {
                operations.unreadable(&key, why);
                None
            }
            Self::Sealed(key, sealed) => {
                operations.sealed(&key, sealed);
                Some(key)
            }
            Self::LetGo(key, sealed) => {
                operations.let_go(&key, sealed);
                Some(key)
            }
        }
    }
}

impl OperationRunner {
    /// Does one of the steps that are the store's. Gives what it says, if it says so at once.
    pub(super) fn ask_store(self: &Arc<Self>, step: Step<Box<Start>>) -> Option<Told> {
        // Half of what asking costs is the futures.
        let step = match (step, self.store.in_memory()) {
            (Step::Admit(operation), Some(memory)) => {
                let key = operation.key.clone();
                let mut admission = memory.admit_at_once(&operation, memory.now());
                while matches!(admission, Err(StoreError::Full { .. })) && self.forget_oldest(memory) {
                    admission = memory.admit_at_once(&operation, memory.now());
                }
                let admission = admission.map_err(|error| failed("admit", &key, &error));
                return Some(self.admitted(&operation, key, admission));
            }
            (Step::Seal { key, fence, outcome }, Some(memory)) => {
                let sealed = memory.seal_at_once(&key, fence, outcome.bytes.clone(), outcome.schema.clone());
                let sealed = sealed.map(|before| before.unwrap_or(outcome));
                let sealed = sealed.map_err(|error| failed("seal", &key, &error));
                return Some(Told::Sealed(key, sealed));
            }
            (step, _) => step,
        };
        let store = Arc::clone(&self.store);
        match step {
            Step::Admit(operation) => {
                let (key, this, about) = (operation.key.clone(), Arc::clone(self), Arc::clone(&operation));
                let admit = async move { store.admit(&operation).await };
                self.ask("admit", key, admit, move |key, admission| this.admitted(&about, key, admission))
            }
            Step::Seal { key, fence, outcome } => {
                let about = key.clone();
                self.ask("seal", key, async move { store.seal(&about, fence, outcome).await }, Told::Sealed)
            }
            Step::Release { key, fence } => {
                let about = key.clone();
                let release = async move { store.release(&about, fence).await };
                self.ask("release", key, release, |key, _| Told::LetGo(key, None))
            }
            Step::GiveUp { key, fence } => {
                let about = key.clone();
                let give_up = async move { store.give_up(&about, fence).await };
                self.ask("give up", key, give_up, |key, sealed| Told::LetGo(key, sealed.ok().flatten()))
            }
            Step::Forget { key } => {
                self.tell_to_forget(key);
                None
            }
            Step::Run { .. } | Step::Wait { .. } | Step::Abort(_) | Step::Answer { .. } | Step::Over(_) => None,
        }
    }

    /// The answer to an admission: an outcome that another version of the method sealed is written as this version would.
    fn admitted(&self, operation: &NewOperation, key: OperationKey, admission: Result<Admission, StoreFailed>) -> Told {
        match admission {
            Ok(Admission::Replay(outcome)) if outcome.schema != operation.schema => {
                let method = self.method_of(operation);
                match method.ok_or_else(|| "its method is not served".to_owned()).and_then(|m| carried(m, &outcome)) {
                    Ok(bytes) => {
                        let outcome = Outcome { bytes, schema: operation.schema.clone() };
                        Told::Admitted(key, Ok(Admission::Replay(outcome)))
                    }
                    Err(why) => Told::Unreadable(key, why),
                }
            }
            admission => Told::Admitted(key, admission),
        }
    }

    /// The method that is called, in the version that this operation is of.
    fn method_of(&self, operation: &NewOperation) -> Option<&'static MethodDescriptor> {
        let of_id = (operation.method, usize::MIN)..=(operation.method, usize::MAX);
        let table = self.lock();
        let mut versions = table.methods.range(of_id).map(|(_, known)| known);
        versions.find(|(_, schema)| *schema == operation.schema).map(|(method, _)| *method)
    }

    /// Makes room where only so many are remembered: of the one that has been over for longest the outcome goes, and so it is not run
    /// again. `false`: there is none.
    fn forget_oldest(&self, memory: &MemoryStore) -> bool {
        let oldest = {
            let mut table = self.lock();
            let OperationTable { operations, over, .. } = &mut *table;
            let oldest = over.iter().position(|key| !operations.is_live(key));
            oldest.and_then(|place| over.remove(place))
        };
        if let Some(key) = &oldest {
            memory.acknowledge_at_once(key);
        }
        oldest.is_some()
    }

    /// Asks. What is not said at once is told to the operations when it is.
    fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        what: &'static str,
        key: OperationKey,
        question: impl Future<Output = Result<T, StoreError>> + Send + 'static,
        told: impl FnOnce(OperationKey, Result<T, StoreFailed>) -> Told + Send + 'static,
    ) -> Option<Told> {
        let told = move |result: Result<T, StoreError>| {
            let result = result.map_err(|error| failed(what, &key, &error));
            told(key, result)
        };
        match self.at_once(question) {
            Ok(result) => Some(told(result)),
            Err(mut question) => {
                let this = Arc::clone(self);
                self.runtime().spawn(async move {
                    let result = poll_fn(|cx| poll(&mut question, cx)).await;
                    this.drain(None, Some(told(result)));
                });
                None
            }
        }
    }

    /// Tells the store that nobody knows of an operation that is over. There are no more of these at once than operations end, each of
    /// which has asked the store before.
    fn tell_to_forget(self: &Arc<Self>, key: OperationKey) {
        let store = Arc::clone(&self.store);
        let done = |result: Result<(), StoreError>| {
            if let Err(error) = result {
                catch_panic(|| tracing::debug!(%error, "an operation that nobody knows of was not forgotten"));
            }
        };
        match self.at_once(async move { store.forget(&key).await }) {
            Ok(result) => done(result),
            Err(mut question) => drop(self.runtime().spawn(async move {
                done(poll_fn(|cx| poll(&mut question, cx)).await);
            })),
        }
    }

    /// Tells the store that a caller has an outcome.
    pub(super) fn tell_store(self: &Arc<Self>, key: OperationKey) {
        let store = Arc::clone(&self.store);
        let done = |this: &Self, result: Result<(), StoreError>| {
            this.acknowledging.fetch_sub(1, Ordering::Relaxed);
            if let Err(error) = result {
                catch_panic(|| tracing::debug!(%error, "an acknowledgement was not taken"));
            }
        };
        match self.at_once(async move { store.acknowledge(&key).await }) {
            Ok(result) => done(self, result),
            Err(mut question) => {
                let this = Arc::clone(self);
                self.runtime().spawn(async move {
                    let result = poll_fn(|cx| poll(&mut question, cx)).await;
                    done(&this, result);
                });
            }
        }
    }

    /// The answer, if it is there at once; else the question, to go on with.
    fn at_once<T>(
        &self,
        question: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<Result<T, StoreError>, Question<T>> {
        let mut question: Question<T> = Contained::new(|| Box::pin(question));
        match poll(&mut question, &mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => Ok(result),
            Poll::Pending => Err(question),
        }
    }

    /// Another process runs the operation: looks again after a while.
    pub(super) fn wait(self: &Arc<Self>, key: OperationKey, round: Round, times: u32) {
        let this = Arc::clone(self);
        let wait = FIRST_WAIT.saturating_mul(1 << times.min(10)).min(LONGEST_WAIT);
        self.runtime().spawn(async move {
            tokio::time::sleep(wait).await;
            this.lock().operations.ask_again(&key, round);
            this.drain(None, None);
        });
    }
}

/// An outcome that another version of the method sealed, as this version writes it. Runs defaults of a user's types.
#[cold]
fn carried(method: &'static MethodDescriptor, outcome: &Outcome) -> Result<Bytes, String> {
    let refusal = method.schema().refusal("the response", &outcome.schema).map_or(Ok(()), Err);
    let mut carried = Err("a default or a drop of its types panicked".to_owned());
    let found = refusal.and_then(|()| {
        catch_panic(|| carried = (method.carried)(&outcome.bytes, &outcome.schema));
        carried
    });
    let MethodDescriptor { service, name, .. } = method;
    found.map_err(|why| {
        format!("`{service}.{name}` has run, and another version of the service (`there`) sealed its outcome: {why}")
    })
}

fn failed(what: &str, key: &OperationKey, error: &StoreError) -> StoreFailed {
    catch_panic(|| tracing::warn!(%error, operation = %key.id, "the store failed to {what} an operation"));
    StoreFailed
}

type Question<T> = Contained<Result<T, StoreError>>;

/// A store that panics is one that fails.
fn poll<T>(question: &mut Question<T>, cx: &mut Context<'_>) -> Poll<Result<T, StoreError>> {
    let panicked = || Err(StoreError::Unavailable("it panicked".to_owned()));
    Pin::new(question).poll(cx).map(|said| said.unwrap_or_else(panicked))
}
