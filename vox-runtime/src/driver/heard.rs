//! Contracts that peers of this process told before. All its clients and servers share them: a hash names the same contract for each.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::descriptor::ServiceDescriptor;
use crate::proto::Recalled;
use crate::schema::{Contract, Heard, SchemaHash};
use crate::wire::Named;

static HEARD: Mutex<Heard> = Mutex::new(Heard::new());

fn heard() -> MutexGuard<'static, Heard> {
    HEARD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Forgets all of them, so that they are told again. For tests of how they are told.
pub fn forget_contracts() {
    *heard() = Heard::new();
}

/// A peer told this contract, beside which this end has that one.
pub(super) fn keep(ours: SchemaHash, theirs: &Contract) {
    heard().keep(ours, theirs);
}

/// The contract that the next peer has most likely, if it is not this one.
pub(crate) fn likely(ours: &Contract) -> Option<Recalled> {
    heard().likely(ours.hash()).map(|(hash, contract)| Recalled { hash, contract })
}

/// The contract that a peer names, if it was told before.
pub(super) fn recall(descriptor: &'static ServiceDescriptor, theirs: Option<Named>) -> Option<Bytes> {
    let (ours, theirs) = (descriptor.contract().hash(), theirs?.hash);
    if ours == theirs { None } else { heard().get(ours, theirs) }
}
