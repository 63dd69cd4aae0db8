//! The steps of the store, within a transaction.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::types::ValueRef;

use super::group::{Group, RECORD_BYTES, blob_of, count, id_of};
use super::layout::damaged;
use super::owner::OwnerId;
use super::record::{ACKNOWLEDGED, Content, GRANTED, Kept, Record, State, check, peer};
use super::statements::Statements;
use crate::operation::{Admission, Fence, NewOperation, OperationKey, Outcome, PeerKey, Principal};
use crate::schema::{Schema, SchemaHash};
use crate::store::rules::{self, Decision, Found};
use crate::store::{StoreError, StoreLimits};

/// The records, in a transaction that has begun.
pub(super) struct Records<'a, 'c> {
    pub(super) statements: &'a mut Statements<'c>,
    pub(super) group: Group,
    pub(super) now: SystemTime,
    pub(super) context: &'a Context,
    /// What was sealed before and not yet acknowledged, as far as it is remembered.
    pub(super) sealed: &'a mut Sealed,
    pub(super) news: News,
}

/// What this transaction writes that is remembered once it is committed.
#[derive(Default)]
pub(super) struct News {
    pub(super) schemas: Vec<SchemaHash>,
    pub(super) sealed: Vec<(OperationKey, Place)>,
}

/// Where outcomes are.
pub(super) type Sealed = HashMap<OperationKey, Place>;

/// What outlives transactions.
pub(super) struct Context {
    pub(super) limits: StoreLimits,
    pub(super) owner: OwnerId,
    pub(super) database: Box<Path>,
    /// Schemas that are written.
    pub(super) schemas: HashSet<SchemaHash>,
}

impl Context {
    fn damaged(&self, what: &str) -> StoreError {
        let (database, what) = (self.database.display(), damaged(what));
        StoreError::Unavailable(format!("the database {database} cannot say whether the operation ran: {what}"))
    }

    fn unreadable(&self) -> StoreError {
        let database = self.database.display();
        StoreError::Unavailable(format!("the database {database} has a record of the operation that cannot be read"))
    }
}

/// Where an outcome is, and its length.
#[derive(Clone)]
pub(super) struct Place {
    fence: i64,
    outcome_bytes: i64,
    /// Whose share it takes.
    peer: Option<PeerKey>,
}

/// How many schemas are known to be written.
const MAX_SCHEMAS: usize = 4096;

/// Of how many outcomes it is remembered where they are. Others are looked for.
const MAX_SEALED: usize = 4096;

impl News {
    /// The transaction was committed.
    pub(super) fn remember(self, context: &mut Context, sealed: &mut Sealed) {
        if context.schemas.len() + self.schemas.len() <= MAX_SCHEMAS {
            context.schemas.extend(self.schemas);
        }
        if sealed.len() + self.sealed.len() > MAX_SEALED {
            // Those that nobody acknowledges.
            sealed.clear();
        }
        sealed.extend(self.sealed);
    }
}

/// An answer, or what stops the whole transaction.
pub(super) type Step<T> = rusqlite::Result<Result<T, StoreError>>;

/// How many records a transaction looks at to find some that are too old.
const SWEEP: usize = 16;

impl Records<'_, '_> {
    pub(super) fn admit(&mut self, operation: &NewOperation) -> Step<Admission> {
        let (key, limits) = (&operation.key, &self.context.limits);
        if !limits.is_timely(key.id, self.now) {
            return Ok(Ok(Admission::Expired));
        }
        let is_covered = self.group.covers(key, self.statements)?;
        let full = self.group.refusal(operation, self.statements, limits)?;
        // It is looked for only where there may be a record.
        if is_covered || full.is_some() || !self.grant(operation)? {
            let found = match self.find(key)? {
                Ok(found) => found,
                Err(error) => return Ok(Err(error)),
            };
            match found {
                Some(record) => match rules::decide(operation, self.found(&record, &operation.schema)?) {
                    Decision::Answer(admission) => return Ok(Ok(admission)),
                    Decision::GrantAnew => self.grant_anew(operation, &record)?,
                },
                None if is_covered => return Ok(Ok(Admission::Expired)),
                None => return Ok(Err(full.unwrap_or_else(|| self.context.unreadable()))),
            }
        }
        self.keep_schema(&operation.schema)?;
        Ok(Ok(Admission::Granted(Fence(self.group.fence.cast_unsigned()))))
    }

