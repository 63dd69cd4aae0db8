//! The bounds of the stores that come with vox, by name, in one place.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::limits::check::{BYTES, SHORTEST, duration, number};
use crate::limits::{LimitError, Limits};
use crate::operation::{Holder, OperationId, PeerKey, Principal};
use crate::store::StoreError;

/// What a store keeps, how much and for how long.
///
/// | limit | default | may be | past it |
/// |---|---|---|---|
/// | `max_records` / `max_principal_records` | 100,000 / 50,000 | 1 to 4,294,967,296 | a new operation is refused with [`StoreError::Full`](super::StoreError::Full) |
/// | `max_peer_records` | 10,000 | 1 to 4,294,967,296 | as above |
/// | `max_bytes` / `max_principal_bytes` | 64 MiB / 32 MiB | 1 to 1,099,511,627,776 | as above. What runs already is sealed though it overdraws |
/// | `max_peer_bytes` | 8 MiB | 1 to 1,099,511,627,776 | as above |
/// | `max_tombstones` | 500,000 | 0 to 4,294,967,296 | the oldest go, and older ids of their principals are `Expired` |
/// | `max_floors` | 10,000 | 0 to 4,294,967,296 | ids older than half of the floors are `Expired` for all |
/// | `max_outcome_bytes` | 1 MiB | 1 to 67,108,864 | the outcome is refused, and a shorter one can be sealed |
/// | `retention` | 86400 s | 1ms or longer | an older id is `Expired`, and its record goes |
/// | `clock_slack` | 300 s | any | an id further in the future is `Expired` |
///
/// A *peer* is all that comes from one address, as [`Limits`] says, where the server does not ask who its peers
/// are: they are one principal together, and of its share each has a part. The operations of a principal that is known count for it alone, wherever
/// they come from.
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
    /// How many of the anonymous principal's may be of one peer.
    pub max_peer_records: usize,
    /// How many bytes the records and their outcomes take.
    pub max_bytes: usize,
    /// How many of them may be of one principal.
    pub max_principal_bytes: usize,
    /// How many of the anonymous principal's may be of one peer.
    pub max_peer_bytes: usize,
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
            max_peer_records: 10_000,
            max_bytes: 64 << 20,
            max_principal_bytes: 32 << 20,
            max_peer_bytes: 8 << 20,
            max_tombstones: 500_000,
            max_floors: 10_000,
            max_outcome_bytes: 1 << 20,
            retention: Duration::from_secs(86400),
            clock_slack: Duration::from_secs(300),
        }
    }
}

/// What somebody takes of a store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) records: u64,
    pub(super) bytes: u64,
}

/// More records than any disk has.
const RECORDS: u64 = 1 << 32;

impl StoreLimits {
    /// Whether each limit is what the table says that it may be. A store that comes with vox asks this when it is made; ask it where the
    /// limits are read, from a file perhaps.
    ///
    /// ```
    /// # extern crate vox_runtime as vox;
    /// use vox::store::StoreLimits;
    ///
    /// let error = StoreLimits { max_records: 0, ..StoreLimits::default() }.check().unwrap_err();
    /// assert_eq!(error.to_string(), "`StoreLimits::max_records` is 0; it may be 1 to 4,294,967,296");
    /// ```
    pub fn check(&self) -> Result<(), LimitError> {
        self.check_each().map_err(|error| error.of("StoreLimits"))
    }

    fn check_each(&self) -> Result<(), LimitError> {
        // All fields by name: one without a check is one that is not used here.
        let &Self {
            max_records,
            max_principal_records,
            max_peer_records,
            max_bytes,
            max_principal_bytes,
            max_peer_bytes,
            max_tombstones,
            max_floors,
            max_outcome_bytes,
            retention,
            clock_slack,
        } = self;
        number("max_records", max_records, 1..=RECORDS)?;
        number("max_principal_records", max_principal_records, 1..=RECORDS)?;
        number("max_peer_records", max_peer_records, 1..=RECORDS)?;
        number("max_bytes", max_bytes, 1..=BYTES)?;
        number("max_principal_bytes", max_principal_bytes, 1..=BYTES)?;
        number("max_peer_bytes", max_peer_bytes, 1..=BYTES)?;
        // None: whatever is acknowledged leaves a floor at once.
        number("max_tombstones", max_tombstones, 0..=RECORDS)?;
        // None: the floor of one is the floor of all.
        number("max_floors", max_floors, 0..=RECORDS)?;
        // What is longer no caller is sent.
        number("max_outcome_bytes", max_outcome_bytes, 1..=Limits::MESSAGE_CEILING as u64)?;
        duration("retention", retention, SHORTEST..=Duration::MAX)?;
        duration("clock_slack", clock_slack, Duration::ZERO..=Duration::MAX)
    }

    /// The default, with the room of a disk: 100 times as many records and tombstones, in 32 times as many bytes.
    pub fn on_disk() -> Self {
        Self {
            max_records: 10_000_000,
            max_principal_records: 5_000_000,
            max_peer_records: 1_000_000,
            max_bytes: 2 << 30,
            max_principal_bytes: 1 << 30,
            max_peer_bytes: 256 << 20,
            max_tombstones: 50_000_000,
            ..Self::default()
        }
    }

