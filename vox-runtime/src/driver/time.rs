//! What time it is where a session's peer is.

use std::sync::{MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use super::shared::Shared;
use crate::operation::OperationId;
use crate::proto::PeerClock;

impl Shared {
    /// The peer says what time it is, in milliseconds since 1970.
    pub(super) fn hear_time(&self, millis: u64) {
        *self.peer_clock() = PeerClock::told(millis, Instant::now());
    }

    /// A new operation's id, by the clock of the peer, who judges it.
    pub(crate) fn new_operation(&self) -> OperationId {
        OperationId::by(self.peer_time())
    }

    /// What time it is where the peer is.
    pub(crate) fn peer_time(&self) -> SystemTime {
        let now = Instant::now();
        UNIX_EPOCH + self.peer_clock().since_epoch(now)
    }

    fn peer_clock(&self) -> MutexGuard<'_, PeerClock> {
        self.peer_clock.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
