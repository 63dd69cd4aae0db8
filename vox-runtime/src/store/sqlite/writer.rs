//! The thread that owns the connection.

use std::cell::RefCell;
use std::collections::{HashSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use rusqlite::{Connection, ErrorCode};
use tokio::sync::{mpsc, oneshot};

use super::Clock;
use super::files::Files;
use super::group::Group;
use super::layout::{self, Open, Opening, damaged};
use super::records::{Context, News, Records, Sealed, Step};
use super::statements::Statements;
use super::transaction::{Transaction, Unkept, Work};
use crate::catch_panic::catch_panic;
use crate::operation::{Admission, Fence, NewOperation, OperationKey, Outcome};
use crate::store::{StoreError, StoreLimits};

/// What the thread is asked.
pub(super) enum Job {
    Admit(Box<NewOperation>, Answer<Admission>),
    Seal(OperationKey, Fence, Outcome, Answer<Outcome>),
    Release(OperationKey, Fence, Answer<()>),
    GiveUp(OperationKey, Fence, Answer<Option<Outcome>>),
    Acknowledge(OperationKey),
    Forget(OperationKey),
    Work(Box<dyn Work>),
    Close(oneshot::Sender<()>),
}

type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

/// What follows once the transaction has ended, and what is to be done because of it.
type Done = Box<dyn FnOnce(&Result<(), StoreError>) -> Option<DeferredJob>>;

/// What is done with the next transaction, and asks for none of its own.
enum DeferredJob {
    Acknowledge(OperationKey),
    Forget(OperationKey),
    /// An admission that nobody heard of, or one that could not be taken back when that was asked.
    Release(OperationKey, Fence),
    /// An end that could not be recorded. Until it is, the operation seems to run.
    GiveUp(OperationKey, Fence),
}

pub(super) struct Writer {
    pub(super) limits: StoreLimits,
    pub(super) clock: Clock,
    /// Why the store has stopped, for all to see.
    pub(super) failure: Arc<OnceLock<String>>,
}

/// How many requests one transaction may hold.
const MAX_GROUP: usize = 512;

/// How many acknowledgements wait before they get a transaction of their own.
const MAX_DEFERRED: usize = 1024;

impl Writer {
    /// Opens the database, says so, and serves until nobody can ask any more.
    pub(super) fn run(
        self,
        opening: &Opening<'_>,
        mut jobs: mpsc::Receiver<Job>,
        opened: oneshot::Sender<Result<(), StoreError>>,
    ) {
        let Open { connection, owner, path, mut files } = match layout::open(opening) {
            Ok(open) => open,
            Err(error) => return drop(opened.send(Err(error))),
        };
        let context =
            Context { limits: self.limits.clone(), owner: owner.id, database: path.into(), schemas: HashSet::new() };
        let mut closing = None;
        match Statements::new(&connection) {
            Err(error) => drop(opened.send(Err(StoreError::Unavailable(about(&context.database, error))))),
            Ok(mut statements) => {
                files.settle(&mut statements);
                if opened.send(Ok(())).is_ok() {
                    let thread = Thread {
                        writer: self,
                        connection: &connection,
                        files,
                        statements,
                        context,
                        sealed: Sealed::new(),
                        deferred: VecDeque::new(),
                        swept: None,
                    };
                    closing = thread.serve(&mut jobs);
                }
            }
        }
        drop(connection);
        drop(owner);
        if let Some(closed) = closing {
            // A caller that closed it may not wait.
            let _ = closed.send(());
        }
    }
}

struct Thread<'c> {
    writer: Writer,
    connection: &'c Connection,
    files: Files,
    statements: Statements<'c>,
    context: Context,
    sealed: Sealed,
    deferred: VecDeque<DeferredJob>,
    /// Up to where records have been looked at for some that are too old.
    swept: Option<OperationKey>,
}

impl<'c> Thread<'c> {
    fn serve(mut self, jobs: &mut mpsc::Receiver<Job>) -> Option<oneshot::Sender<()>> {
        let mut closing = None;
        while closing.is_none()
            && let Some(first) = jobs.blocking_recv()
        {
            let mut group = VecDeque::new();
            let mut next = Some(first);
            while let Some(job) = next.take() {
                match job {
                    Job::Acknowledge(key) => self.deferred.push_back(DeferredJob::Acknowledge(key)),
                    Job::Forget(key) => self.deferred.push_back(DeferredJob::Forget(key)),
                    Job::Close(closed) => {
                        closing = Some(closed);
                        break;
                    }
                    Job::Admit(..) | Job::Seal(..) | Job::Release(..) | Job::GiveUp(..) | Job::Work(_) => {
                        group.push_back(job)
                    }
                }
                if group.len() < MAX_GROUP && self.deferred.len() < MAX_DEFERRED {
                    next = jobs.try_recv().ok();
                }
            }
            if !group.is_empty() || self.deferred.len() >= MAX_DEFERRED {
                self.commit(group);
            }
        }
        if !self.deferred.is_empty() {
            self.commit(VecDeque::new());
        }
        closing
    }