    pub(super) fn seal(&mut self, key: &OperationKey, fence: Fence, outcome: Outcome) -> Step<Outcome> {
        if self.seal_granted(key, fence, &outcome)? {
            return Ok(Ok(outcome));
        }
        let record = match self.of_fence(key, fence)? {
            Ok(record) => record,
            Err(error) => return Ok(Err(error)),
        };
        Ok(match record.content {
            Content::Readable { state: State::Sealed(Some(first)), .. } => {
                self.outcome(first, Some(&outcome.schema))?.ok_or_else(|| self.context.unreadable())
            }
            Content::Readable { state: State::GivenUp, .. } | Content::Acknowledged => Err(StoreError::Fenced),
            Content::Readable { state: State::Sealed(None) | State::Granted(_), .. } | Content::Unreadable => {
                Err(self.context.unreadable())
            }
        })
    }

    /// As [`Self::seal`], but never what is sealed: the effect that comes with it would be there twice.
    pub(super) fn seal_once(&mut self, key: &OperationKey, fence: Fence, outcome: &Outcome) -> Step<()> {
        Ok(self.seal_granted(key, fence, outcome)?.then_some(()).ok_or(StoreError::Fenced))
    }

    pub(super) fn release(&mut self, key: &OperationKey, fence: Fence) -> Step<()> {
        Ok(match self.of_fence(key, fence)? {
            Err(error) => Err(error),
            Ok(Record { fence, ended: true, content: Content::Readable { state: State::Granted(_), .. }, .. }) => {
                self.statements.give_up.execute((fence, self.millis()))?;
                Ok(())
            }
            Ok(Record { fence, peer, content: Content::Readable { state: State::Granted(_), .. }, .. }) => {
                self.statements.delete.execute((fence,))?;
                self.group.charge(&key.principal, peer.as_ref(), (-1, -RECORD_BYTES), self.statements)?;
                Ok(())
            }
            Ok(_) => Err(StoreError::Fenced),
        })
    }

    pub(super) fn give_up(&mut self, key: &OperationKey, fence: Fence) -> Step<Option<Outcome>> {
        let record = match self.of_fence(key, fence)? {
            Ok(record) => record,
            Err(error) => return Ok(Err(error)),
        };
        Ok(match record.content {
            Content::Readable { state: State::Granted(_), .. } => {
                self.statements.give_up.execute((record.fence, self.millis()))?;
                Ok(None)
            }
            Content::Readable { state: State::GivenUp, .. } => Ok(None),
            Content::Readable { state: State::Sealed(Some(kept)), .. } => {
                self.outcome(kept, None)?.map(Some).ok_or_else(|| self.context.unreadable())
            }
            Content::Acknowledged => Err(StoreError::Fenced),
            Content::Readable { state: State::Sealed(None), .. } | Content::Unreadable => {
                Err(self.context.unreadable())
            }
        })
    }

    pub(super) fn acknowledge(&mut self, key: &OperationKey) -> rusqlite::Result<()> {
        let Some((outcome_bytes, peer)) = self.bury(key)? else { return Ok(()) };
        self.group.charge(&key.principal, peer.as_ref(), (-1, -RECORD_BYTES - outcome_bytes), self.statements)?;
        self.group.tombstones += 1;
        while self.group.tombstones > count(self.context.limits.max_tombstones) {
            let oldest = self.statements.oldest_tombstone.query_row((), |row| Ok((row.get(0)?, key_of(row)?)));
            let (fence, key): (i64, OperationKey) = oldest?;
            self.statements.delete.execute((fence,))?;
            self.group.tombstones -= 1;
            self.group.raise_floor(&key.principal, key.id, self.statements)?;
        }
        Ok(())
    }

    /// Takes a record away, if it has ended. No tombstone stays.
    pub(super) fn forget(&mut self, key: &OperationKey) -> rusqlite::Result<()> {
        self.sealed.remove(key);
        // What cannot be found for certain stays as it is.
        let Ok(Some(record)) = self.find(key)? else { return Ok(()) };
        match record.content {
            Content::Readable { state: State::Sealed(_) | State::GivenUp, .. } => {
                self.statements.delete.execute((record.fence,))?;
                let (peer, bytes) = (record.peer.as_ref(), RECORD_BYTES + record.outcome_bytes);
                self.group.charge(&key.principal, peer, (-1, -bytes), self.statements)
            }
            Content::Readable { state: State::Granted(_), .. } | Content::Acknowledged | Content::Unreadable => Ok(()),
        }
    }

