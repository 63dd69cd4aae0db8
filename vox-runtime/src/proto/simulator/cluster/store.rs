//! The store that the servers share: records on a disk that is written in groups, each synced as a whole or not at all.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::super::Rng;
use super::world::World;
use crate::operation::{Admission, Fence, NewOperation, OperationKey, Outcome};
use crate::proto::{Round, StoreFailed};
use crate::store::{MemoryStore, OperationStore, StoreError, StoreFuture, StoreLimits};

/// The time of day, in milliseconds, for all.
pub(super) type Wall = Arc<AtomicU64>;

/// What is written: the records, and what handlers wrote of their own.
pub(super) struct Disk {
    pub(super) records: MemoryStore,
    pub(super) effects: BTreeMap<OperationKey, u32>,
    wall: Wall,
}

/// What a process asks of the store.
#[derive(Debug)]
pub(super) enum Job {
    Admit(Arc<NewOperation>),
    Seal {
        key: OperationKey,
        fence: Fence,
        outcome: Outcome,
    },
    Release {
        key: OperationKey,
        fence: Fence,
    },
    GiveUp {
        key: OperationKey,
        fence: Fence,
    },
    Acknowledge(OperationKey),
    /// A handler writes its effect, and perhaps its seal, in one transaction.
    Transaction {
        handler: u64,
        key: OperationKey,
        fence: Fence,
        seal: Option<Outcome>,
    },
}

/// What a process hears, in its own time.
#[derive(Debug)]
pub(super) enum Heard {
    Admitted(OperationKey, Result<Admission, StoreFailed>),
    Sealed(OperationKey, Result<Outcome, StoreFailed>),
    LetGo(OperationKey, Option<Outcome>),
    Transacted(u64, Result<(), StoreFailed>),
    Acknowledged,
    /// It is time to look again whether another process is done.
    Again(OperationKey, Round),
}

/// What a group changes, once it is on the disk.
#[derive(Debug)]
pub(super) enum Fact {
    Granted(OperationKey, Fence),
    Sealed(OperationKey, bytes::Bytes),
    Stuck(OperationKey),
    Acknowledged,
    SealedInTransaction,
    Failed,
}

/// One process's way to the store.
#[derive(Default)]
pub(super) struct Writer {
    pub(super) queue: Vec<Job>,
    pub(super) group: Option<Group>,
    pub(super) heard: Vec<Heard>,
    /// A commit failed: whatever is asked from then on fails.
    pub(super) poisoned: bool,
}

/// What is written and not yet synced.
pub(super) struct Group {
    pub(super) disk: Disk,
    facts: Vec<Fact>,
    /// What is heard of each job if the group is committed, and if it is not.
    heard: Vec<(Heard, Heard)>,
}

impl Disk {
    pub(super) fn new(rng: &mut Rng, wall: &Wall) -> Self {
        let limits = StoreLimits {
            max_records: *rng.pick(&[3, 100, 100]),
            max_tombstones: *rng.pick(&[0, 2, 100, 100]),
            max_floors: *rng.pick(&[1, 100]),
            ..StoreLimits::default()
        };
        Self { records: MemoryStore::within(limits, clock(wall)), effects: BTreeMap::new(), wall: Arc::clone(wall) }
    }

    fn copy(&self) -> Self {
        let records = self.records.copy(clock(&self.wall));
        Self { records, effects: self.effects.clone(), wall: Arc::clone(&self.wall) }
    }

    /// Their owner's process is gone: nobody will ever end these.
    fn bury(&self, grants: &[(OperationKey, Fence)]) {
        for (key, fence) in grants {
            let _ = at_once(self.records.give_up(key, *fence));
        }
    }
}

pub(super) fn clock(wall: &Wall) -> impl Fn() -> SystemTime + Send + Sync + 'static {
    let wall = Arc::clone(wall);
    move || UNIX_EPOCH + Duration::from_millis(wall.load(Ordering::Relaxed))
}

/// The answer of a store that is ready at once.
pub(super) fn at_once<T>(mut future: StoreFuture<'_, T>) -> Result<T, StoreError> {
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("what is in memory is ready at once"),
    }
}

impl Job {
    fn fails(self) -> Heard {
        match self {
            Self::Admit(operation) => Heard::Admitted(operation.key.clone(), Err(StoreFailed)),
            Self::Seal { key, .. } => Heard::Sealed(key, Err(StoreFailed)),
            Self::Release { key, .. } | Self::GiveUp { key, .. } => Heard::LetGo(key, None),
            Self::Acknowledge(_) => Heard::Acknowledged,
            Self::Transaction { handler, .. } => Heard::Transacted(handler, Err(StoreFailed)),
        }
    }

