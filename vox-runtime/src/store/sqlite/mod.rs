//! The store in an SQLite database: it outlives its process.
//!
//! One thread owns the connection. Whatever waits for it when it is free goes into one transaction, which is synced once:
//! the next begins when that has returned, so nothing waits for a timer, and a lone operation for nobody. No other thread
//! touches the disk.
//!
//! A store has its database to itself, or shares it with other stores of this host that all say so. Each open store holds a lock
//! of the operating system's on a file of its own, which ends with the process: so a store sees whether another one has the
//! database open, and a record says who runs its operation, and whether that one still lives.

mod files;
mod group;
mod layout;
mod owner;
mod record;
mod records;
mod statements;
mod totals;
#[allow(unsafe_code, reason = "asks SQLite what its bindings do not")]
mod transaction;
mod writer;

use std::fmt;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use tokio::sync::{mpsc, oneshot};

use self::layout::Opening;
use self::owner::Company;
use self::transaction::Asked;
use self::writer::Job;
use super::{OperationStore, StoreError, StoreFuture, StoreLimits};
use crate::operation::{Admission, Fence, NewOperation, Operation, OperationKey, Outcome};

#[cfg(fuzzing)]
pub(crate) use record::read_any as read_any_record;
pub use transaction::{Transaction, TransactionError};

/// Keeps operations in an SQLite database, in tables whose names begin with `vox_`. What else is in the database is the
/// user's, and [`transaction`](Self::transaction) writes to both at once.
///
/// What was answered is on the disk. A commit that fails leaves unknown what is there, so it
/// [poisons](StoreError::Poisoned) the store, which then does nothing any more; opened again it goes on.
///
/// ```
/// # extern crate vox_runtime as vox;
/// use std::sync::Arc;
/// use vox::store::SqliteStore;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = std::env::temp_dir().join(format!("vox-store-{}", vox::OperationId::new()));
/// # std::fs::create_dir(&directory)?;
/// # let path = directory.join("bank.db");
/// let store = Arc::new(SqliteStore::open(path).await?);
/// let server = vox::Server::builder(); // .store(store.clone())
/// # drop(server);
/// store.close().await;
/// # std::fs::remove_dir_all(directory)?;
/// # Ok(())
/// # }
/// ```
pub struct SqliteStore {
    queue: mpsc::Sender<Job>,
    failure: Arc<OnceLock<String>>,
    limits: StoreLimits,
    clock: Clock,
    path: PathBuf,
}

/// A store that is to be opened: a future, which opens it when it is polled. What it is told after its first poll comes too late, and
/// changes nothing.
#[must_use = "nothing is opened until it is awaited"]
pub struct OpenSqlite {
    path: PathBuf,
    limits: StoreLimits,
    clock: Clock,
    busy: Duration,
    vfs: Option<String>,
    company: Company,
    check: Duration,
    /// Once it is polled.
    begun: Option<Beginning>,
}

type Beginning = Pin<Box<dyn Future<Output = Result<SqliteStore, StoreError>> + Send>>;

type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// How long other processes may hold the database, unless it is said.
const BUSY: Duration = Duration::from_secs(5);

/// How long the tables are checked when the store is opened, unless it is said.
const CHECK: Duration = Duration::from_secs(1);

/// How many requests wait for the writing thread; those that come then wait for their turn.
const QUEUE: usize = 1024;

impl SqliteStore {
    /// Opens the database at `path`, or makes one there. It is on this host's disk: a database on a network's disk loses
    /// what it promised.
    ///
    /// While another store has it open, in this process or another one, this one is refused: see [`OpenSqlite::shared`].
    pub fn open(path: impl Into<PathBuf>) -> OpenSqlite {
        OpenSqlite {
            path: path.into(),
            limits: StoreLimits::on_disk(),
            clock: Arc::new(SystemTime::now),
            busy: BUSY,
            vfs: None,
            company: Company::Alone,
            check: CHECK,
            begun: None,
        }
    }

