//! What is so when a store is opened again.

use super::subject::{Checked, admit, expect, grant, idem_operation, operation, outcome, same};
use crate::operation::{Admission, NewOperation};
use crate::store::OperationStore;

/// One operation for each way that one can be left.
pub(super) struct Ids {
    sealed: NewOperation,
    running: NewOperation,
    running_idem: NewOperation,
    given_up: NewOperation,
    given_up_idem: NewOperation,
    released: NewOperation,
    acknowledged: NewOperation,
}

impl Ids {
    pub(super) fn new() -> Self {
        Self {
            sealed: operation(),
            running: operation(),
            running_idem: idem_operation(),
            given_up: operation(),
            given_up_idem: idem_operation(),
            released: operation(),
            acknowledged: operation(),
        }
    }
}

pub(super) async fn prepare<S: OperationStore>(store: &S, ids: &Ids) -> Checked {
    let fault = |error: crate::store::StoreError| error.to_string();
    for sealed in [&ids.sealed, &ids.acknowledged] {
        let fence = grant(store, sealed).await?;
        store.seal(&sealed.key, fence, outcome(b"kept")).await.map_err(fault)?;
    }
    grant(store, &ids.running).await?;
    grant(store, &ids.running_idem).await?;
    for given_up in [&ids.given_up, &ids.given_up_idem] {
        let fence = grant(store, given_up).await?;
        store.give_up(&given_up.key, fence).await.map_err(fault)?;
    }
    let fence = grant(store, &ids.released).await?;
    store.release(&ids.released.key, fence).await.map_err(fault)?;
    store.acknowledge(&ids.acknowledged.key).await.map_err(fault)?;
    // An acknowledgement may be lost. Not here: what comes after it in the store has been done.
    expect(store, &ids.acknowledged, Admission::Expired).await
}

pub(super) async fn durable_outcomes_are_replayed<S: OperationStore>(store: &S, ids: &Ids) -> Checked {
    expect(store, &ids.sealed, Admission::Replay(outcome(b"kept"))).await
}

pub(super) async fn durable_admissions_of_a_dead_owner_are_indeterminate<S: OperationStore>(
    store: &S,
    ids: &Ids,
) -> Checked {
    expect(store, &ids.running, Admission::Indeterminate).await
}

pub(super) async fn durable_ends_stay<S: OperationStore>(store: &S, ids: &Ids) -> Checked {
    expect(store, &ids.given_up, Admission::Indeterminate).await?;
    let acknowledged = admit(store, &ids.acknowledged).await?;
    match acknowledged {
        Admission::Expired | Admission::Replay(_) => Ok(()),
        other => Err(format!("an attempt at an acknowledged operation is answered {other:?}")),
    }
}

pub(super) async fn durable_runs_again_where_it_may<S: OperationStore>(store: &S, ids: &Ids) -> Checked {
    for operation in [&ids.running_idem, &ids.given_up_idem, &ids.released] {
        let fence = grant(store, operation).await?;
        let sealed = store.seal(&operation.key, fence, outcome(b"again")).await;
        same("sealing again", sealed, Ok(outcome(b"again")))?;
        expect(store, operation, Admission::Replay(outcome(b"again"))).await?;
    }
    Ok(())
}
