//! Contracts that the peers of one client or of one server have sent before.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::descriptor::ServiceDescriptor;
use crate::proto::Recalled;
use crate::schema::{Contract, Heard, SchemaHash};
use crate::wire::Named;

/// Those that one router keeps, for all its sessions. Most are told none, and take no memory for it.
#[derive(Default)]
pub(super) struct HeardContracts(Mutex<Option<Box<Heard>>>);

impl HeardContracts {
    /// A peer told this contract, beside which this end has that one.
    pub(super) fn keep(&self, ours: SchemaHash, theirs: &Contract) {
        self.lock().get_or_insert_default().keep(ours, theirs);
    }

    /// The contract that the next peer has most likely, if it is not this one.
    pub(super) fn likely(&self, ours: &Contract) -> Option<Recalled> {
        let (hash, contract) = self.lock().as_ref()?.likely(ours.hash())?;
        Some(Recalled { hash, contract })
    }

    /// The contract that a peer names, if it was told before.
    pub(super) fn recall(&self, descriptor: &'static ServiceDescriptor, theirs: Option<Named>) -> Option<Bytes> {
        let (ours, theirs) = (descriptor.contract().hash(), theirs?.hash);
        if ours == theirs { None } else { self.lock().as_mut()?.get(ours, theirs) }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Box<Heard>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