    /// Runs `work` on the store's thread, in a transaction that it shares with others that wait, each of which can fail
    /// alone. Its writes are on the disk when this gives `Ok`. Where it returns an error or panics, nothing of it is.
    ///
    /// The store does nothing else meanwhile, so `work` should be short, and must not wait for the store.
    ///
    /// ```
    /// # extern crate vox_runtime as vox;
    /// # use vox::store::{SqliteStore, rusqlite};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let directory = std::env::temp_dir().join(format!("vox-store-{}", vox::OperationId::new()));
    /// # std::fs::create_dir(&directory)?;
    /// # let store = SqliteStore::open(directory.join("bank.db")).await?;
    /// let accounts = store
    ///     .transaction(|tx| {
    ///         tx.execute_batch("CREATE TABLE account (id INTEGER PRIMARY KEY, cents INTEGER)")?;
    ///         tx.execute("INSERT INTO account VALUES (?1, ?2)", (7, 1_000))
    ///     })
    ///     .await?;
    /// assert_eq!(accounts, 1);
    /// # store.close().await;
    /// # std::fs::remove_dir_all(directory)?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn transaction<R, E>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<R, E> + Send + 'static,
    ) -> Result<R, TransactionError<E>>
    where
        R: Send + 'static,
        E: Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let work = Box::new(Asked { work, answer });
        self.send(Job::Work(work)).await.map_err(TransactionError::Store)?;
        answered.await.unwrap_or_else(|_| Err(TransactionError::Store(self.gone())))
    }

    /// Seals the outcome that a handler is about to return, in the transaction that holds its effect: both are there, or
    /// neither. What the handler returns afterwards is not looked at: this is the operation's outcome.
    ///
    /// A transaction in which this fails is not committed, whatever its closure returns: the operation has been sealed
    /// before, its admission has ended, or the method does not return such a result.
    ///
    /// ```no_run
    /// # extern crate vox_runtime as vox;
    /// # use std::error::Error;
    /// # use vox::Operation;
    /// # use vox::store::SqliteStore;
    /// async fn pay(store: &SqliteStore, operation: Operation, cents: i64) -> Result<i64, String> {
    ///     let paid = store.transaction(move |tx| -> Result<_, Box<dyn Error + Send + Sync>> {
    ///         let changed = tx.execute("UPDATE account SET cents = cents - ?1 WHERE cents >= ?1", (cents,))?;
    ///         let outcome = if changed == 1 { Ok(cents) } else { Err("too little money".to_owned()) };
    ///         SqliteStore::seal_in(tx, &operation, &outcome)?;
    ///         Ok(outcome)
    ///     });
    ///     paid.await.unwrap_or_else(|error| Err(error.to_string()))
    /// }
    /// ```
    pub fn seal_in<T, E>(
        transaction: &Transaction<'_>,
        operation: &Operation,
        outcome: &Result<T, E>,
    ) -> Result<(), StoreError>
    where
        T: facet::Facet<'static>,
        E: facet::Facet<'static>,
    {
        transaction.seal(operation, outcome)
    }

    /// Does what is asked already, closes the database, and says that this owner is gone. Later requests fail.
    pub async fn close(&self) {
        let (answer, answered) = oneshot::channel();
        if self.queue.send(Job::Close(answer)).await.is_ok() {
            // It is closed either way once the thread has ended.
            drop(answered.await);
        }
    }

    /// What stopped the store, if something did.
    pub fn failure(&self) -> Option<&str> {
        self.failure.get().map(String::as_str)
    }

    async fn send(&self, job: Job) -> Result<(), StoreError> {
        match self.failure.get() {
            Some(failure) => Err(StoreError::Poisoned(failure.clone())),
            None => self.queue.send(job).await.map_err(|_| self.gone()),
        }
    }

    async fn ask<T>(&self, job: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Job) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.send(job(answer)).await?;
        answered.await.unwrap_or_else(|_| Err(self.gone()))
    }

    fn gone(&self) -> StoreError {
        StoreError::Unavailable(format!("{} is closed", self.path.display()))
    }
}

impl OpenSqlite {
    /// Other limits than [`StoreLimits::on_disk`]. Where one of them is not what the table of [`StoreLimits`] says that it may be, the store
    /// is not opened: [`StoreError::Limit`].
    pub fn limits(mut self, limits: StoreLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Another clock than the system's.
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// How long another process may hold the database before what waits for it fails. 5 s unless it is said.
    pub fn busy_timeout(mut self, limit: Duration) -> Self {
        self.busy = limit;
        self
    }

    /// Other stores may have the database open too, if they were opened with this as well: those of several servers on this host, say,
    /// or of an old and a new process while one takes over from the other. Without this, a second store is refused.
    pub fn shared(mut self) -> Self {
        self.company = Company::Shared;
        self
    }

    /// How long SQLite may check the store's tables against their indices before the store is open, and then count the records, whose totals
    /// are put right if they have drifted. 1 s each unless it is said; with zero nothing is checked. Where the tables are too large for that time, the
    /// rest is checked as it is looked up, and the totals stay.
    pub fn check_for(mut self, limit: Duration) -> Self {
        self.check = limit;
        self
    }

    /// The name of the SQLite file system to use, which was registered with SQLite: to test a disk that fails.
    pub fn vfs(mut self, name: impl Into<String>) -> Self {
        self.vfs = Some(name.into());
        self
    }
}

impl Future for OpenSqlite {
    type Output = Result<SqliteStore, StoreError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if this.begun.is_none() {
            let whole = std::mem::replace(this, SqliteStore::open(""));
            this.begun = Some(Box::pin(whole.run()));
        }
        this.begun.as_mut().map_or(Poll::Pending, |opening| opening.as_mut().poll(cx))
    }
}

