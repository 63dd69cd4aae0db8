//! A row, and what can be read of it.

use bytes::Bytes;
use rusqlite::Row;
use rusqlite::types::{FromSql, ValueRef};

use super::owner::OwnerId;
use crate::ids::MethodId;
use crate::operation::{Digest, OperationKey, PeerKey};
use crate::schema::SchemaHash;

pub(super) const GRANTED: i64 = 0;
pub(super) const SEALED: i64 = 1;
pub(super) const GIVEN_UP: i64 = 2;
pub(super) const ACKNOWLEDGED: i64 = 3;

/// A record as it was found. Nothing in it is believed: a disk can change what was written.
pub(super) struct Record {
    pub(super) fence: i64,
    /// An admission of it has ended: it may have run.
    pub(super) ended: bool,
    pub(super) content: Content,
    /// The outcome's length; of what is no tombstone.
    pub(super) outcome_bytes: i64,
    /// Whose share it takes.
    pub(super) peer: Option<PeerKey>,
}

pub(super) enum Content {
    Unreadable,
    Acknowledged,
    Readable { method: MethodId, digest: Digest, state: State },
}

pub(super) enum State {
    Granted(OwnerId),
    /// `None` if the outcome is missing or is not what was sealed.
    Sealed(Option<Kept>),
    GivenUp,
}

/// An outcome as it is in a row: its schema is in another table.
#[derive(Clone)]
pub(super) struct Kept {
    pub(super) bytes: Bytes,
    pub(super) schema: SchemaHash,
}

impl Record {
    /// Reads a row of the statement `find`.
    pub(super) fn read(key: &OperationKey, row: &Row<'_>) -> rusqlite::Result<Self> {
        let outcome_bytes = match row.get_ref(6)? {
            ValueRef::Blob(bytes) | ValueRef::Text(bytes) => i64::try_from(bytes.len()).unwrap_or(i64::MAX),
            ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => 0,
        };
        Ok(Self {
            fence: row.get(0)?,
            ended: column(row, 8).unwrap_or(true),
            content: content(key, row).unwrap_or(Content::Unreadable),
            outcome_bytes,
            peer: peer(row, 10)?,
        })
    }
}

/// Whose share a row takes, as far as it can be read.
pub(super) fn peer(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<PeerKey>> {
    Ok(match row.get_ref(index)? {
        ValueRef::Text(name) | ValueRef::Blob(name) => Some(PeerKey::new(String::from_utf8_lossy(name))),
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => None,
    })
}

fn content(key: &OperationKey, row: &Row<'_>) -> Option<Content> {
    let state = match column::<i64>(row, 1)? {
        ACKNOWLEDGED => return Some(Content::Acknowledged),
        GRANTED => State::Granted(OwnerId(column(row, 2)?)),
        SEALED => State::Sealed(outcome(key, row)),
        GIVEN_UP => State::GivenUp,
        _ => return None,
    };
    let method = MethodId(column::<i64>(row, 3)?.cast_unsigned());
    Some(Content::Readable { method, digest: Digest(column(row, 4)?), state })
}

fn outcome(key: &OperationKey, row: &Row<'_>) -> Option<Kept> {
    let schema = SchemaHash(column(row, 5)?);
    let ValueRef::Blob(bytes) = row.get_ref(6).ok()? else { return None };
    let kept = Kept { bytes: Bytes::copy_from_slice(bytes), schema };
    (column::<[u8; 16]>(row, 7)? == check(key, schema, &kept.bytes)).then_some(kept)
}

fn column<T: FromSql>(row: &Row<'_>, index: usize) -> Option<T> {
    row.get(index).ok()
}

/// What is kept beside an outcome, so that bytes that have changed, or come from another record, are no outcome.
pub(super) fn check(key: &OperationKey, schema: SchemaHash, outcome: &[u8]) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&key.id.to_u128().to_be_bytes());
    let principal = key.principal.as_str();
    hasher.update(&(principal.len() as u64).to_le_bytes());
    hasher.update(principal.as_bytes());
    hasher.update(&schema.0);
    hasher.update(outcome);
    let mut check = [0; 16];
    check.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    check
}

/// Reads a row whose columns a fuzzer has chosen: each is a kind, and a number of eight bytes or a length and so many bytes.
#[cfg(fuzzing)]
pub(crate) fn read_any(mut columns: &[u8]) {
    use rusqlite::types::Value;
    thread_local! {
        static DATABASE: rusqlite::Connection = rusqlite::Connection::open_in_memory().expect("a database");
    }
    let mut take = |len: usize| {
        let (taken, rest) = columns.split_at(len.min(columns.len()));
        columns = rest;
        taken
    };
    let mut column = || match take(1).first().map_or(0, |kind| kind % 4) {
        0 => Value::Null,
        1 => Value::Integer(take(8).iter().fold(0, |number, byte| number << 8 | i64::from(*byte))),
        kind => {
            let len = take(1).first().map_or(0, |len| usize::from(*len));
            match kind {
                2 => Value::Blob(take(len).to_vec()),
                _ => Value::Text(String::from_utf8_lossy(take(len)).into_owned()),
            }
        }
    };
    let row: [Value; 11] = std::array::from_fn(|_| column());
    let id = crate::operation::OperationId::from_u128(1);
    let key = OperationKey { id, principal: crate::operation::Principal::anonymous() };
    DATABASE.with(|database| {
        let mut select = database.prepare("SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11").expect("a statement");
        let read = select.query_row(rusqlite::params_from_iter(row), |row| Record::read(&key, row));
        if let Ok(Record {
            content: Content::Readable { state: State::Sealed(Some(outcome)), .. },
            outcome_bytes,
            ..
        }) = read
        {
            assert_eq!(outcome.bytes.len() as i64, outcome_bytes);
        }
    });
}
