//! The store in an SQLite database: it outlives its process.
//!
//! One thread owns the connection. Whatever waits for it when it is free goes into one transaction, which is synced once:
//! the next begins when that has returned, so nothing waits for a timer, and a lone operation for nobody. No other thread
//! touches the disk.
//!
//! Several processes of one host may share a database. Each open store holds a lock of the operating system's on a file of
//! its own, which ends with the process: so a record says who runs its operation, and whoever finds it sees whether
//! that one still lives.

mod group;
mod layout;
mod owner;
mod record;
mod records;
mod statements;
#[allow(unsafe_code, reason = "asks SQLite what its bindings do not")]
mod transaction;
mod writer;

use std::fmt;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use tokio::sync::{mpsc, oneshot};

use self::transaction::Asked;
use self::writer::Job;
use super::{OperationStore, StoreError, StoreFuture, StoreLimits};
use crate::operation::{Admission, Fence, NewOperation, Operation, OperationKey, Outcome};

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

/// A store that is to be opened. Await it.
#[must_use = "nothing is opened until it is awaited"]
pub struct OpenSqlite {
    path: PathBuf,
    limits: StoreLimits,
    clock: Clock,
    busy: Duration,
    vfs: Option<String>,
}

type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// How long other processes may hold the database, unless it is said.
const BUSY: Duration = Duration::from_secs(5);

/// How many requests wait for the writing thread; those that come then wait for their turn.
const QUEUE: usize = 1024;

impl SqliteStore {
    /// Opens the database at `path`, or makes one there. It is on this host's disk: a database on a network's disk loses
    /// what it promised.
    pub fn open(path: impl Into<PathBuf>) -> OpenSqlite {
        OpenSqlite {
            path: path.into(),
            limits: StoreLimits::on_disk(),
            clock: Arc::new(SystemTime::now),
            busy: BUSY,
            vfs: None,
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

    /// The name of the SQLite file system to use, which was registered with SQLite: to test a disk that fails.
    pub fn vfs(mut self, name: impl Into<String>) -> Self {
        self.vfs = Some(name.into());
        self
    }
}

impl IntoFuture for OpenSqlite {
    type Output = Result<SqliteStore, StoreError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Self { path, limits, clock, busy, vfs } = self;
            limits.check().map_err(StoreError::Limit)?;
            let (queue, jobs) = mpsc::channel(QUEUE);
            let failure = Arc::new(OnceLock::new());
            let (opened, opening) = oneshot::channel();
            let writer =
                writer::Writer { limits: limits.clone(), clock: Arc::clone(&clock), failure: Arc::clone(&failure) };
            let of_writer = path.clone();
            let thread = std::thread::Builder::new().name("vox-store".to_owned());
            // It ends when its queue does, and nobody waits for that but `close`.
            let spawned = thread.spawn(move || writer.run(&of_writer, busy, vfs.as_deref(), jobs, opened));
            spawned.map_err(|error| StoreError::Unavailable(format!("no thread for it: {error}")))?;
            let ended = || StoreError::Unavailable("its thread has ended".to_owned());
            opening.await.map_err(|_| ended())??;
            Ok(SqliteStore { queue, failure, limits, clock, path })
        })
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
#[allow(unsafe_code, reason = "a file system of SQLite's that fails")]
mod failing;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