impl OpenSqlite {
    async fn run(self) -> Result<SqliteStore, StoreError> {
        let Self { path, limits, clock, busy, vfs, company, check, begun: _ } = self;
        limits.check().map_err(StoreError::Limit)?;
        let (queue, jobs) = mpsc::channel(QUEUE);
        let failure = Arc::new(OnceLock::new());
        let (opened, opening) = oneshot::channel();
        let unavailable = |what: String| StoreError::Unavailable(format!("the database {}: {what}", path.display()));
        let writer =
            writer::Writer { limits: limits.clone(), clock: Arc::clone(&clock), failure: Arc::clone(&failure) };
        // Files that this process makes beside the database are found by the same path when it changes its directory.
        let absolute = std::path::absolute(&path).unwrap_or_else(|_| path.clone());
        let thread = std::thread::Builder::new().name("vox-store".to_owned());
        // It ends when its queue does, and nobody waits for that but `close`.
        let spawned = thread.spawn(move || {
            let opening = Opening { path: &absolute, busy, vfs: vfs.as_deref(), company, check };
            writer.run(&opening, jobs, opened);
        });
        spawned.map_err(|error| unavailable(format!("no thread for it: {error}")))?;
        let ended = || unavailable("its thread has ended".to_owned());
        opening.await.map_err(|_| ended())??;
        Ok(SqliteStore { queue, failure, limits, clock, path })
    }
}

impl OperationStore for SqliteStore {
    fn admit<'a>(&'a self, operation: &'a NewOperation) -> StoreFuture<'a, Admission> {
        Box::pin(self.ask(|answer| Job::Admit(Box::new(operation.clone()), answer)))
    }

    fn seal<'a>(&'a self, key: &'a OperationKey, fence: Fence, outcome: Outcome) -> StoreFuture<'a, Outcome> {
        Box::pin(async move {
            let (len, limit) = (outcome.bytes.len(), self.limits.max_outcome_bytes);
            match len <= limit {
                true => self.ask(|answer| Job::Seal(key.clone(), fence, outcome, answer)).await,
                false => Err(StoreError::OutcomeTooLarge { len, limit }),
            }
        })
    }

    fn release<'a>(&'a self, key: &'a OperationKey, fence: Fence) -> StoreFuture<'a, ()> {
        Box::pin(self.ask(move |answer| Job::Release(key.clone(), fence, answer)))
    }

    fn give_up<'a>(&'a self, key: &'a OperationKey, fence: Fence) -> StoreFuture<'a, Option<Outcome>> {
        Box::pin(self.ask(move |answer| Job::GiveUp(key.clone(), fence, answer)))
    }

    /// Is done together with what is asked next, so that it costs no sync of its own.
    fn acknowledge<'a>(&'a self, key: &'a OperationKey) -> StoreFuture<'a, ()> {
        Box::pin(self.send(Job::Acknowledge(key.clone())))
    }

    /// Is done together with what is asked next, too.
    fn forget<'a>(&'a self, key: &'a OperationKey) -> StoreFuture<'a, ()> {
        Box::pin(self.send(Job::Forget(key.clone())))
    }

    fn time(&self) -> SystemTime {
        (self.clock)()
    }

    fn max_outcome_bytes(&self) -> usize {
        self.limits.max_outcome_bytes
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore")
            .field("path", &self.path)
            .field("failure", &self.failure())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for OpenSqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenSqlite").field("path", &self.path).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod crash;
#[cfg(test)]
mod damage;
#[cfg(test)]
#[allow(unsafe_code, reason = "a file system of SQLite's that fails")]
mod failing;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod shares;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