    /// Does all of a group in one transaction, and answers when that is on the disk.
    fn commit(&mut self, mut group: VecDeque<Job>) {
        if let Some(failure) = self.writer.failure.get() {
            let error = StoreError::Poisoned(failure.clone());
            self.deferred.clear();
            return group.into_iter().for_each(|job| drop(job.fail(&error)));
        }
        let mut done = Vec::with_capacity(group.len());
        let committed = self.transact(&mut group, &mut done);
        self.files.settle(&mut self.statements);
        self.deferred.extend(done.into_iter().filter_map(|done| done(&committed)));
        if let Err(error) = &committed {
            // Those that the transaction did not come to.
            self.deferred.extend(group.into_iter().filter_map(|job| job.fail(error)));
        }
        self.bound_deferred();
    }

    /// Where the database is held by others for long, acknowledgements can be lost. The rest stays: there is one at most for
    /// each operation that was granted, and until it is done that one seems to run.
    fn bound_deferred(&mut self) {
        let mut room = 2 * MAX_DEFERRED;
        if self.deferred.len() > room {
            self.deferred.retain(|deferred| {
                let is_kept = room > 0 || !matches!(deferred, DeferredJob::Acknowledge(_) | DeferredJob::Forget(_));
                room = room.saturating_sub(1);
                is_kept
            });
        }
    }

    fn transact(&mut self, group: &mut VecDeque<Job>, done: &mut Vec<Done>) -> Result<(), StoreError> {
        if let Some(fault) = self.files.fault(self.connection, &mut self.statements) {
            return Err(self.poison(fault));
        }
        let now = self.now()?;
        self.statements.begin.execute(()).map_err(|error| self.unavailable(&error))?;
        let news = match self.work(now, group, done) {
            Ok(news) => news,
            Err(Stop::Ended) => return Err(self.poison(self.about("a transaction was ended by its own closure"))),
            Err(Stop::Failed(error)) => {
                // Some errors have undone it already.
                if !self.connection.is_autocommit()
                    && let Err(error) = self.statements.rollback.execute(())
                {
                    return Err(self.poison(self.about(format_args!("a transaction could not be undone: {error}"))));
                }
                return Err(self.unavailable(&error));
            }
        };
        if let Err(error) = self.statements.commit.execute(()) {
            return Err(self.poison(self.about(format_args!("a commit failed: {error}"))));
        }
        self.deferred.clear();
        news.remember(&mut self.context, &mut self.sealed);
        Ok(())
    }

    /// What time it is. The clock may be a user's.
    fn now(&self) -> Result<SystemTime, StoreError> {
        catch_unwind(AssertUnwindSafe(|| (self.writer.clock)())).map_err(|payload| {
            std::mem::forget(payload);
            StoreError::Unavailable(self.about("the store's clock panicked"))
        })
    }

    /// Does the jobs. What each answers waits for the commit.
    fn work(&mut self, now: SystemTime, group: &mut VecDeque<Job>, done: &mut Vec<Done>) -> Result<News, Stop> {
        let totals = Group::load(&mut self.statements)?;
        let mut records = Records {
            statements: &mut self.statements,
            group: totals,
            now,
            context: &self.context,
            sealed: &mut self.sealed,
            news: News::default(),
        };
        self.swept = records.sweep(self.swept.take())?;
        for deferred in &self.deferred {
            match deferred {
                DeferredJob::Acknowledge(key) => records.acknowledge(key)?,
                DeferredJob::Forget(key) => records.forget(key)?,
                // If it has ended otherwise, that is as well.
                DeferredJob::Release(key, fence) => drop(records.release(key, *fence)?),
                DeferredJob::GiveUp(key, fence) => drop(records.give_up(key, *fence)?),
            }
        }
        while let Some(job) = group.pop_front() {
            let (worked, after) = match job {
                Job::Admit(operation, answer) => admitted(records.admit(&operation), operation.key, answer),
                Job::Seal(key, fence, outcome, answer) => answered(records.seal(&key, fence, outcome), answer, None),
                Job::Release(key, fence, answer) => {
                    answered(records.release(&key, fence), answer, Some(DeferredJob::Release(key, fence)))
                }
                Job::GiveUp(key, fence, answer) => {
                    answered(records.give_up(&key, fence), answer, Some(DeferredJob::GiveUp(key, fence)))
                }
                Job::Work(work) => run(work, self.connection, &mut records),
                // These have been taken out.
                Job::Acknowledge(_) | Job::Forget(_) | Job::Close(_) => continue,
            };
            done.push(after);
            worked?;
        }
        records.group.save(records.statements, &self.context.limits)?;
        Ok(records.news)
    }

