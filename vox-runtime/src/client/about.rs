//! What a call's errors say about it.

use super::call::Call;
use crate::error::{Clocks, Place, VoxError};

impl<T, E> Call<T, E> {
    /// The error, with which call it is about and, where its operation's id is out of date, both times.
    pub(super) fn about(&self, error: VoxError<E>) -> VoxError<E> {
        error.placed(|| self.place()).timed(|| self.clocks())
    }

    fn place(&self) -> Place {
        Place::new(self.method.service, self.method.name, self.line().shared().peer.address())
    }

    /// What time its operation's id says, and what time it is by the server's clock.
    fn clocks(&self) -> Clocks {
        let server = self.line().shared().peer_time();
        self.operation.map_or(Clocks::UNKNOWN, |named| Clocks::new(named.id.time(), server))
    }
}
