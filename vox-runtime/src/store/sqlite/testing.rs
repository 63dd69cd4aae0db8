//! What several tests need.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use facet::Facet;

use super::{OpenSqlite, SqliteStore};
use crate::descriptor::{MethodDescriptor, RetryPolicy};
use crate::error::VoxError;
use crate::evidence;
use crate::operation::{
    Admission, Digest, Fence, Holder, NewOperation, Operation, OperationId, OperationKey, Outcome, PeerKey, Principal,
};
use crate::store::{OperationStore, StoreError};

/// A directory of a test's own, which goes with it.
pub(super) struct Directory(PathBuf);

impl Directory {
    pub(super) fn new() -> Self {
        Self::below(std::env::temp_dir())
    }

    /// In memory, where the system has such a directory: for tests whose disk is made to fail anyway.
    pub(super) fn in_memory() -> Self {
        let shared = PathBuf::from("/dev/shm");
        if shared.is_dir() { Self::below(shared) } else { Self::new() }
    }

    fn below(directory: PathBuf) -> Self {
        let path = directory.join(format!("vox-store-{}", OperationId::new()));
        fs::create_dir(&path).expect("a directory can be made");
        Self(path)
    }

    pub(super) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.join(name)
    }

    pub(super) async fn open(&self) -> SqliteStore {
        SqliteStore::open(self.path("a.db")).await.expect("it opens")
    }

    pub(super) async fn shared(&self) -> SqliteStore {
        SqliteStore::open(self.path("a.db")).shared().await.expect("it opens")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// A clock that stands until it is told to move.
#[derive(Clone)]
pub(super) struct Clock(Arc<AtomicU64>);

impl Clock {
    pub(super) fn new(seconds: u64) -> Self {
        Self(Arc::new(AtomicU64::new(seconds)))
    }

    pub(super) fn set(&self, seconds: u64) {
        self.0.store(seconds, Ordering::SeqCst);
    }

    pub(super) fn of(&self, open: OpenSqlite) -> OpenSqlite {
        let clock = Arc::clone(&self.0);
        open.clock(move || UNIX_EPOCH + Duration::from_secs(clock.load(Ordering::SeqCst)))
    }
}

pub(super) static TRANSFER: MethodDescriptor = MethodDescriptor {
    response: <Result<u64, VoxError<String>>>::SHAPE,
    policy: RetryPolicy::PERSIST,
    ..evidence::method(7, "Bank", "transfer")
};

pub(super) fn operation() -> NewOperation {
    of(OperationId::new(), "acme")
}

/// An operation made so many seconds after 1970.
pub(super) fn at(seconds: u64, principal: &str) -> NewOperation {
    of(OperationId::at(UNIX_EPOCH + Duration::from_secs(seconds)), principal)
}

pub(super) fn of(id: OperationId, principal: &str) -> NewOperation {
    NewOperation {
        key: OperationKey { id, principal: Principal::new(principal) },
        peer: None,
        service: "Bank",
        method: TRANSFER.id,
        policy: TRANSFER.policy,
        digest: Digest::of(TRANSFER.id, b"arguments"),
        schema: TRANSFER.schema(),
    }
}

pub(super) fn idem(operation: &NewOperation) -> NewOperation {
    NewOperation { policy: RetryPolicy::IDEM_PERSIST, ..operation.clone() }
}

/// What a handler gets for an operation.
pub(super) fn handle(operation: &NewOperation, fence: Fence) -> Operation {
    Operation { key: operation.key.clone(), fence, method: &TRANSFER }
}

pub(super) fn outcome(bytes: &'static [u8]) -> Outcome {
    Outcome { bytes: Bytes::from_static(bytes), schema: TRANSFER.schema() }
}

pub(super) async fn grant(store: &SqliteStore, operation: &NewOperation) -> Fence {
    match store.admit(operation).await {
        Ok(Admission::Granted(fence)) => fence,
        other => panic!("not granted: {other:?}"),
    }
}

pub(super) async fn run(store: &SqliteStore, operation: &NewOperation) -> Fence {
    let fence = grant(store, operation).await;
    let sealed = store.seal(&operation.key, fence, outcome(b"sealed")).await;
    assert_eq!(sealed, Ok(outcome(b"sealed")));
    fence
}

pub(super) async fn run_and_acknowledge(store: &SqliteStore, operation: &NewOperation) {
    run(store, operation).await;
    store.acknowledge(&operation.key).await.expect("acknowledged");
}

/// The totals: records, bytes, tombstones; and the same, counted.
pub(super) async fn totals(store: &SqliteStore) -> (i64, i64, i64) {
    // What waits is done with these, and what is to be forgotten goes bit by bit.
    for _ in 0..4 {
        store.transaction(|_| Ok::<_, ()>(())).await.expect("nothing done");
    }
    let totals = store.transaction(|tx| {
        let kept = tx.query_row("SELECT records, bytes, tombstones FROM vox_store", (), read)?;
        let of_principals: (i64, i64) = tx.query_row(
            "SELECT ifnull(sum(records), 0), ifnull(sum(bytes), 0) FROM vox_holders WHERE kind = 0",
            (),
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let counted = tx.query_row(
            "SELECT count(*) FILTER (WHERE state != 3),
                ifnull(sum(256 + ifnull(length(outcome), 0)) FILTER (WHERE state != 3), 0),
                count(*) FILTER (WHERE state = 3) FROM vox_operations",
            (),
            read,
        )?;
        Ok::<_, rusqlite::Error>((kept, counted, of_principals))
    });
    let (kept, counted, of_principals) = totals.await.expect("read");
    assert_eq!(kept, counted, "the totals are those of the records");
    assert_eq!((kept.0, kept.1), of_principals, "and those of the principals");
    kept
}

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<(i64, i64, i64)> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
}

pub(super) fn principal(name: &str) -> Holder {
    Holder::Principal(Principal::new(name))
}

pub(super) fn full(limit: &'static str, holder: Holder, has: u64, most: u64) -> Result<Admission, StoreError> {
    Err(StoreError::Full { limit, holder, has, most })
}

/// An operation of nobody who is known, but of this peer.
pub(super) fn of_peer(peer: &str) -> NewOperation {
    let operation = operation();
    let key = OperationKey { principal: Principal::anonymous(), ..operation.key };
    NewOperation { key, peer: Some(PeerKey::new(peer)), ..operation }
}
