//! Calls of `persist` methods that name no operation, as only a peer of another make sends them. Nobody can ask for the
//! outcome of such a call, so it is not kept.

use std::sync::Arc;

use vox::store::{MemoryStore, StoreLimits};
use vox::transport::Link;

use crate::lab::{Lab, id};
use crate::scripted::Scripted;
use crate::support::raw::{self, CALL, REPLY, Raw, call, frame};
use crate::support::settle;

async fn peer(lab: &Lab) -> Raw {
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let (accepted, raw) =
        tokio::join!(lab.server.accept(Link::new(theirs, "raw")), Raw::initiate(ours, Some("Ledger")));
    accepted.expect("a session");
    raw
}

fn store(max_records: usize) -> Arc<MemoryStore> {
    Arc::new(MemoryStore::with_limits(StoreLimits { max_records, ..StoreLimits::default() }).expect("limits"))
}

const NOTHING: &str = "MemoryStore { records: 0, bytes: 0, tombstones: 0, .. }";

#[tokio::test(start_paused = true)]
async fn calls_without_a_name_fill_no_store() {
    let store = store(4);
    let lab = Lab::on(Arc::clone(&store) as _).await;
    let mut peer = peer(&lab).await;
    let methods: [(&str, &[u8]); 4] =
        [("Ledger.at_once", &[2]), ("Ledger.unit", &[]), ("Ledger.text", &[5]), ("Ledger.explode", &[])];
    for round in 0..50 {
        for (n, (method, arguments)) in methods.iter().enumerate() {
            peer.send(&call(1, 2 * (4 * round + n as u64) + 1, method, arguments)).await;
            peer.read_kind(REPLY).await;
        }
    }
    settle().await;
    assert_eq!(format!("{store:?}"), NOTHING);
    assert_eq!(lab.bench.started.get(), 200);
    // Others have the room that there was.
    let client = lab.client().await;
    assert_eq!(client.at_once(2).operation(id()).await, Ok(201));
}

/// Its session is lost for good, and its handler runs to its end.
#[tokio::test(start_paused = true)]
async fn of_a_call_without_a_name_whose_caller_is_gone_nothing_stays() {
    let store = store(4);
    let lab = Lab::on(Arc::clone(&store) as _).await;
    let mut peer = peer(&lab).await;
    peer.send(&call(1, 1, "Ledger.transfer", &[2])).await;
    settle().await;
    drop(peer);
    settle().await;
    assert!(format!("{store:?}").contains("records: 1,"), "it runs: {store:?}");
    lab.bench.gate.add_permits(1);
    settle().await;
    assert_eq!((lab.bench.finished.get(), format!("{store:?}").as_str()), (1, NOTHING));
}

/// Everybody who knows the name may ask for it.
#[tokio::test(start_paused = true)]
async fn what_has_a_name_stays_until_it_is_acknowledged() {
    let store = store(4);
    let lab = Lab::on(Arc::clone(&store) as _).await;
    let mut peer = peer(&lab).await;
    let named = frame(CALL).var(1).var(1).method("Ledger.at_once").u8(8).bytes(&id().to_u128().to_be_bytes());
    peer.send(&named.bytes(&[2])).await;
    peer.read_kind(REPLY).await;
    settle().await;
    assert!(format!("{store:?}").contains("records: 1,"), "{store:?}");
}

/// A store that takes its time is told too, after the outcome is sealed.
#[tokio::test(start_paused = true)]
async fn a_store_is_told_to_forget_a_call_without_a_name() {
    let store = Scripted::new();
    let lab = Lab::on(Arc::clone(&store) as _).await;
    let mut peer = peer(&lab).await;
    peer.send(&call(1, 1, "Ledger.at_once", &[2])).await;
    peer.read_kind(REPLY).await;
    settle().await;
    assert_eq!(store.log(), ["admit", "seal", "acknowledge"], "which is how a store forgets that knows no other way");
}

/// The session keeps the reply, though the store keeps nothing: over its next link the caller is told, and nothing runs again.
#[tokio::test(start_paused = true)]
async fn a_call_without_a_name_whose_link_is_lost_gets_its_reply_over_the_next_one() {
    let store = store(4);
    let lab = Lab::on(Arc::clone(&store) as _).await;
    for (round, ends_without_a_link) in [false, true].into_iter().enumerate() {
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        let greeting = async {
            let mut peer = Raw::new(ours);
            peer.send(&raw::resumable_hello("Ledger", raw::LIMITS)).await;
            let welcome = peer.read_kind(raw::WELCOME).await.body;
            (peer, welcome)
        };
        let (accepted, (mut peer, welcome)) = tokio::join!(lab.server.accept(Link::new(theirs, "raw")), greeting);
        accepted.expect("a session");
        let ticket = &welcome[welcome.len() - 48..];
        peer.send(&call(1, 1, "Ledger.transfer", &[2])).await;
        settle().await;
        if ends_without_a_link {
            drop(peer);
            settle().await;
            lab.bench.gate.add_permits(1);
        } else {
            // It is written, and nobody reads it.
            lab.bench.gate.add_permits(1);
            settle().await;
            drop(peer);
        }
        settle().await;
        assert_eq!(format!("{store:?}"), NOTHING);
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        let mut peer = Raw::new(ours);
        let resume = frame(raw::RESUME).bytes(raw::MAGIC).var(1).var(1).bytes(ticket).var(0).var(raw::TIME).var(0);
        let resuming = async {
            peer.send(&resume).await;
            peer.read_kind(raw::RESUMED).await;
            peer.send(&frame(raw::CONFIRM).bytes(raw::MAGIC)).await;
        };
        let (accepted, ()) = tokio::join!(lab.server.accept(Link::new(theirs, "raw")), resuming);
        accepted.expect("its session");
        let run = round as u8 + 1;
        assert_eq!(peer.read_kind(REPLY).await.body, [1, 1, 0, run], "its kept reply");
        assert_eq!(lab.bench.started.get(), usize::from(run));
    }
}