    /// After such a failure the record stays as it is.
    fn leaves_stuck(&self) -> Option<OperationKey> {
        match self {
            Self::Release { key, .. } | Self::GiveUp { key, .. } => Some(key.clone()),
            Self::Admit(_) | Self::Seal { .. } | Self::Acknowledge(_) | Self::Transaction { .. } => None,
        }
    }

    fn failure(&self) -> Heard {
        match self {
            Self::Admit(operation) => Heard::Admitted(operation.key.clone(), Err(StoreFailed)),
            Self::Seal { key, .. } => Heard::Sealed(key.clone(), Err(StoreFailed)),
            Self::Release { key, .. } | Self::GiveUp { key, .. } => Heard::LetGo(key.clone(), None),
            Self::Acknowledge(_) => Heard::Acknowledged,
            Self::Transaction { handler, .. } => Heard::Transacted(*handler, Err(StoreFailed)),
        }
    }
}

impl Group {
    fn apply(&mut self, job: Job) {
        let failure = job.failure();
        let heard = self.write(job);
        self.heard.push((heard, failure));
    }

    fn write(&mut self, job: Job) -> Heard {
        let Self { disk, facts, .. } = self;
        let records = &disk.records;
        match job {
            Job::Admit(operation) => {
                let admission = at_once(records.admit(&operation)).map_err(|_| StoreFailed);
                match &admission {
                    Ok(Admission::Granted(fence)) => {
                        let (made, now) = (operation.key.id.time(), clock(&disk.wall)());
                        let is_old = made + StoreLimits::default().retention + Duration::from_millis(1) < now;
                        assert!(
                            !is_old && made <= now + StoreLimits::default().clock_slack,
                            "an expired id is admitted"
                        );
                        facts.push(Fact::Granted(operation.key.clone(), *fence));
                    }
                    Ok(_) => {}
                    // There is no room.
                    Err(StoreFailed) => facts.push(Fact::Failed),
                }
                Heard::Admitted(operation.key.clone(), admission)
            }
            Job::Seal { key, fence, outcome } => {
                let sealed = at_once(records.seal(&key, fence, outcome)).map_err(|_| StoreFailed);
                facts.push(match &sealed {
                    Ok(outcome) => Fact::Sealed(key.clone(), outcome.bytes.clone()),
                    Err(StoreFailed) => Fact::Failed,
                });
                Heard::Sealed(key, sealed)
            }
            Job::Release { key, fence } => {
                let _ = at_once(records.release(&key, fence));
                Heard::LetGo(key, None)
            }
            Job::GiveUp { key, fence } => {
                let sealed = at_once(records.give_up(&key, fence)).ok().flatten();
                Heard::LetGo(key, sealed)
            }
            Job::Acknowledge(key) => {
                let _ = at_once(records.acknowledge(&key));
                facts.push(Fact::Acknowledged);
                Heard::Acknowledged
            }
            Job::Transaction { handler, key, fence, seal } => {
                if let Some(outcome) = seal {
                    match at_once(records.seal(&key, fence, outcome.clone())) {
                        Ok(sealed) if sealed == outcome => facts.push(Fact::Sealed(key.clone(), outcome.bytes)),
                        _ => return Heard::Transacted(handler, Err(StoreFailed)),
                    }
                    facts.push(Fact::SealedInTransaction);
                }
                *disk.effects.entry(key).or_default() += 1;
                Heard::Transacted(handler, Ok(()))
            }
        }
    }
}

impl World {
    /// A process asks the store.
    pub(super) fn ask_store(&mut self, p: usize, job: Job) {
        self.note("asks the store", &[p as u64], &job);
        self.processes[p].writer.queue.push(job);
        if self.prompt && self.processes.iter().all(|process| process.writer.group.is_none()) {
            self.write_group(p);
            self.sync(p, true);
        }
    }

    /// A process's store begins with a group, or is done with one.
    pub(super) fn store_step(&mut self, p: usize) {
        if self.processes[p].writer.group.is_none() {
            return self.write_group(p);
        }
        let fails = self.chaos && self.rng.percent(self.commit_failures);
        self.sync(p, !fails);
    }

