//! Asking the store, which may be ready at once, or take its time, or fail.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::{Operating, Start};
use crate::operation::OperationKey;
use crate::proto::{Round, Step, StoreFailed};
use crate::store::StoreError;

/// How long to wait before another process is asked again whether it is done: at first, and at most.
const FIRST_WAIT: Duration = Duration::from_millis(10);
const LONGEST_WAIT: Duration = Duration::from_secs(1);

type Question<T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send>>;

impl Operating {
    /// Does one of the steps that are the store's.
    pub(super) fn ask_store(self: &Arc<Self>, step: Step<Start>) {
        let store = Arc::clone(&self.store);
        match step {
            Step::Admit(operation) => {
                let key = operation.key.clone();
                self.ask(async move { store.admit(&operation).await }, move |this, admission| {
                    let admission = admission.map_err(|error| failed("admit", &key, &error));
                    this.lock().operations.admitted(&key, admission);
                });
            }
            Step::Seal { key, fence, outcome } => {
                let about = key.clone();
                self.ask(async move { store.seal(&about, fence, outcome).await }, move |this, sealed| {
                    let sealed = sealed.map_err(|error| failed("seal", &key, &error));
                    this.lock().operations.sealed(&key, sealed);
                    this.remember(&key);
                });
            }
            Step::Release { key, fence } => {
                let about = key.clone();
                self.ask(async move { store.release(&about, fence).await }, move |this, released| {
                    let _ = released.map_err(|error| failed("release", &key, &error));
                    this.lock().operations.let_go(&key, None);
                });
            }
            Step::GiveUp { key, fence } => {
                let about = key.clone();
                self.ask(async move { store.give_up(&about, fence).await }, move |this, sealed| {
                    let sealed = sealed.map_err(|error| failed("give up", &key, &error));
                    this.lock().operations.let_go(&key, sealed.ok().flatten());
                    this.remember(&key);
                });
            }
            Step::Wait { key, round, times } => self.wait(key, round, times),
            Step::Run { .. } | Step::Abort(_) | Step::Answer { .. } | Step::Over(_) => {}
        }
    }

    /// Asks; what comes of it is told to `then`, here and now if it is there at once.
    pub(super) fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        question: impl Future<Output = Result<T, StoreError>> + Send + 'static,
        then: impl FnOnce(&Arc<Self>, Result<T, StoreError>) + Send + 'static,
    ) {
        let mut question: Question<T> = Box::pin(question);
        match poll(&mut question, &mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => then(self, result),
            Poll::Pending => {
                let this = Arc::clone(self);
                self.runtime().spawn(async move {
                    let result = poll_fn(|cx| poll(&mut question, cx)).await;
                    then(&this, result);
                    this.drain(None);
                });
            }
        }
    }

    /// Another process runs the operation: looks again after a while.
    fn wait(self: &Arc<Self>, key: OperationKey, round: Round, times: u32) {
        let this = Arc::clone(self);
        let wait = FIRST_WAIT.saturating_mul(1 << times.min(10)).min(LONGEST_WAIT);
        self.runtime().spawn(async move {
            tokio::time::sleep(wait).await;
            this.lock().operations.ask_again(&key, round);
            this.drain(None);
        });
    }
}

/// A store that panics is one that fails.
fn poll<T>(question: &mut Question<T>, cx: &mut Context<'_>) -> Poll<Result<T, StoreError>> {
    catch_unwind(AssertUnwindSafe(|| question.as_mut().poll(cx))).unwrap_or_else(|payload| {
        super::super::hosting::quietly(move || drop(payload));
        Poll::Ready(Err(StoreError::Unavailable("it panicked".to_owned())))
    })
}

fn failed(what: &str, key: &OperationKey, error: &StoreError) -> StoreFailed {
    tracing::warn!(%error, operation = %key.id, "the store failed to {what} an operation");
    StoreFailed
}
