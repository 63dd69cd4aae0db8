//! What one peer may have of the store, where nobody is asked who he is.

use std::sync::Arc;

use vox::store::{MemoryStore, StoreLimits};
use vox::transport::Link;
use vox::{Client, Principal, Ran, VoxError};

use crate::lab::{Lab, LedgerClient, id};
use crate::support::settle;

fn store() -> Arc<MemoryStore> {
    let limits = StoreLimits { max_peer_records: 3, ..StoreLimits::default() };
    Arc::new(MemoryStore::with_limits(limits).expect("limits"))
}

#[tokio::test(start_paused = true)]
async fn one_address_has_no_more_of_the_store_than_its_share() {
    let lab = Lab::on(store()).await;
    let ids = [(); 3].map(|()| id());
    // All links of an address are one peer's.
    for (id, address) in ids.iter().zip(["2001:db8:1:2::1", "2001:db8:1:2::2", "2001:db8:1:2::3"]) {
        lab.client_of(address).await.at_once(2).operation(*id).await.expect("it runs");
    }
    let strange = lab.client_of("2001:db8:1:2::4").await;
    let refused = strange.at_once(2).operation(id()).await.expect_err("it has its share");
    assert!(matches!(refused, VoxError::StoreUnavailable { .. }) && refused.ran() == Ran::No, "{refused:?}");
    // What it has done is replayed, and others have their own.
    assert_eq!(strange.at_once(2).operation(ids[0]).await, Ok(1));
    assert_eq!(lab.client_of("2001:db8:1:3::1").await.at_once(2).operation(id()).await, Ok(4));
    assert_eq!(lab.client().await.at_once(2).operation(id()).await, Ok(5));
    strange.caller().acknowledge(ids[1]);
    settle().await;
    assert_eq!(strange.at_once(2).operation(id()).await, Ok(6));
    // A call that needs no room after it is over needs it while it runs.
    assert_eq!(strange.at_once(2).await.expect_err("there is none").ran(), Ran::No);
}

/// Who is known has a share of its own, from wherever it comes, and takes none of an address's.
#[tokio::test(start_paused = true)]
async fn a_principal_that_is_known_does_not_count_for_its_address() {
    let ask = async |peer: vox::Peer| Ok(peer.metadata().get("name").map_or(Principal::anonymous(), Principal::new));
    let lab = Lab::with(|builder| builder.store(store()).authenticate(ask)).await;
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let link = Link::new(theirs, "a link").of_peer("10.0.0.1");
    let connecting = vox::connect::<LedgerClient>(Link::new(ours, "a server")).metadata("name", "acme");
    let (accepted, acme) = tokio::join!(lab.server.accept(link), connecting);
    accepted.expect("a session");
    let acme = acme.expect("a session");
    for run in 1..=5 {
        assert_eq!(acme.at_once(2).operation(id()).await, Ok(run));
    }
    assert_eq!(lab.client_of("10.0.0.1").await.at_once(2).operation(id()).await, Ok(6));
}
