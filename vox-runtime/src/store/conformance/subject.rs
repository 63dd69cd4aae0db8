//! A store under test, and the operations it is tested with.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::descriptor::RetryPolicy;
use crate::ids::MethodId;
use crate::operation::{Admission, Digest, Fence, NewOperation, OperationId, OperationKey, Outcome, Principal};
use crate::schema::Schema;
use crate::store::{OperationStore, StoreError};

/// What is wrong, in words.
pub(super) type Checked<T = ()> = Result<T, String>;

pub(super) struct Subject<S> {
    pub(super) store: Arc<S>,
}

impl<S: OperationStore> Subject<S> {
    pub(super) fn new(store: S) -> Self {
        Self { store: Arc::new(store) }
    }

    pub(super) async fn admit(&self, operation: &NewOperation) -> Checked<Admission> {
        admit(&*self.store, operation).await
    }

    pub(super) async fn grant(&self, operation: &NewOperation) -> Checked<Fence> {
        grant(&*self.store, operation).await
    }

    pub(super) async fn expect(&self, operation: &NewOperation, expected: Admission) -> Checked {
        expect(&*self.store, operation, expected).await
    }

    pub(super) async fn seal(&self, operation: &NewOperation, fence: Fence, outcome: &Outcome) -> Checked<Outcome> {
        let sealed = self.store.seal(&operation.key, fence, outcome.clone()).await;
        sealed.map_err(|error| format!("sealing failed: {error}"))
    }

    /// Admits and seals.
    pub(super) async fn run(&self, operation: &NewOperation, outcome: &Outcome) -> Checked<Fence> {
        let fence = self.grant(operation).await?;
        let sealed = self.seal(operation, fence, outcome).await?;
        same("what is sealed", sealed, outcome.clone())?;
        Ok(fence)
    }

    pub(super) async fn acknowledge(&self, operation: &NewOperation) -> Checked {
        let done = self.store.acknowledge(&operation.key).await;
        done.map_err(|error| format!("acknowledging failed: {error}"))
    }

    /// None of the ends may be taken under this fence.
    pub(super) async fn fenced(&self, operation: &NewOperation, fence: Fence, why: &str) -> Checked {
        let (store, key) = (&self.store, &operation.key);
        let end = |end: &str| format!("{end} under the fence {} ({why})", fence.0);
        let fenced = StoreError::Fenced;
        same(&end("sealing"), store.seal(key, fence, outcome(b"fenced")).await, Err(fenced.clone()))?;
        same(&end("releasing"), store.release(key, fence).await, Err(fenced.clone()))?;
        same(&end("giving up"), store.give_up(key, fence).await, Err(fenced))
    }
}

pub(super) async fn admit<S: OperationStore>(store: &S, operation: &NewOperation) -> Checked<Admission> {
    store.admit(operation).await.map_err(|error| format!("admission failed: {error}"))
}

pub(super) async fn grant<S: OperationStore>(store: &S, operation: &NewOperation) -> Checked<Fence> {
    match admit(store, operation).await? {
        Admission::Granted(fence) => Ok(fence),
        other => Err(format!("an attempt that is to be granted is answered {other:?}")),
    }
}

pub(super) async fn expect<S: OperationStore>(store: &S, operation: &NewOperation, expected: Admission) -> Checked {
    same("the answer", admit(store, operation).await?, expected)
}

pub(super) fn same<T: PartialEq + fmt::Debug>(what: &str, is: T, expected: T) -> Checked {
    match is == expected {
        true => Ok(()),
        false => Err(format!("{what} is {is:?} where {expected:?} is expected")),
    }
}

/// An operation of a method that is `persist` alone.
pub(super) fn operation() -> NewOperation {
    of(OperationId::new(), "acme")
}

/// An operation whose method may run again.
pub(super) fn idem_operation() -> NewOperation {
    NewOperation { policy: RetryPolicy::IDEM_PERSIST, ..operation() }
}

pub(super) fn of(id: OperationId, principal: &str) -> NewOperation {
    let method = MethodId(7);
    NewOperation {
        key: OperationKey { id, principal: Principal::new(principal) },
        peer: None,
        service: "Bank",
        method,
        policy: RetryPolicy::PERSIST,
        digest: Digest::of(method, b"arguments"),
        schema: schema(),
    }
}

/// An outcome of the operations' method.
pub(super) fn outcome(bytes: &'static [u8]) -> Outcome {
    Outcome { bytes: Bytes::from_static(bytes), schema: schema() }
}

fn schema() -> Schema {
    Schema::from_bytes(*b"a response")
}