    fn unavailable(&self, error: &rusqlite::Error) -> StoreError {
        StoreError::Unavailable(match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                let (database, what) = (self.context.database.display(), damaged(&error.to_string()));
                format!("the database {database} cannot be used: {what}")
            }
            _ => self.about(error),
        })
    }

    fn about(&self, what: impl std::fmt::Display) -> String {
        about(&self.context.database, what)
    }

    fn poison(&self, failure: String) -> StoreError {
        catch_panic(|| tracing::error!(database = %self.context.database.display(), failure, "the store has stopped"));
        // What it may still hold others wait for. What was not committed is nobody's word.
        if !self.connection.is_autocommit() {
            let _ = self.connection.execute_batch("ROLLBACK");
        }
        // The first failure is the one that counts.
        drop(self.writer.failure.set(failure.clone()));
        StoreError::Unavailable(failure)
    }
}

/// What went wrong, and with which database.
fn about(database: &Path, what: impl std::fmt::Display) -> String {
    format!("the database {}: {what}", database.display())
}

/// Why a transaction stops before its end.
enum Stop {
    Failed(rusqlite::Error),
    /// It is over already, and what of it is there is not known.
    Ended,
}

impl From<rusqlite::Error> for Stop {
    fn from(error: rusqlite::Error) -> Self {
        Self::Failed(error)
    }
}

/// `again`: what is done with the next transaction where this one fails.
fn answered<T: 'static>(step: Step<T>, answer: Answer<T>, again: Option<DeferredJob>) -> (Result<(), Stop>, Done) {
    let (worked, result) = split(step);
    let after = move |committed: &Result<(), StoreError>| {
        // The one who asked may be gone.
        drop(answer.send(committed.clone().and(result)));
        again.filter(|_| committed.is_err())
    };
    (worked, Box::new(after))
}

fn admitted(step: Step<Admission>, key: OperationKey, answer: Answer<Admission>) -> (Result<(), Stop>, Done) {
    let (worked, result) = split(step);
    let after = move |committed: &Result<(), StoreError>| match answer.send(committed.clone().and(result)) {
        Err(Ok(Admission::Granted(fence))) => Some(DeferredJob::Release(key, fence)),
        Ok(()) | Err(_) => None,
    };
    (worked, Box::new(after))
}

/// What a step did to its transaction, and what it answers.
fn split<T>(step: Step<T>) -> (Result<(), Stop>, Result<T, StoreError>) {
    match step {
        Ok(result) => (Ok(()), result),
        Err(error) => {
            let answer = Err(StoreError::Unavailable(error.to_string()));
            (Err(error.into()), answer)
        }
    }
}

/// Runs a user's closure in a part of the transaction that can be undone.
fn run(work: Box<dyn Work>, connection: &Connection, records: &mut Records<'_, '_>) -> (Result<(), Stop>, Done) {
    if let Err(error) = records.statements.savepoint.execute(()) {
        let answer = StoreError::Unavailable(about(&records.context.database, &error));
        return (
            Err(error.into()),
            Box::new(move |_| {
                work.fail(answer);
                None
            }),
        );
    }
    let before = records.group.clone();
    let sealed_before = records.news.sealed.len();
    let max_outcome_bytes = records.context.limits.max_outcome_bytes;
    let cell = RefCell::new(&mut *records);
    let transaction = Transaction::new(connection, &cell, max_outcome_bytes);
    let worked = work.run(&transaction);
    let refusal = transaction.refusal();
    let undone = match worked.is_ok() && refusal.is_none() {
        true => Ok(0),
        false => {
            records.group = before;
            records.news.sealed.truncate(sealed_before);
            records.statements.undo.execute(())
        }
    };
    // Without the savepoint, this is another transaction than the one that was begun.
    let kept = undone.and_then(|_| records.statements.keep.execute(()));
    let stop = if kept.is_err() || connection.is_autocommit() { Err(Stop::Ended) } else { Ok(()) };
    let after = move |committed: &Result<(), StoreError>| {
        worked.answer(refusal.map_or_else(|| committed.clone().map_err(Unkept::Store), Err));
        None
    };
    (stop, Box::new(after))
}

impl Job {
    /// It is not done. Gives back what is done with the next transaction all the same.
    fn fail(self, error: &StoreError) -> Option<DeferredJob> {
        let error = error.clone();
        // The one who asked may be gone.
        match self {
            Self::Admit(_, answer) => drop(answer.send(Err(error))),
            Self::Seal(.., answer) => drop(answer.send(Err(error))),
            Self::Release(key, fence, answer) => {
                drop(answer.send(Err(error)));
                return Some(DeferredJob::Release(key, fence));
            }
            Self::GiveUp(key, fence, answer) => {
                drop(answer.send(Err(error)));
                return Some(DeferredJob::GiveUp(key, fence));
            }
            Self::Work(work) => work.fail(error),
            Self::Acknowledge(_) | Self::Forget(_) | Self::Close(_) => {}
        }
        None
    }
}
