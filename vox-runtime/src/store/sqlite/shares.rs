//! The share of one peer in the room of all that are not authenticated.

use std::time::Duration;

use bytes::Bytes;

use super::SqliteStore;
use super::testing::{Clock, Directory, full, grant, idem, of_peer, outcome, run};
use crate::operation::{Admission, Holder, OperationId, Outcome, PeerKey, Principal};
use crate::store::{OperationStore, StoreLimits};

fn limits() -> StoreLimits {
    StoreLimits { max_peer_records: 2, max_principal_records: 3, ..StoreLimits::on_disk() }
}

#[tokio::test]
async fn one_peer_that_nobody_knows_cannot_take_all_the_room_of_those() {
    let directory = Directory::new();
    let open = async || SqliteStore::open(directory.path("a.db")).limits(limits()).await.expect("it opens");
    let (store, first) = (open().await, of_peer("10.0.0.1"));
    run(&store, &first).await;
    run(&store, &of_peer("10.0.0.1")).await;
    store.close().await;
    // It is on the disk who has them.
    let store = open().await;
    let refused = store.admit(&of_peer("10.0.0.1")).await;
    assert_eq!(refused, full("max_peer_records", Holder::Peer(PeerKey::new("10.0.0.1")), 2, 2));
    assert!(matches!(store.admit(&first).await, Ok(Admission::Replay(_))));
    grant(&store, &of_peer("10.0.0.2")).await;
    let anonymous = Holder::Principal(first.key.principal.clone());
    assert_eq!(store.admit(&of_peer("10.0.0.3")).await, full("max_principal_records", anonymous, 3, 3));
    store.acknowledge(&first.key).await.expect("acknowledged");
    grant(&store, &of_peer("10.0.0.1")).await;
    store.close().await;

    let limits = StoreLimits { max_peer_bytes: 1_000, ..StoreLimits::on_disk() };
    let store = SqliteStore::open(directory.path("b.db")).limits(limits).await.expect("it opens");
    let long = of_peer("a");
    let fence = grant(&store, &long).await;
    let sealed = Outcome { bytes: Bytes::from(vec![0; 2_000]), ..outcome(b"") };
    store.seal(&long.key, fence, sealed).await.expect("sealed");
    assert_eq!(store.admit(&of_peer("a")).await, full("max_peer_bytes", Holder::Peer(PeerKey::new("a")), 2_256, 1_000));
    grant(&store, &of_peer("b")).await;
}

/// What the totals say of each principal, the anonymous one included, and of each peer is what its rows add up to, whatever becomes of them.
#[tokio::test]
async fn what_anybody_takes_is_what_their_records_take() {
    let (directory, clock) = (Directory::new(), Clock::new(1_000_000_000));
    let limits = StoreLimits { retention: Duration::from_secs(60), max_tombstones: 5, ..StoreLimits::on_disk() };
    let open = async || {
        let store = clock.of(SqliteStore::open(directory.path("a.db"))).limits(limits.clone());
        store.await.expect("it opens")
    };
    let mut store = open().await;
    let mut ended = Vec::new();
    for n in 0..200_u64 {
        let mut operation = idem(&of_peer(["a", "b", "c"][n as usize % 3]));
        operation.key.id = OperationId::at(store.time());
        if n % 4 == 3 {
            (operation.key.principal, operation.peer) = (Principal::new("acme"), None);
        }
        let fence = grant(&store, &operation).await;
        match n % 5 {
            0 => store.release(&operation.key, fence).await.expect("released"),
            1 => drop(store.give_up(&operation.key, fence).await.expect("given up")),
            2 => {}
            _ => drop(store.seal(&operation.key, fence, outcome(b"an outcome")).await.expect("sealed")),
        }
        ended.push(operation);
        match n % 7 {
            0 => store.acknowledge(&ended[n as usize / 2].key).await.expect("told"),
            3 => store.forget(&ended[n as usize / 3].key).await.expect("told"),
            5 => {
                // Granted anew, if it was given up: then it is this peer's.
                let mut again = ended[n as usize / 2].clone();
                again.peer = again.peer.map(|_| PeerKey::new("b"));
                let _ = store.admit(&again).await;
            }
            _ => {}
        }
        if n % 20 == 19 {
            clock.set(1_000_000_000 + n);
        }
        if n % 50 == 49 {
            store.close().await;
            store = open().await;
        }
        assert_agree(&store, &directory).await;
    }
}

async fn assert_agree(store: &SqliteStore, directory: &Directory) {
    // What was told is done with the next transaction, and totals are written at its end.
    store.transaction(|_| Ok::<_, rusqlite::Error>(())).await.expect("done");
    let reader = rusqlite::Connection::open(directory.path("a.db")).expect("it is there");
    let taken = |sql: &str| {
        let mut asked = reader.prepare(sql).expect("a statement");
        let rows = asked.query_map((), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).expect("rows");
        rows.collect::<rusqlite::Result<Vec<(String, i64, i64)>>>().expect("rows")
    };
    for (kind, column) in [(0, "principal"), (1, "peer")] {
        let said = taken(&format!(
            "SELECT name, records, bytes FROM vox_holders WHERE kind = {kind} AND records > 0 ORDER BY name"
        ));
        let is = taken(&format!(
            "SELECT {column}, count(*), sum(256 + ifnull(length(outcome), 0)) FROM vox_operations
             WHERE {column} IS NOT NULL AND state != 3 GROUP BY {column} ORDER BY {column}",
        ));
        assert_eq!(said, is, "of each {column}");
    }
}
