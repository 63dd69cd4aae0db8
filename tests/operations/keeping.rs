//! What is put into the store, and what is taken out of it again.

use vox::{Client, VoxError};

use crate::lab::{id, lab_on};
use crate::scripted::Scripted;
use crate::support::settle;

#[tokio::test(start_paused = true)]
async fn pitfall_11_only_persist_calls_touch_the_store() {
    let store = Scripted::new();
    let (lab, client) = lab_on(&store).await;
    lab.bench.gate.add_permits(10);
    for n in 0..3 {
        assert!(client.plain(n).await.is_ok());
        assert!(client.plain(n).operation(id()).await.is_ok());
        assert!(client.again(n).operation(id()).await.is_ok());
    }
    assert!(client.plain_explode().await.is_err());
    settle().await;
    assert_eq!(store.log(), [""; 0]);
    assert!(client.at_once(2).await.is_ok());
    assert_eq!(store.log(), ["admit", "seal"]);
}

/// The acknowledgement leaves with whatever is written next, and not in a write of its own.
#[tokio::test(start_paused = true)]
async fn ids_that_the_runtime_made_are_acknowledged_by_it() {
    let store = Scripted::new();
    let (_lab, client) = lab_on(&store).await;
    assert!(client.at_once(2).await.is_ok());
    settle().await;
    assert_eq!(store.log(), ["admit", "seal"]);
    assert!(client.at_once(2).await.is_ok());
    settle().await;
    assert_eq!(store.log(), ["admit", "seal", "acknowledge", "admit", "seal"]);
}

#[tokio::test(start_paused = true)]
async fn ids_that_the_application_gave_are_acknowledged_by_it_alone() {
    let store = Scripted::new();
    let (lab, client) = lab_on(&store).await;
    let id = id();
    assert_eq!(client.at_once(2).operation(id).await, Ok(1));
    assert_eq!(client.at_once(2).operation(id).await, Ok(1));
    assert_eq!(store.log(), ["admit", "seal", "admit"]);
    client.caller().acknowledge(id);
    settle().await;
    assert_eq!(store.log().last(), Some(&"acknowledge"));
    assert_eq!(client.at_once(2).operation(id).await, Err(VoxError::OperationExpired));
    assert_eq!(lab.bench.started.get(), 1);
}

// proves: operation.acknowledge
#[tokio::test(start_paused = true)]
async fn what_runs_is_not_acknowledged() {
    let store = Scripted::new();
    let (lab, client) = lab_on(&store).await;
    let id = id();
    let call = tokio::spawn(client.transfer(2).operation(id).into_future());
    settle().await;
    client.caller().acknowledge(id);
    settle().await;
    lab.bench.gate.add_permits(1);
    assert_eq!(call.await.expect("no panic"), Ok(1));
    assert_eq!(store.log(), ["admit", "seal"]);
    assert_eq!(client.transfer(2).operation(id).await, Ok(1));
}

/// A store that answers no acknowledgement does not pile them up.
#[tokio::test(start_paused = true)]
async fn acknowledgements_that_wait_for_the_store_are_bounded() {
    let store = Scripted::slow();
    let (_lab, client) = lab_on(&store).await;
    for _ in 0..5000 {
        client.caller().acknowledge(id());
    }
    settle().await;
    let asked = store.log().len();
    assert_eq!(asked, 1024);
    store.let_go_on(2000);
    settle().await;
    client.caller().acknowledge(id());
    settle().await;
    assert_eq!(store.log().len(), asked + 1);
}
