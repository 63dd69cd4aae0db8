//! What a call's errors say about it.

use super::call::Call;
use crate::error::{Clocks, EndReason, Place, VoxError};

impl<T, E> Call<T, E> {
    /// The error, with which call it is about and, where its operation's id is out of date, both times.
    pub(super) fn about(&self, error: VoxError<E>) -> VoxError<E> {
        error.placed(|| self.place()).timed(|| self.clocks())
    }

    /// Whether it ran is unknown: says how its session ended, or its connection alone.
    #[cold]
    pub(super) fn indeterminate(&self) -> VoxError<E> {
        let line = self.line();
        let state = line.shared().lock();
        let session = state.session.end_reason();
        VoxError::indeterminate(match session {
            Some(lost @ EndReason::Lost(_)) => lost.to_string(),
            Some(how) => format!("the session has ended: {how}"),
            None => match state.session.connection_end(line.connection()) {
                Some(how) => format!("the connection has ended: {how}"),
                None => "the call has no outcome here".to_owned(),
            },
        })
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
