//! What a user's closure sees of the store.

use std::cell::RefCell;
use std::fmt;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rusqlite::{Connection, ffi};
use tokio::sync::oneshot;

use super::records::{Records, Step};
use crate::catch_panic::catch_panic;
use crate::operation::{Fence, Operation, OperationKey, Outcome};
use crate::store::StoreError;

/// A transaction on the store's database: it is used like the connection that it is made of.
///
/// It begins and ends with the closure it is given to. SQL that ends it, `COMMIT` for instance, poisons the store.
pub struct Transaction<'a> {
    connection: &'a Connection,
    records: &'a dyn SealOnce,
    max_outcome_bytes: usize,
    /// Why it must not be committed.
    refusal: RefCell<Option<StoreError>>,
}

/// The records, which have lifetimes of their own.
pub(super) trait SealOnce {
    fn seal_once(&self, key: &OperationKey, fence: Fence, outcome: &Outcome) -> Step<()>;
}

impl SealOnce for RefCell<&mut Records<'_, '_>> {
    fn seal_once(&self, key: &OperationKey, fence: Fence, outcome: &Outcome) -> Step<()> {
        self.borrow_mut().seal_once(key, fence, outcome)
    }
}

impl<'a> Transaction<'a> {
    pub(super) fn new(connection: &'a Connection, records: &'a dyn SealOnce, max_outcome_bytes: usize) -> Self {
        Self { connection, records, max_outcome_bytes, refusal: RefCell::new(None) }
    }

    /// Why it must not be committed, though its closure has nothing against that.
    pub(super) fn refusal(self) -> Option<Unkept> {
        let broken = owes_a_foreign_key(self.connection).then_some(Unkept::ForeignKey);
        self.refusal.into_inner().map(Unkept::Store).or(broken)
    }

    pub(super) fn seal<T, E>(&self, operation: &Operation, result: &Result<T, E>) -> Result<(), StoreError>
    where
        T: facet::Facet<'static>,
        E: facet::Facet<'static>,
    {
        let sealed = match operation.outcome(result, self.max_outcome_bytes) {
            // An error in it undid all of it, the effect too: sealed now, the outcome would stand alone.
            _ if self.connection.is_autocommit() => {
                let database = self.connection.path().unwrap_or_default();
                Err(StoreError::Unavailable(format!("the database {database}: the transaction has been undone")))
            }
            Ok(outcome) => match self.records.seal_once(operation.key(), operation.fence(), &outcome) {
                Ok(sealed) => sealed,
                Err(error) => Err(StoreError::Unavailable(error.to_string())),
            },
            Err(why) => Err(StoreError::InvalidOutcome(why)),
        };
        if let Err(error) = &sealed {
            self.refusal.borrow_mut().get_or_insert_with(|| error.clone());
        }
        sealed
    }
}

/// Whether a foreign key is broken whose check waits for the commit, which would fail for all who share it.
fn owes_a_foreign_key(connection: &Connection) -> bool {
    let (mut owed, mut unused) = (0, 0);
    // SAFETY: the connection is open as long as it is borrowed, on this thread; both numbers live longer than the call.
    let asked = unsafe {
        ffi::sqlite3_db_status(connection.handle(), ffi::SQLITE_DBSTATUS_DEFERRED_FKS, &mut owed, &mut unused, 0)
    };
    asked != ffi::SQLITE_OK || owed != 0
}

impl Deref for Transaction<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
    }
}

impl fmt::Debug for Transaction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Transaction")
    }
}

/// A closure that waits for its turn.
pub(super) trait Work: Send {
    fn run(self: Box<Self>, transaction: &Transaction<'_>) -> Box<dyn Worked>;

    /// It does not get one.
    fn fail(self: Box<Self>, error: StoreError);
}

/// A closure that has run, and what it returned.
pub(super) trait Worked {
    /// Whether what it did is to be kept.
    fn is_ok(&self) -> bool;

    /// Tells the one who waits how the transaction ended.
    fn answer(self: Box<Self>, kept: Result<(), Unkept>);
}

/// Why a closure that returned is not on the disk.
pub(super) enum Unkept {
    Store(StoreError),
    ForeignKey,
}

/// A closure, and who waits for what it returns.
pub(super) struct Asked<F, R, E> {
    pub(super) work: F,
    pub(super) answer: oneshot::Sender<Result<R, TransactionError<E>>>,
}

struct Returned<R, E> {
    result: Result<R, TransactionError<E>>,
    answer: oneshot::Sender<Result<R, TransactionError<E>>>,
}

impl<F, R, E> Work for Asked<F, R, E>
where
    F: FnOnce(&Transaction<'_>) -> Result<R, E> + Send,
    R: Send + 'static,
    E: Send + 'static,
{
    fn run(self: Box<Self>, transaction: &Transaction<'_>) -> Box<dyn Worked> {
        let Self { work, answer } = *self;
        let result = match catch_unwind(AssertUnwindSafe(|| work(transaction))) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(TransactionError::Aborted(error)),
            Err(payload) => {
                // Whatever is thrown may throw again when it is dropped.
                std::mem::forget(payload);
                Err(TransactionError::Panicked)
            }
        };
        Box::new(Returned { result, answer })
    }

    fn fail(self: Box<Self>, error: StoreError) {
        let Self { work, answer } = *self;
        catch_panic(move || drop(work));
        tell(answer, Err(TransactionError::Store(error)));
    }
}

impl<R, E> Worked for Returned<R, E> {
    fn is_ok(&self) -> bool {
        self.result.is_ok()
    }

    fn answer(self: Box<Self>, kept: Result<(), Unkept>) {
        let unkept = |unkept| match unkept {
            Unkept::Store(error) => TransactionError::Store(error),
            Unkept::ForeignKey => TransactionError::ForeignKey,
        };
        // What it says itself comes first: then nothing of it is there, whatever became of the others.
        let result = match (self.result, kept) {
            (Ok(value), Err(why)) => {
                catch_panic(move || drop(value));
                Err(unkept(why))
            }
            (result, _) => result,
        };
        tell(self.answer, result);
    }
}

/// Tells the task that waits, if it still does. Else what it would have been given is dropped here, on the thread that all share.
fn tell<T>(answer: oneshot::Sender<T>, result: T) {
    catch_panic(move || drop(answer.send(result)));
}

/// Why a transaction is not on the disk, or may not be.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransactionError<E> {
    /// Its closure returned an error. Nothing of it is there.
    Aborted(E),
    /// Its closure panicked. Nothing of it is there.
    Panicked,
    /// It would have broken a foreign key whose check is deferred to the transaction's end. Nothing of it is there.
    ForeignKey,
    /// The store could not do it. [`StoreError::Unavailable`] and [`StoreError::Poisoned`]: whether it is there is not known.
    Store(StoreError),
}

impl<E: fmt::Display> fmt::Display for TransactionError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aborted(error) => error.fmt(f),
            Self::Panicked => f.write_str("the transaction panicked"),
            Self::ForeignKey => f.write_str("the transaction leaves a foreign key that refers to nothing"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> std::error::Error for TransactionError<E> {}
