//! What a transaction changes of the totals: read when it begins, written before it is committed.

use std::collections::HashMap;

use super::statements::Statements;
use crate::operation::{OperationId, OperationKey, Principal};
use crate::store::StoreLimits;

/// The store's totals, and those of the principals that this transaction is about.
#[derive(Clone)]
pub(super) struct Group {
    pub(super) fence: i64,
    pub(super) floor: OperationId,
    pub(super) records: i64,
    pub(super) bytes: i64,
    pub(super) tombstones: i64,
    floors: i64,
    principals: Vec<(Principal, Usage)>,
    /// Where each of them is.
    places: HashMap<Principal, usize>,
    /// Where the one is that was asked for last: it often is the next one too.
    last: usize,
}

#[derive(Clone, Copy, Default)]
struct Usage {
    records: i64,
    bytes: i64,
    floor: Option<OperationId>,
    is_changed: bool,
}

impl Usage {
    fn load(principal: &Principal, statements: &mut Statements<'_>) -> rusqlite::Result<Self> {
        let mut rows = statements.load_principal.query((principal.as_str(),))?;
        let Some(row) = rows.next()? else { return Ok(Self::default()) };
        Ok(Self {
            records: row.get(0)?,
            bytes: row.get(1)?,
            floor: row.get::<_, Option<[u8; 16]>>(2)?.map(id_of),
            is_changed: false,
        })
    }
}

/// What a record is charged beside its outcome: its row, and its share of the indices.
pub(super) const RECORD_BYTES: i64 = 256;

impl Group {
    pub(super) fn load(statements: &mut Statements<'_>) -> rusqlite::Result<Self> {
        statements.load.query_row((), |row| {
            Ok(Self {
                fence: row.get(0)?,
                floor: id_of(row.get(1)?),
                records: row.get(2)?,
                bytes: row.get(3)?,
                tombstones: row.get(4)?,
                floors: row.get(5)?,
                principals: Vec::new(),
                places: HashMap::new(),
                last: 0,
            })
        })
    }

    pub(super) fn save(&mut self, statements: &mut Statements<'_>, limits: &StoreLimits) -> rusqlite::Result<()> {
        for (principal, usage) in self.principals.iter().filter(|(_, usage)| usage.is_changed) {
            match usage {
                Usage { records: ..=0, floor: None, .. } => {
                    statements.forget_principal.execute((principal.as_str(),))?
                }
                Usage { records, bytes, floor, .. } => {
                    statements.save_principal.execute((principal.as_str(), records, bytes, floor.map(blob_of)))?
                }
            };
        }
        if self.floors > count(limits.max_floors) {
            self.merge_floors(statements)?;
        }
        let Self { fence, floor, records, bytes, tombstones, floors, .. } = *self;
        statements.save.execute((fence, blob_of(floor), records, bytes, tombstones, floors))?;
        Ok(())
    }

    /// Makes the lower half of the principals' floors one floor for all.
    fn merge_floors(&mut self, statements: &mut Statements<'_>) -> rusqlite::Result<()> {
        let middle = statements.middle_floor.query_row((self.floors / 2,), |row| row.get(0))?;
        let merged = statements.merge_floors.execute((middle,))?;
        statements.forget_principals.execute(())?;
        self.floor = self.floor.max(id_of(middle));
        self.floors = (self.floors - count(merged)).max(0);
        Ok(())
    }

    /// Whether an operation without a record may have had one.
    pub(super) fn covers(&mut self, key: &OperationKey, statements: &mut Statements<'_>) -> rusqlite::Result<bool> {
        let floor = self.usage(&key.principal, statements)?.floor;
        Ok(key.id <= self.floor || floor.is_some_and(|floor| key.id <= floor))
    }

    pub(super) fn is_full(
        &mut self,
        principal: &Principal,
        statements: &mut Statements<'_>,
        limits: &StoreLimits,
    ) -> rusqlite::Result<bool> {
        let usage = *self.usage(principal, statements)?;
        Ok(self.records >= count(limits.max_records)
            || self.bytes.saturating_add(RECORD_BYTES) > count(limits.max_bytes)
            || usage.records >= count(limits.max_principal_records)
            || usage.bytes.saturating_add(RECORD_BYTES) > count(limits.max_principal_bytes))
    }

    /// Counts records and their bytes, up or down.
    pub(super) fn charge(
        &mut self,
        principal: &Principal,
        records: i64,
        bytes: i64,
        statements: &mut Statements<'_>,
    ) -> rusqlite::Result<()> {
        let usage = self.usage(principal, statements)?;
        usage.is_changed = true;
        usage.records = (usage.records + records).max(0);
        usage.bytes = (usage.bytes + bytes).max(0);
        self.records = (self.records + records).max(0);
        self.bytes = (self.bytes + bytes).max(0);
        Ok(())
    }

    /// An operation was forgotten for want of room.
    pub(super) fn raise_floor(
        &mut self,
        principal: &Principal,
        id: OperationId,
        statements: &mut Statements<'_>,
    ) -> rusqlite::Result<()> {
        let usage = self.usage(principal, statements)?;
        usage.is_changed = true;
        let is_new = usage.floor.is_none();
        usage.floor = usage.floor.max(Some(id));
        self.floors += i64::from(is_new);
        Ok(())
    }

    fn usage(&mut self, principal: &Principal, statements: &mut Statements<'_>) -> rusqlite::Result<&mut Usage> {
        if self.principals.get(self.last).is_none_or(|(last, _)| last != principal) {
            self.last = match self.places.get(principal) {
                Some(&place) => place,
                None => {
                    let usage = Usage::load(principal, statements)?;
                    let place = self.principals.len();
                    self.principals.push((principal.clone(), usage));
                    self.places.insert(principal.clone(), place);
                    place
                }
            };
        }
        Ok(&mut self.principals[self.last].1)
    }
}

/// A limit as the database counts.
pub(super) fn count(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

pub(super) fn id_of(blob: [u8; 16]) -> OperationId {
    OperationId::from_u128(u128::from_be_bytes(blob))
}

pub(super) fn blob_of(id: OperationId) -> [u8; 16] {
    id.to_u128().to_be_bytes()
}