    /// Makes a record a tombstone, if it has ended. Gives the length of the outcome that it had, and whose share it took.
    fn bury(&mut self, key: &OperationKey) -> rusqlite::Result<Option<(i64, Option<PeerKey>)>> {
        if let Some(Place { fence, outcome_bytes, peer }) = self.sealed.remove(key) {
            // What has become of it since, another process may have done.
            let place = (fence, blob_of(key.id), key.principal.as_str());
            if self.statements.acknowledge_sealed.execute(place)? == 1 {
                return Ok(Some((outcome_bytes, peer)));
            }
        }
        // What cannot be found for certain stays as it is.
        let Ok(Some(record)) = self.find(key)? else { return Ok(None) };
        match record.content {
            Content::Readable { state: State::Sealed(_) | State::GivenUp, .. } => {
                self.statements.acknowledge.execute((record.fence,))?;
                Ok(Some((record.outcome_bytes, record.peer)))
            }
            Content::Readable { state: State::Granted(_), .. } | Content::Acknowledged | Content::Unreadable => {
                Ok(None)
            }
        }
    }

    /// Forgets a few of those below the horizon, from after `swept` on, and says up to where it looked. What still runs
    /// stays: its end is to be recorded.
    pub(super) fn sweep(&mut self, swept: Option<OperationKey>) -> rusqlite::Result<Option<OperationKey>> {
        let horizon = self.context.limits.horizon(self.now);
        // Nothing is before an empty id, be it spoilt.
        let (id, principal) =
            swept.map_or((Vec::new(), Principal::anonymous()), |key| (blob_of(key.id).to_vec(), key.principal));
        let range = (id, principal.as_str(), blob_of(horizon), count(SWEEP));
        let rows = self.statements.oldest.query_map(range, Old::read)?.collect::<rusqlite::Result<Vec<_>>>()?;
        let mut last = None;
        for old in &rows {
            last = Some(old.key.clone());
            if old.owner.is_some_and(|owner| self.lives(owner)) {
                continue;
            }
            self.statements.delete.execute((old.fence,))?;
            self.group.floor = self.group.floor.max(old.key.id);
            match old.is_tombstone {
                true => self.group.tombstones = (self.group.tombstones - 1).max(0),
                false => {
                    let bytes = -RECORD_BYTES - old.outcome_bytes;
                    self.group.charge(&old.key.principal, old.peer.as_ref(), (-1, bytes), self.statements)?;
                }
            }
        }
        Ok(last.filter(|_| rows.len() == SWEEP))
    }

    /// Makes a record, if there is none. Whether there was none.
    fn grant(&mut self, operation: &NewOperation) -> rusqlite::Result<bool> {
        let key = &operation.key;
        let fence = self.group.fence + 1;
        let made = self.statements.insert.execute((
            fence,
            blob_of(key.id),
            key.principal.as_str(),
            operation.service,
            operation.method.0.cast_signed(),
            operation.digest.0,
            operation.policy.idem,
            self.context.owner.0,
            operation.schema.hash().0,
            self.millis(),
            operation.peer.as_ref().map(PeerKey::as_str),
        ))?;
        if made == 1 {
            self.group.fence = fence;
            self.group.charge(&key.principal, operation.peer.as_ref(), (1, RECORD_BYTES), self.statements)?;
        }
        Ok(made == 1)
    }

    fn grant_anew(&mut self, operation: &NewOperation, record: &Record) -> rusqlite::Result<()> {
        self.group.fence += 1;
        let (principal, bytes) = (&operation.key.principal, RECORD_BYTES + record.outcome_bytes);
        self.group.charge(principal, record.peer.as_ref(), (-1, -bytes), self.statements)?;
        self.group.charge(principal, operation.peer.as_ref(), (1, RECORD_BYTES), self.statements)?;
        self.statements.grant_anew.execute((
            record.fence,
            operation.service,
            operation.method.0.cast_signed(),
            operation.digest.0,
            operation.policy.idem,
            self.group.fence,
            self.context.owner.0,
            operation.schema.hash().0,
            self.millis(),
            operation.peer.as_ref().map(PeerKey::as_str),
        ))?;
        Ok(())
    }

    /// Writes an outcome to a record that is granted and can be read. Whether there was one.
    fn seal_granted(&mut self, key: &OperationKey, fence: Fence, outcome: &Outcome) -> rusqlite::Result<bool> {
        let fence = fence.0.cast_signed();
        let mut sealed = self.statements.seal.query((
            fence,
            blob_of(key.id),
            key.principal.as_str(),
            outcome.schema.hash().0,
            &outcome.bytes[..],
            check(key, outcome.schema.hash(), &outcome.bytes),
            self.millis(),
        ))?;
        let Some(row) = sealed.next()? else { return Ok(false) };
        let (outcome_bytes, peer) = (count(outcome.bytes.len()), peer(row, 0)?);
        drop(sealed);
        self.group.charge(&key.principal, peer.as_ref(), (0, outcome_bytes), self.statements)?;
        self.news.sealed.push((key.clone(), Place { fence, outcome_bytes, peer }));
        self.keep_schema(&outcome.schema)?;
        Ok(true)
    }

