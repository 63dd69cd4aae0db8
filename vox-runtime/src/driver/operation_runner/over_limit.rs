//! The limit of handlers that run on without their callers.

use std::sync::atomic::Ordering;

use super::{AttemptSession, OperationRunner};
use crate::descriptor::MethodDescriptor;
use crate::error::{Scarce, Short};

impl OperationRunner {
    /// What is short, if so many handlers run on without a caller that no other of such a method may start.
    pub(super) fn is_over_limit(&self, method: &MethodDescriptor, session: &dyn AttemptSession) -> Option<Short> {
        if !method.policy.persist {
            return None;
        }
        let over = |of, running, most| (running >= most).then(|| Short::new(of, running + 1, most));
        let of_peer = || session.peer().account().map_or(0, |account| account.detached());
        over(Scarce::ServerDetached, self.detached.load(Ordering::Relaxed), session.limits().max_server_detached)
            .or_else(|| over(Scarce::PeerDetached, of_peer(), session.limits().max_peer_detached))
    }
}