    fn write_group(&mut self, p: usize) {
        // One writes at a time.
        if self.processes[p].writer.queue.is_empty() || self.processes.iter().any(|p| p.writer.group.is_some()) {
            return;
        }
        let count = 1 + self.rng.below(self.processes[p].writer.queue.len());
        let jobs: Vec<Job> = self.processes[p].writer.queue.drain(..count).collect();
        self.note("writes a group", &[p as u64, count as u64], &());
        if self.processes[p].writer.poisoned {
            for job in jobs {
                self.stuck(p, job.leaves_stuck());
                self.processes[p].writer.heard.push(job.fails());
            }
            return;
        }
        let mut group = Group { disk: self.disk.copy(), facts: Vec::new(), heard: Vec::new() };
        for job in jobs {
            if self.chaos && self.rng.percent(self.store_failures) {
                self.model.store_failed = true;
                group.facts.extend(job.leaves_stuck().map(Fact::Stuck));
                // A seal may fail after it had its effect; an admission that failed leaves nothing admitted.
                if matches!(job, Job::Seal { .. }) && self.rng.percent(50) {
                    let failure = job.failure();
                    group.write(job);
                    group.heard.push((failure, Heard::Acknowledged));
                    continue;
                }
                let failure = job.failure();
                group.heard.push((failure, job.fails()));
            } else {
                group.apply(job);
            }
        }
        self.processes[p].writer.group = Some(group);
    }

    fn stuck(&mut self, p: usize, key: Option<OperationKey>) {
        if let Some(key) = key {
            self.model.operations.entry(key).or_default().stuck = Some(p);
        }
    }

    /// The group is on the disk, or nobody knows.
    fn sync(&mut self, p: usize, well: bool) {
        let Some(group) = self.processes[p].writer.group.take() else { return };
        self.note("syncs", &[p as u64, well.into()], &());
        let heard: Vec<_> = if well {
            let heard: Vec<_> = group.heard.into_iter().map(|(heard, _)| heard).collect();
            self.commit(p, group.disk, group.facts);
            heard
        } else {
            self.model.event("commit failed");
            self.model.store_failed = true;
            self.processes[p].writer.poisoned = true;
            // All that was asked for may have happened.
            let heard: Vec<_> = group.heard.into_iter().map(|(_, heard)| heard).collect();
            if self.rng.percent(50) {
                self.commit(p, group.disk, group.facts);
            }
            heard
        };
        self.processes[p].writer.heard.extend(heard);
    }

    fn commit(&mut self, p: usize, disk: Disk, facts: Vec<Fact>) {
        self.disk = disk;
        for fact in facts {
            match fact {
                Fact::Granted(key, fence) => {
                    self.model.granted(&key);
                    self.processes[p].grants.push((key, fence));
                }
                Fact::Sealed(key, payload) => self.model.sealed(&key, &payload),
                Fact::Stuck(key) => self.stuck(p, Some(key)),
                Fact::Acknowledged => self.model.event("acknowledged"),
                Fact::Failed => self.model.store_failed = true,
                Fact::SealedInTransaction => self.model.event("sealed in a transaction"),
            }
        }
        for (key, times) in &self.disk.effects {
            self.model.effects(key, *times);
        }
    }

    /// The store of a process that is killed: what is not synced is lost, or just was, and nobody heard.
    pub(super) fn crash_store(&mut self, p: usize) {
        if let Some(group) = self.processes[p].writer.group.take() {
            self.model.event("group lost");
            if self.rng.percent(30) {
                self.commit(p, group.disk, group.facts);
            }
        }
        let grants = std::mem::take(&mut self.processes[p].grants);
        self.disk.bury(&grants);
        for other in &self.processes {
            if let Some(group) = &other.writer.group {
                group.disk.bury(&grants);
            }
        }
    }

    /// A process hears one of the answers that wait for it.
    pub(super) fn hear(&mut self, p: usize) {
        if self.processes[p].writer.heard.is_empty() {
            return;
        }
        let at = self.rng.below(self.processes[p].writer.heard.len());
        let heard = self.processes[p].writer.heard.swap_remove(at);
        self.note("hears", &[p as u64], &heard);
        let operations = &mut self.processes[p].table.operations;
        match heard {
            Heard::Admitted(key, admission) => operations.admitted(&key, admission),
            Heard::Sealed(key, sealed) => operations.sealed(&key, sealed),
            Heard::LetGo(key, sealed) => operations.let_go(&key, sealed),
            Heard::Again(key, round) => operations.ask_again(&key, round),
            Heard::Transacted(handler, result) => self.transacted(p, handler, result),
            Heard::Acknowledged => {}
        }
        self.pump(p);
    }
}
