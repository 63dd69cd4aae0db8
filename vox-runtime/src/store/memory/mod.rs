//! The store in memory: it forgets all when the process ends, and costs next to nothing until then.

mod floors;
mod peers;
mod short;
mod table;

use std::fmt;
use std::sync::{Mutex, MutexGuard};
use std::time::SystemTime;

use self::short::ShortBytes;
use self::table::Table;
use super::{OperationStore, StoreError, StoreFuture, StoreLimits};
use crate::limits::LimitError;
use crate::operation::{Admission, Fence, NewOperation, OperationKey, Outcome};
use crate::schema::Schema;

/// Keeps operations in memory, within [`StoreLimits`].
///
/// What survives is a lost link, a lost session, and a caller's process, but not this one: use another store where an
/// operation must not run again after a restart.
///
/// All of its futures are ready when they are first polled.
///
/// ```
/// # extern crate vox_runtime as vox;
/// use vox::store::{MemoryStore, StoreLimits};
///
/// let store = MemoryStore::new();
/// let small = MemoryStore::with_limits(StoreLimits { max_records: 1_000, ..StoreLimits::default() })?;
/// # drop((store, small));
/// # Ok::<(), vox::LimitError>(())
/// ```
pub struct MemoryStore {
    limits: StoreLimits,
    clock: Box<dyn Fn() -> SystemTime + Send + Sync>,
    table: Mutex<Table>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::within(StoreLimits::default(), SystemTime::now)
    }

    /// An empty store with other limits. `Err` where one of them is not what [`StoreLimits`] says that it may be.
    pub fn with_limits(limits: StoreLimits) -> Result<Self, LimitError> {
        Self::with_clock(limits, SystemTime::now)
    }

    /// As [`with_limits`](Self::with_limits), of a store that asks `clock` for the time.
    ///
    /// ```
    /// # extern crate vox_runtime as vox;
    /// # use std::time::SystemTime;
    /// use vox::store::{MemoryStore, StoreLimits};
    ///
    /// let store = MemoryStore::with_clock(StoreLimits::default(), || SystemTime::UNIX_EPOCH)?;
    /// # drop(store);
    /// # Ok::<(), vox::LimitError>(())
    /// ```
    pub fn with_clock(
        limits: StoreLimits,
        clock: impl Fn() -> SystemTime + Send + Sync + 'static,
    ) -> Result<Self, LimitError> {
        limits.check()?;
        Ok(Self::within(limits, clock))
    }

    /// A store within limits that are what they may be.
    pub(crate) fn within(limits: StoreLimits, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self { limits, clock: Box::new(clock), table: Mutex::default() }
    }

    /// A store that holds what this one does now.
    #[cfg(test)]
    pub(crate) fn copy(&self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        let table = Mutex::new(self.table().expect("nobody panicked").clone());
        Self { limits: self.limits.clone(), clock: Box::new(clock), table }
    }

    /// What time it is.
    pub(crate) fn now(&self) -> SystemTime {
        (self.clock)()
    }

    /// As [`admit`](OperationStore::admit), without a future.
    pub(crate) fn admit_at_once(&self, operation: &NewOperation, now: SystemTime) -> Result<Admission, StoreError> {
        self.table()?.admit(operation, now, &self.limits)
    }

    /// As [`seal`](OperationStore::seal), without a future, and gives back only what was sealed before.
    pub(crate) fn seal_at_once(
        &self,
        key: &OperationKey,
        fence: Fence,
        bytes: impl Into<ShortBytes> + AsRef<[u8]>,
        schema: Schema,
    ) -> Result<Option<Outcome>, StoreError> {
        let (len, limit) = (bytes.as_ref().len(), self.limits.max_outcome_bytes);
        match len <= limit {
            true => self.table()?.seal(key, fence, bytes, schema),
            false => Err(StoreError::OutcomeTooLarge { len, limit }),
        }
    }

    /// As [`acknowledge`](OperationStore::acknowledge), without a future.
    pub(crate) fn acknowledge_at_once(&self, key: &OperationKey) {
        if let Ok(mut table) = self.table() {
            table.acknowledge(key, &self.limits);
        }
    }

    /// As [`forget`](OperationStore::forget), without a future.
    pub(crate) fn forget_at_once(&self, key: &OperationKey) {
        if let Ok(mut table) = self.table() {
            table.forget(key);
        }
    }

    /// The table. Nothing of a user's runs under the lock: a panic there is a fault of ours, after which the table may be half changed, and
    /// nothing is admitted or sealed by it.
    fn table(&self) -> Result<MutexGuard<'_, Table>, StoreError> {
        self.table.lock().map_err(|_| StoreError::Poisoned("vox panicked while it changed the table".to_owned()))
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(table) = self.table() else { return f.write_str("MemoryStore(stopped)") };
        f.debug_struct("MemoryStore")
            .field("records", &table.records())
            .field("bytes", &table.bytes())
            .field("tombstones", &table.tombstones())
            .finish_non_exhaustive()
    }
}

impl OperationStore for MemoryStore {
    fn admit<'a>(&'a self, operation: &'a NewOperation) -> StoreFuture<'a, Admission> {
        Box::pin(async move { self.admit_at_once(operation, self.now()) })
    }

    fn seal<'a>(&'a self, key: &'a OperationKey, fence: Fence, outcome: Outcome) -> StoreFuture<'a, Outcome> {
        Box::pin(async move {
            let before = self.seal_at_once(key, fence, outcome.bytes.clone(), outcome.schema.clone())?;
            Ok(before.unwrap_or(outcome))
        })
    }

    fn release<'a>(&'a self, key: &'a OperationKey, fence: Fence) -> StoreFuture<'a, ()> {
        Box::pin(async move { self.table()?.release(key, fence) })
    }

    fn give_up<'a>(&'a self, key: &'a OperationKey, fence: Fence) -> StoreFuture<'a, Option<Outcome>> {
        Box::pin(async move { self.table()?.give_up(key, fence) })
    }

    fn acknowledge<'a>(&'a self, key: &'a OperationKey) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            self.acknowledge_at_once(key);
            Ok(())
        })
    }

    fn forget<'a>(&'a self, key: &'a OperationKey) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            self.forget_at_once(key);
            Ok(())
        })
    }

    fn time(&self) -> SystemTime {
        self.now()
    }

    fn max_outcome_bytes(&self) -> usize {
        self.limits.max_outcome_bytes
    }

    fn in_memory(&self) -> Option<&MemoryStore> {
        Some(self)
    }
}

#[cfg(test)]
mod tests;