    /// Why there is no room for another record of so many bytes, by what is taken: the narrowest bound is told.
    pub(super) fn refusal(
        &self,
        record: u64,
        all: Taken,
        (principal, of_principal): (&Principal, Taken),
        peer: Option<(&PeerKey, Taken)>,
    ) -> Option<StoreError> {
        let full = |limit, holder: &dyn Fn() -> Holder, has: u64, more: u64, most: usize| {
            let most = most as u64;
            (has.saturating_add(more) > most).then(|| StoreError::Full { limit, holder: holder(), has, most })
        };
        let of_peer = peer.and_then(|(key, taken)| {
            let holder = || Holder::Peer(key.clone());
            let records = full("max_peer_records", &holder, taken.records, 1, self.max_peer_records);
            records.or_else(|| full("max_peer_bytes", &holder, taken.bytes, record, self.max_peer_bytes))
        });
        let (holder, taken) = (|| Holder::Principal(principal.clone()), of_principal);
        of_peer
            .or_else(|| full("max_principal_records", &holder, taken.records, 1, self.max_principal_records))
            .or_else(|| full("max_principal_bytes", &holder, taken.bytes, record, self.max_principal_bytes))
            .or_else(|| full("max_records", &|| Holder::All, all.records, 1, self.max_records))
            .or_else(|| full("max_bytes", &|| Holder::All, all.bytes, record, self.max_bytes))
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Checks what one field may be: `in_range`, and nothing of `out`.
    macro_rules! field {
        ($seen:ident, $name:ident: $may_be:literal, $ok:expr, $out:expr) => {{
            for $name in $ok {
                let limits = StoreLimits { $name, ..StoreLimits::default() };
                assert_eq!(limits.check(), Ok(()), "{} may be {:?}", stringify!($name), $name);
            }
            for $name in $out {
                let error = StoreLimits { $name, ..StoreLimits::default() }.check().expect_err(stringify!($name));
                assert_eq!(error.limit(), stringify!($name));
                let text = error.to_string();
                let begin = format!("`StoreLimits::{}` is {:?};", stringify!($name), $name);
                assert!(text.replace(',', "").starts_with(&begin), "{text}");
                assert!(text.ends_with(concat!("; it may be ", $may_be)), "{text}");
            }
            let rows = include_str!("limits.rs").lines().filter_map(|line| line.strip_prefix("/// | "));
            let mut rows = rows.map(|row| row.split(" | ").collect::<Vec<_>>());
            let row = rows.find(|row| row[0].contains(concat!("`", stringify!($name), "`"))).expect("its row");
            assert_eq!(row[2], $may_be, "{} in the table", stringify!($name));
            $seen.insert(stringify!($name).to_owned());
        }};
    }

    #[test]
    fn every_limit_is_refused_past_what_it_may_be_and_taken_within() {
        const MOST: usize = 1 << 32;
        const TIB: usize = 1 << 40;
        const NEVER: Duration = Duration::MAX;
        let (mut seen, max, none) = (BTreeSet::new(), usize::MAX, Duration::ZERO);
        field!(seen, max_records: "1 to 4,294,967,296", [1, MOST], [0, MOST + 1, max]);
        field!(seen, max_principal_records: "1 to 4,294,967,296", [1, MOST], [0, MOST + 1, max]);
        field!(seen, max_peer_records: "1 to 4,294,967,296", [1, MOST], [0, MOST + 1, max]);
        field!(seen, max_bytes: "1 to 1,099,511,627,776", [1, TIB], [0, TIB + 1, max]);
        field!(seen, max_principal_bytes: "1 to 1,099,511,627,776", [1, TIB], [0, TIB + 1, max]);
        field!(seen, max_peer_bytes: "1 to 1,099,511,627,776", [1, TIB], [0, TIB + 1, max]);
        field!(seen, max_tombstones: "0 to 4,294,967,296", [0, MOST], [MOST + 1, max]);
        field!(seen, max_floors: "0 to 4,294,967,296", [0, MOST], [MOST + 1, max]);
        field!(seen, max_outcome_bytes: "1 to 67,108,864", [1, 64 << 20], [0, (64 << 20) + 1, max]);
        field!(seen, retention: "1ms or longer", [SHORTEST, NEVER], [none, Duration::from_nanos(1)]);
        field!(seen, clock_slack: "any", [none, NEVER], [none; 0]);
        let printed = format!("{:?}", StoreLimits::default());
        let inside = printed.trim_start_matches("StoreLimits { ").trim_end_matches(" }");
        let fields: BTreeSet<_> = inside.split(", ").filter_map(|f| Some(f.split_once(": ")?.0.to_owned())).collect();
        assert_eq!(seen, fields, "a limit without a check, or a check without a limit");
        assert_eq!(StoreLimits::default().check(), Ok(()));
        assert_eq!(StoreLimits::on_disk().check(), Ok(()));
    }
}
