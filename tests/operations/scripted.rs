//! A store that does what a test says, and otherwise what one in memory does.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::sync::Semaphore;
use vox::store::{Admission, Fence, NewOperation, OperationKey, Outcome};
use vox::store::{MemoryStore, OperationStore, StoreError, StoreFuture};

/// A store in memory that can be watched, held up, and made to fail.
#[derive(Default)]
pub struct Scripted {
    memory: MemoryStore,
    script: Mutex<Script>,
    /// While it holds calls back, one permit lets one of them go on.
    pub gate: Option<Semaphore>,
}

#[derive(Default)]
struct Script {
    log: Vec<&'static str>,
    admissions: VecDeque<Result<Admission, StoreError>>,
    failing_seals: usize,
    panics: bool,
}

impl Scripted {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// One whose every answer takes a permit.
    pub fn slow() -> Arc<Self> {
        Arc::new(Self { gate: Some(Semaphore::new(0)), ..Self::default() })
    }

    /// What the store was asked, in order.
    pub fn log(&self) -> Vec<&'static str> {
        self.script().log.clone()
    }

    /// What the next admission is, whatever the memory says.
    pub fn next_admission(&self, admission: Result<Admission, StoreError>) {
        self.script().admissions.push_back(admission);
    }

    /// The next seal fails, and seals nothing.
    pub fn fail_a_seal(&self) {
        self.script().failing_seals += 1;
    }

    /// The next question makes it panic.
    pub fn panic(&self) {
        self.script().panics = true;
    }

    pub fn let_go_on(&self, questions: usize) {
        self.gate.as_ref().expect("a slow store").add_permits(questions);
    }

    fn script(&self) -> std::sync::MutexGuard<'_, Script> {
        self.script.lock().expect("no panic")
    }

    async fn asked(&self, what: &'static str) {
        let panics = {
            let mut script = self.script();
            script.log.push(what);
            std::mem::take(&mut script.panics)
        };
        assert!(!panics, "on purpose, in the store");
        if let Some(gate) = &self.gate {
            gate.acquire().await.expect("never closed").forget();
        }
    }
}

impl OperationStore for Scripted {
    fn admit<'a>(&'a self, operation: &'a NewOperation) -> StoreFuture<'a, Admission> {
        Box::pin(async move {
            self.asked("admit").await;
            let scripted = self.script().admissions.pop_front();
            match scripted {
                Some(admission) => admission,
                None => self.memory.admit(operation).await,
            }
        })
    }

    fn seal<'a>(&'a self, key: &'a OperationKey, fence: Fence, outcome: Outcome) -> StoreFuture<'a, Outcome> {
        Box::pin(async move {
            self.asked("seal").await;
            let fails = {
                let mut script = self.script();
                let fails = script.failing_seals > 0;
                script.failing_seals -= usize::from(fails);
                fails
            };
            match fails {
                true => Err(StoreError::Unavailable("on purpose".to_owned())),
                false => self.memory.seal(key, fence, outcome).await,
            }
        })
    }

    fn release<'a>(&'a self, key: &'a OperationKey, fence: Fence) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            self.asked("release").await;
            self.memory.release(key, fence).await
        })
    }

    fn give_up<'a>(&'a self, key: &'a OperationKey, fence: Fence) -> StoreFuture<'a, Option<Outcome>> {
        Box::pin(async move {
            self.asked("give up").await;
            self.memory.give_up(key, fence).await
        })
    }

    fn acknowledge<'a>(&'a self, key: &'a OperationKey) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            self.asked("acknowledge").await;
            self.memory.acknowledge(key).await
        })
    }
}
