//! Who a peer is, and that nobody gets what is another's.

use std::sync::Arc;

use vox::store::MemoryStore;
use vox::{Client, ConnectError, Peer, Principal, Refusal, RefusalCode, VoxError};

use crate::lab::{Lab, LedgerClient, id};

/// In a test every peer is believed to be who it says it is.
async fn ask(peer: Peer) -> Result<Principal, Refusal> {
    let name = peer.metadata().get("name").unwrap_or_default();
    match name {
        "mallory" => Err(Refusal::new(RefusalCode::Unauthorized, "nobody of that name")),
        name => Ok(Principal::new(name)),
    }
}

async fn as_principal(lab: &Lab, name: &str) -> LedgerClient {
    vox::connect(lab.server.address()).metadata("name", name).await.expect("a session")
}

/// Two servers, one store, two principals, one id.
#[tokio::test(start_paused = true)]
async fn pitfall_4_operations_of_one_id_and_two_principals_never_cross() {
    let store = Arc::new(MemoryStore::new());
    let id = id();
    let mut labs = Vec::new();
    for _ in 0..2 {
        labs.push(Lab::with(|builder| builder.store(Arc::clone(&store) as _).authenticate(ask)).await);
    }
    let (here, there) = (&labs[0], &labs[1]);
    assert_eq!(as_principal(here, "alice").await.text(1).operation(id).await, Ok("x".to_owned()));
    // Another call under the same id: of the same principal a conflict, at either server; of another one a call like any other.
    assert_eq!(as_principal(there, "alice").await.text(2).operation(id).await, Err(VoxError::OperationConflict));
    assert_eq!(as_principal(there, "bob").await.text(2).operation(id).await, Ok("xx".to_owned()));
    assert_eq!(as_principal(here, "bob").await.text(2).operation(id).await, Ok("xx".to_owned()));
    assert_eq!(as_principal(here, "bob").await.text(1).operation(id).await, Err(VoxError::OperationConflict));
    assert_eq!(as_principal(there, "alice").await.text(1).operation(id).await, Ok("x".to_owned()));
    assert_eq!((here.bench.started.get(), there.bench.started.get()), (1, 1));
    // Nor does one acknowledge for the other.
    let bob = as_principal(here, "bob").await;
    bob.caller().acknowledge(id);
    assert_eq!(bob.text(2).operation(id).await, Err(VoxError::OperationExpired));
    assert_eq!(as_principal(here, "alice").await.text(1).operation(id).await, Ok("x".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn pitfall_4_clients_that_share_a_store_do_not_get_each_others_outcomes() {
    let store = Arc::new(MemoryStore::new());
    let labs = [Lab::on(Arc::clone(&store) as _).await, Lab::on(Arc::clone(&store) as _).await];
    for lab in &labs {
        for n in 1..=5 {
            assert_eq!(lab.client().await.at_once(2).await, Ok(n), "each first call of a client runs");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_is_not_accepted_is_told_why() {
    let lab = Lab::with(|builder| builder.authenticate(ask)).await;
    let refused = vox::connect::<LedgerClient>(lab.server.address()).metadata("name", "mallory").await;
    let Err(ConnectError::Refused { refusal, .. }) = refused else { panic!("it is not accepted") };
    assert_eq!((refusal.code, refusal.reason.as_str()), (RefusalCode::Unauthorized, "nobody of that name"));
}

#[tokio::test(start_paused = true)]
async fn handlers_know_who_calls() {
    let lab = Lab::with(|builder| builder.authenticate(ask)).await;
    let id = id();
    let heard = as_principal(&lab, "alice").await.what_it_hears().operation(id).await.expect("it answers");
    assert_eq!(heard, format!("None {id} alice"));
}