    fn keep_schema(&mut self, schema: &Schema) -> rusqlite::Result<()> {
        let hash = schema.hash();
        if !self.context.schemas.contains(&hash) && !self.news.schemas.contains(&hash) {
            self.statements.insert_schema.execute((hash.0, schema.bytes()))?;
            self.news.schemas.push(hash);
        }
        Ok(())
    }

    /// Looks for the record of an operation. An index that is damaged may lead to none or to another's, so what it says is held
    /// against the row, or against the other index.
    fn find(&mut self, key: &OperationKey) -> Step<Option<Record>> {
        let place = (blob_of(key.id), key.principal.as_str());
        let mut rows = self.statements.find.query(place)?;
        if let Some(row) = rows.next()? {
            let is_of_key = row.get(9).unwrap_or(false);
            return match is_of_key {
                true => Record::read(key, row).map(|record| Ok(Some(record))),
                false => Ok(Err(self.context.damaged("the row of its key in `vox_keys` is another's"))),
            };
        }
        match self.statements.find_again.exists(place)? {
            true => Ok(Err(self.context.damaged("`vox_keys` or the table lacks it, and `vox_keys_again` has it"))),
            false => Ok(Ok(None)),
        }
    }

    fn of_fence(&mut self, key: &OperationKey, fence: Fence) -> Step<Record> {
        let record = self.find(key)?;
        Ok(record
            .and_then(|record| record.filter(|record| record.fence == fence.0.cast_signed()).ok_or(StoreError::Fenced)))
    }

    /// An outcome with its schema, which is `known` in most cases. `None`: the schema is not there, or is not the one of its hash.
    fn outcome(&mut self, kept: Kept, known: Option<&Schema>) -> rusqlite::Result<Option<Outcome>> {
        let Kept { bytes, schema: hash } = kept;
        let schema = match known.filter(|known| known.hash() == hash) {
            Some(known) => Some(known.clone()),
            None => {
                let mut rows = self.statements.find_schema.query((hash.0,))?;
                let found = rows.next()?.and_then(|row| row.get::<_, Vec<u8>>(0).ok()).map(Schema::from_bytes);
                found.filter(|found| found.hash() == hash)
            }
        };
        Ok(schema.map(|schema| Outcome { bytes, schema }))
    }

    /// A record as the rules want it, of a method whose response has this schema now.
    fn found(&mut self, record: &Record, schema: &Schema) -> rusqlite::Result<Found> {
        Ok(match &record.content {
            Content::Unreadable => Found::Unreadable,
            Content::Acknowledged => Found::Acknowledged,
            Content::Readable { method, digest, state } => {
                let state = match state {
                    State::Granted(owner) => rules::State::Granted { owner_lives: self.lives(*owner) },
                    State::Sealed(None) => rules::State::Sealed(None),
                    State::Sealed(Some(kept)) => rules::State::Sealed(self.outcome(kept.clone(), Some(schema))?),
                    State::GivenUp => rules::State::GivenUp,
                };
                Found::Record { method: *method, digest: *digest, state }
            }
        })
    }

    fn lives(&self, owner: OwnerId) -> bool {
        owner == self.context.owner || owner.lives(&self.context.database)
    }

    fn millis(&self) -> i64 {
        let since = self.now.duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }
}

/// A row of the statement `oldest`.
struct Old {
    fence: i64,
    key: OperationKey,
    is_tombstone: bool,
    /// Whose handler may run.
    owner: Option<OwnerId>,
    outcome_bytes: i64,
    peer: Option<PeerKey>,
}

impl Old {
    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        // What cannot be read goes with the rest.
        let state = row.get(3).unwrap_or(-1);
        let owner = row.get(4).ok().map(OwnerId);
        Ok(Self {
            fence: row.get(0)?,
            key: key_of(row)?,
            is_tombstone: state == ACKNOWLEDGED,
            owner: owner.filter(|_| state == GRANTED),
            outcome_bytes: row.get(5)?,
            peer: peer(row, 6)?,
        })
    }
}

/// The key in the second and third column, as far as it can be read: the row goes in any case.
fn key_of(row: &rusqlite::Row<'_>) -> rusqlite::Result<OperationKey> {
    let principal = match row.get_ref(2)? {
        ValueRef::Text(name) | ValueRef::Blob(name) => Principal::of_str(&String::from_utf8_lossy(name)),
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => Principal::anonymous(),
    };
    Ok(OperationKey { id: id_of(row.get(1).unwrap_or_default()), principal })
}
