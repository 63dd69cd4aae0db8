//! Stores: what remembers operations, so that one that ran is not run again.
//!
//! An [`OperationStore`] holds one record for each operation of a `persist` method. A record is *granted* while a handler
//! runs, then *sealed* with the outcome, or *given up* if there will be none; when its caller has the outcome it shrinks to a
//! *tombstone*, which goes at the horizon. The runtime asks and tells through the trait; what is kept where is the store's.

pub mod conformance;

mod limits;
mod memory;
mod rules;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::fmt;
use std::pin::Pin;
use std::time::SystemTime;

pub use limits::StoreLimits;
pub use memory::MemoryStore;
#[cfg(feature = "sqlite")]
pub use rusqlite;
#[cfg(all(feature = "sqlite", fuzzing))]
pub(crate) use sqlite::read_any_record;
#[cfg(feature = "sqlite")]
pub use sqlite::{OpenSqlite, SqliteStore, Transaction, TransactionError};

use crate::escaped::Escaped;
use crate::limits::LimitError;
pub use crate::operation::{Admission, Digest, Fence, Holder, NewOperation, OperationKey, Outcome, PeerKey};

/// What a store's methods give.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Remembers operations.
///
/// Each method is one atomic step: what it looks at and what it changes are not apart. When its future is ready with `Ok`,
/// the step is as durable as the store makes anything. A future that is dropped may or may not have had its effect; an
/// admission that nobody heard of must not stay granted.
///
/// A store fails closed: where it cannot say what is asked, it answers with an error and never with a guess.
pub trait OperationStore: Send + Sync + 'static {
    /// Asks whether an attempt may run. In this order:
    ///
    /// 1. An id older than the retention, or further in the future than clocks may differ, is `Expired`; so is one that was
    ///    acknowledged, and one of which the store has forgotten whether it was.
    /// 2. A record of another method or digest: `Conflict`.
    /// 3. A sealed record whose outcome can be read: `Replay`, with the schema that it was sealed with. But where the method
    ///    may run again (`idem`) and its schema as it is now does not [read](crate::descriptor::Schema::reads) that one, as in 5.
    /// 4. A granted record, whose owner lives: `Running`.
    /// 5. A record that was given up, whose owner is dead, or that cannot be read: `Granted` anew where the method's policy
    ///    says that it may run again (`idem`), else `Indeterminate`.
    /// 6. No record: `Granted`, and from now on there is one. No room for it: [`StoreError::Full`], also where one principal or one peer has its share.
    fn admit<'a>(&'a self, operation: &'a NewOperation) -> StoreFuture<'a, Admission>;

    /// Makes an outcome final, and gives back the one that is: sealing is absorbing, so where the record was sealed under this
    /// fence before, that is the older one.
    ///
    /// [`StoreError::Fenced`] if the record is not there, or is not of this fence, or was given up;
    /// [`StoreError::OutcomeTooLarge`] if it is longer than [`max_outcome_bytes`](Self::max_outcome_bytes), and then
    /// the record is as it was, so that a shorter outcome can be sealed in its place.
    fn seal<'a>(&'a self, key: &'a OperationKey, fence: Fence, outcome: Outcome) -> StoreFuture<'a, Outcome>;

    /// Takes an admission back: the handler never started. The id is as if it had not been seen; or, where it was granted
    /// anew, its record is one that was given up: an earlier handler may have run.
    ///
    /// [`StoreError::Fenced`] if there is no granted record of this fence.
    fn release<'a>(&'a self, key: &'a OperationKey, fence: Fence) -> StoreFuture<'a, ()>;

    /// Records that there will be no outcome: the handler started, and ended without one. Later attempts are
    /// `Indeterminate`, or `Granted` anew under `idem`.
    ///
    /// A sealed record stays sealed, and its outcome is given back: the handler had sealed it before it failed.
    /// [`StoreError::Fenced`] if there is no record of this fence.
    fn give_up<'a>(&'a self, key: &'a OperationKey, fence: Fence) -> StoreFuture<'a, Option<Outcome>>;

    /// The caller has the outcome and will not ask again: the outcome goes, and a tombstone stays until the horizon, so
    /// that an attempt that arrives late is `Expired`. An operation that is not known, or still runs, stays as it is.
    ///
    /// An acknowledgement may be lost when the process dies; the record then stays until the horizon.
    fn acknowledge<'a>(&'a self, key: &'a OperationKey) -> StoreFuture<'a, ()>;

    /// Nobody will ever ask for this operation again, because nobody else knows its id: its record goes without a trace, if it has
    /// ended. One that still runs, or that is not known, stays as it is. It may be lost as an acknowledgement may.
    ///
    /// Done as an acknowledgement unless a store does better.
    fn forget<'a>(&'a self, key: &'a OperationKey) -> StoreFuture<'a, ()> {
        self.acknowledge(key)
    }

    /// What time it is by the clock that ids are judged by. Peers are told in the handshake, and make ids by it. The system's
    /// unless a store says otherwise.
    fn time(&self) -> SystemTime {
        SystemTime::now()
    }

    /// The longest outcome that can be sealed. 1 MiB unless a store says otherwise.
    fn max_outcome_bytes(&self) -> usize {
        1 << 20
    }

    /// The store in memory, which can be asked without futures.
    #[doc(hidden)]
    fn in_memory(&self) -> Option<&MemoryStore> {
        None
    }
}

/// Why a store could not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreError {
    /// It could not do it, or cannot say whether it did; says why. It may work again.
    Unavailable(String),
    /// It could not say whether something was written, and therefore does nothing any more; says what happened.
    Poisoned(String),
    /// There is no room for another record.
    Full {
        /// Which of the fields of [`StoreLimits`] is reached.
        limit: &'static str,
        /// Whose records do that.
        holder: Holder,
        /// How much it has: records, or bytes where the limit is one of bytes.
        has: u64,
        /// How much it may have.
        most: u64,
    },
    /// The fence is not that of the record: the admission has ended.
    Fenced,
    /// The outcome is longer than what may be kept.
    OutcomeTooLarge {
        /// Its length.
        len: usize,
        /// The longest that may be.
        limit: usize,
    },
    /// What is to be sealed is no outcome of the operation's method; says why.
    InvalidOutcome(String),
    /// It cannot be opened: one of its limits is set to what it cannot be.
    Limit(LimitError),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(why) => write!(f, "the store is unavailable: {}", Escaped::new(why)),
            Self::Poisoned(why) => {
                write!(f, "the store has stopped, because it could not be sure of a write: {}", Escaped::new(why))
            }
            Self::Full { limit, holder, has, most } => {
                let what = if limit.ends_with("bytes") { "bytes" } else { "records" };
                write!(
                    f,
                    "the store has no room for another operation: {holder} has {has} of {most} {what} (`StoreLimits::{limit}`)"
                )
            }
            Self::Fenced => f.write_str("the operation's admission has ended"),
            Self::OutcomeTooLarge { len, limit } => {
                write!(
                    f,
                    "an outcome of {len} bytes, over the limit of {limit} for what is kept (`StoreLimits::max_outcome_bytes`)"
                )
            }
            Self::InvalidOutcome(why) => write!(f, "it cannot be sealed: {}", Escaped::new(why)),
            Self::Limit(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for StoreError {}
