//! Requests that are ready for a handler, and the tasks of handlers.

use super::super::state::{Next, State};
use crate::ids::{ConnectionId, RequestId};
use crate::proto::HandlerEnd;

impl State {
    /// A handler ended; those who wait for the last one may want to look.
    #[inline]
    pub(in crate::driver) fn on_handler_ended(
        &mut self,
        connection: ConnectionId,
        request: RequestId,
        end: HandlerEnd<'_>,
    ) {
        // Most handlers are done before they would have a task; the key need not be hashed for them.
        if let Some(tasks) = &mut self.tasks
            && !tasks.is_empty()
        {
            tasks.remove(&(connection, request));
        }
        self.session.handler_ended(connection, request, end);
        if self.chosen.is_some() {
            self.let_go_of_chosen();
        }
        if self.draining {
            self.wake_observers();
        }
    }

    /// The next request to host. None while the outbox is full: a peer that reads no replies gets no more made.
    #[inline]
    pub(in crate::driver) fn next_request(&mut self) -> Option<Next> {
        let request = if self.may_host() { self.requests.pop() } else { None };
        Some(Next { request: request?, last: self.requests.is_empty() })
    }

    #[inline]
    pub(in crate::driver) fn may_host(&self) -> bool {
        // Those whose connection is gone may yet be taken out.
        !self.requests.is_empty()
            && !self.session.is_behind()
            && (self.session.may_answer_more() || self.session.end_reason().is_some())
    }
}
