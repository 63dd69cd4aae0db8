//! Attempts whose callers wait no more.

use super::super::deferred::{LogEvent, OperationEvent};
use super::super::state::State;
use crate::ids::{ConnectionId, RequestId};
use crate::proto::HandlerEnd;
use crate::wire::Failure;

impl State {
    /// Nobody waits any more for the answer to an attempt, which came with the `nth` dispatch.
    pub(in crate::driver) fn withdraw(
        &mut self,
        (connection, request, nth): (ConnectionId, RequestId, u64),
        failure: Failure,
        runs_on: bool,
    ) {
        if runs_on && self.requests.holds(nth) {
            // Not taken up yet. What runs without its caller will be.
            self.session.detach(connection, request, HandlerEnd::Failed(failure));
        } else if self.requests.take(nth).is_some() {
            self.session.handler_ended(connection, request, HandlerEnd::Failed(failure));
        } else {
            self.deferred.operations.push(OperationEvent::Withdrawn(connection, request, failure, runs_on));
        }
    }

    /// The handler that came with an attempt is told to end.
    pub(in crate::driver) fn abort_operation(&mut self, connection: ConnectionId, request: RequestId) {
        self.session.unwant(connection, request);
        let task = self.tasks.as_mut().and_then(|tasks| tasks.remove(&(connection, request)));
        self.deferred.notes.extend(task.map(LogEvent::Abort));
    }
}
