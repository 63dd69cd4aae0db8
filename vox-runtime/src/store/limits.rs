//! The bounds of the stores that come with vox, by name, in one place.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::operation::OperationId;

/// What a store keeps, how much and for how long.
///
/// | limit | default | past it |
/// |---|---|---|
/// | `max_records` / `max_principal_records` | 100,000 / 50,000 | a new operation is refused with [`StoreError::Full`](super::StoreError::Full) |
/// | `max_bytes` / `max_principal_bytes` | 64 MiB / 32 MiB | as above. What runs already is sealed though it overdraws |
/// | `max_tombstones` | 500,000 | the oldest go, and older ids of their principals are `Expired` |
/// | `max_floors` | 10,000 | ids older than half of the floors are `Expired` for all |
/// | `max_outcome_bytes` | 1 MiB | the outcome is refused, and a shorter one can be sealed |
/// | `retention` | 86400 s | an older id is `Expired`, and its record goes |
/// | `clock_slack` | 300 s | an id further in the future is `Expired` |
///
/// A record is charged what it takes beside its outcome, and the outcome's bytes. A principal's *floor* is the newest of its
/// tombstones that had to go: whether an older id of which nothing is known was acknowledged can no longer be said.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "users write it with ..Default::default()")]
pub struct StoreLimits {
    /// How many operations the store has records of, tombstones apart.
    pub max_records: usize,
    /// How many of them may be of one principal.
    pub max_principal_records: usize,
    /// How many bytes the records and their outcomes take.
    pub max_bytes: usize,
    /// How many of them may be of one principal.
    pub max_principal_bytes: usize,
    /// How many acknowledged operations are remembered.
    pub max_tombstones: usize,
    /// Of how many principals a floor is remembered.
    pub max_floors: usize,
    /// The longest outcome that is kept.
    pub max_outcome_bytes: usize,
    /// How long an operation is known, from the time that its id says.
    pub retention: Duration,
    /// How much the clocks of callers may be ahead.
    pub clock_slack: Duration,
}

impl Default for StoreLimits {
    fn default() -> Self {
        Self {
            max_records: 100_000,
            max_principal_records: 50_000,
            max_bytes: 64 << 20,
            max_principal_bytes: 32 << 20,
            max_tombstones: 500_000,
            max_floors: 10_000,
            max_outcome_bytes: 1 << 20,
            retention: Duration::from_secs(86400),
            clock_slack: Duration::from_secs(300),
        }
    }
}

impl StoreLimits {
    /// The default, with the room of a disk: 100 times as many records and tombstones, in 32 times as many bytes.
    pub fn on_disk() -> Self {
        Self {
            max_records: 10_000_000,
            max_principal_records: 5_000_000,
            max_bytes: 2 << 30,
            max_principal_bytes: 1 << 30,
            max_tombstones: 50_000_000,
            ..Self::default()
        }
    }

    /// The lowest id that is not too old at `now`.
    pub(super) fn horizon(&self, now: SystemTime) -> OperationId {
        OperationId::first_at(now.checked_sub(self.retention).unwrap_or(UNIX_EPOCH))
    }

    /// Whether an id is too far in the future at `now`.
    pub(super) fn is_ahead(&self, id: OperationId, now: SystemTime) -> bool {
        now.checked_add(self.clock_slack).is_some_and(|latest| id.is_later_than(latest))
    }

    /// Whether an id is neither too old nor too far in the future at `now`.
    #[cfg(feature = "sqlite")]
    pub(super) fn is_timely(&self, id: OperationId, now: SystemTime) -> bool {
        id >= self.horizon(now) && !self.is_ahead(id, now)
    }
}
