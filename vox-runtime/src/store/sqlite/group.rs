//! What a transaction changes of the totals: read when it begins, written before it is committed.

use std::collections::HashMap;

use super::statements::Statements;
use crate::operation::{NewOperation, OperationId, OperationKey, PeerKey, Principal};
use crate::store::limits::Taken;
use crate::store::{StoreError, StoreLimits};

/// The store's totals, and those of the principals and peers that this transaction is about.
#[derive(Clone)]
pub(super) struct Group {
    pub(super) fence: i64,
    pub(super) floor: OperationId,
    pub(super) records: i64,
    pub(super) bytes: i64,
    pub(super) tombstones: i64,
    floors: i64,
    holders: Vec<(Whose, Usage)>,
    /// Where each of them is.
    places: HashMap<Whose, usize>,
    /// Where the one of each kind is that was asked for last: it often is the next one too.
    last: [usize; 2],
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum Whose {
    Principal(Principal),
    Peer(PeerKey),
}

impl Whose {
    /// As the table has it.
    fn row(&self) -> (i64, &str) {
        match self {
            Self::Principal(principal) => (0, principal.as_str()),
            Self::Peer(peer) => (1, peer.as_str()),
        }
    }
}

#[derive(Clone, Copy, Default)]
struct Usage {
    records: i64,
    bytes: i64,
    floor: Option<OperationId>,
    is_changed: bool,
}

impl Usage {
    fn load(whose: &Whose, statements: &mut Statements<'_>) -> rusqlite::Result<Self> {
        let mut rows = statements.load_holder.query(whose.row())?;
        let Some(row) = rows.next()? else { return Ok(Self::default()) };
        Ok(Self {
            records: row.get(0)?,
            bytes: row.get(1)?,
            floor: row.get::<_, Option<[u8; 16]>>(2)?.map(id_of),
            is_changed: false,
        })
    }

    fn taken(&self) -> Taken {
        let count = |of: i64| u64::try_from(of).unwrap_or_default();
        Taken { records: count(self.records), bytes: count(self.bytes) }
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
                holders: Vec::new(),
                places: HashMap::new(),
                last: [0, 0],
            })
        })
    }

    pub(super) fn save(&mut self, statements: &mut Statements<'_>, limits: &StoreLimits) -> rusqlite::Result<()> {
        for (whose, usage) in self.holders.iter().filter(|(_, usage)| usage.is_changed) {
            let (kind, name) = whose.row();
            match usage {
                Usage { records: ..=0, floor: None, .. } => statements.forget_holder.execute((kind, name))?,
                Usage { records, bytes, floor, .. } => {
                    statements.save_holder.execute((kind, name, records, bytes, floor.map(blob_of)))?
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
        statements.forget_holders.execute(())?;
        self.floor = self.floor.max(id_of(middle));
        self.floors = (self.floors - count(merged)).max(0);
        Ok(())
    }

    /// Whether an operation without a record may have had one.
    pub(super) fn covers(&mut self, key: &OperationKey, statements: &mut Statements<'_>) -> rusqlite::Result<bool> {
        let floor = self.usage(&Whose::Principal(key.principal.clone()), statements)?.floor;
        Ok(key.id <= self.floor || floor.is_some_and(|floor| key.id <= floor))
    }

    /// Why there is no room for another record.
    pub(super) fn refusal(
        &mut self,
        operation: &NewOperation,
        statements: &mut Statements<'_>,
        limits: &StoreLimits,
    ) -> rusqlite::Result<Option<StoreError>> {
        let principal = &operation.key.principal;
        let of_principal = self.usage(&Whose::Principal(principal.clone()), statements)?.taken();
        let peer = match &operation.peer {
            None => None,
            Some(peer) => Some((peer, self.usage(&Whose::Peer(peer.clone()), statements)?.taken())),
        };
        let all = Usage { records: self.records, bytes: self.bytes, ..Usage::default() }.taken();
        Ok(limits.refusal(RECORD_BYTES.cast_unsigned(), all, (principal, of_principal), peer))
    }

    /// Counts records and their bytes, up or down.
    pub(super) fn charge(
        &mut self,
        principal: &Principal,
        peer: Option<&PeerKey>,
        (records, bytes): (i64, i64),
        statements: &mut Statements<'_>,
    ) -> rusqlite::Result<()> {
        let peer = peer.map(|peer| Whose::Peer(peer.clone()));
        for whose in std::iter::once(Whose::Principal(principal.clone())).chain(peer) {
            let usage = self.usage(&whose, statements)?;
            usage.is_changed = true;
            usage.records = (usage.records + records).max(0);
            usage.bytes = (usage.bytes + bytes).max(0);
        }
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
        let usage = self.usage(&Whose::Principal(principal.clone()), statements)?;
        usage.is_changed = true;
        let is_new = usage.floor.is_none();
        usage.floor = usage.floor.max(Some(id));
        self.floors += i64::from(is_new);
        Ok(())
    }

    fn usage(&mut self, whose: &Whose, statements: &mut Statements<'_>) -> rusqlite::Result<&mut Usage> {
        let kind = usize::from(matches!(whose, Whose::Peer(_)));
        if self.holders.get(self.last[kind]).is_none_or(|(last, _)| last != whose) {
            self.last[kind] = match self.places.get(whose) {
                Some(&place) => place,
                None => {
                    let usage = Usage::load(whose, statements)?;
                    let place = self.holders.len();
                    self.holders.push((whose.clone(), usage));
                    self.places.insert(whose.clone(), place);
                    place
                }
            };
        }
        Ok(&mut self.holders[self.last[kind]].1)
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
