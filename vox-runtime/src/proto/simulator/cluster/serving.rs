//! What the sessions of a server ask for.

use super::handlers::Handler;
use super::model::SERVICE;
use super::server::{OperationEvent, Where, method};
use super::world::World;
use crate::ids::{ConnectionId, RequestId};
use crate::proto::testing::next_output;
use crate::proto::{Attempt, Batch, HandlerEnd, Output};

impl World {
    /// Drains a session, and then tells the operations. `true`: there was something.
    pub(super) fn drain_served(&mut self, p: usize, session: u64) -> bool {
        let mut busy = false;
        while let Some(output) = next_output(&mut self.served(p, session).session) {
            busy = true;
            self.note("server", &[p as u64, session], &output);
            self.on_served(p, session, output);
        }
        for notice in std::mem::take(&mut self.served(p, session).operation_events) {
            busy = true;
            match notice {
                OperationEvent::Withdrawn(connection, request, why, kept) => {
                    let place = if kept { Where::Process } else { Where::Session(session) };
                    self.withdraw(p, place, Attempt { session, connection, request }, why);
                }
                OperationEvent::Acknowledged(id) => self.acknowledge(p, session, id),
            }
        }
        busy
    }

    fn on_served(&mut self, p: usize, session: u64, output: Output) {
        let served = self.served(p, session);
        match output {
            Output::Dispatch(request) => served.requests.push(request),
            Output::AbortHandler { connection, request, nth } => match served.requests.take(nth) {
                Some(waited) => {
                    assert_eq!((waited.connection, waited.request), (connection, request), "another dispatch");
                    served.session.handler_ended(connection, request, HandlerEnd::Aborted);
                }
                None => self.abort(p, session, connection, request),
            },
            Output::Withdraw { connection, request, nth, failure, runs_on } => {
                if runs_on && served.requests.holds(nth) {
                    served.session.detach(connection, request, HandlerEnd::Failed(failure));
                } else if let Some(waited) = served.requests.take(nth) {
                    assert_eq!((waited.connection, waited.request), (connection, request), "another dispatch");
                    served.session.handler_ended(connection, request, HandlerEnd::Failed(failure));
                } else {
                    served.operation_events.push(OperationEvent::Withdrawn(connection, request, failure, runs_on));
                }
            }
            Output::Acknowledged { operation } => served.operation_events.push(OperationEvent::Acknowledged(operation)),
            Output::LinkDown(_) | Output::Ended(_) => {
                served.batch = Batch::default();
                if let Some(link) = served.link.take() {
                    self.server_lets_go(link);
                }
            }
            Output::ConnectionEnded { .. } | Output::Room | Output::Refused { .. } => {}
            output => panic!("a server that only serves is told {output:?}"),
        }
    }

    /// Takes up a request.
    pub(super) fn host(&mut self, p: usize, session: u64) {
        let served = self.served(p, session);
        if served.session.outbox_is_full() && served.session.end_reason().is_none() {
            return;
        }
        let Some(request) = served.requests.pop() else { return };
        self.note("hosts", &[p as u64, session, request.request.0], &());
        match request.as_operation {
            true => self.attempt(p, session, request),
            false => self.start(p, session, request, None),
        }
        self.pump(p);
    }

    /// A handler is told to end.
    pub(super) fn abort(&mut self, p: usize, session: u64, connection: ConnectionId, request: RequestId) {
        let same = |h: &&mut Handler| (h.session, h.connection, h.request) == (session, connection, request);
        if let Some(handler) = self.processes[p].handlers.iter_mut().find(same) {
            assert!(!handler.policy.persist, "a handler that runs to its end is told to end");
            handler.aborted = true;
        }
    }

    /// Whether a request belongs to an operation of the whole process.
    pub(super) fn check_request(&self, request: &crate::proto::Request) {
        let policy = method(request).policy;
        let named = request.operation.is_some() && !policy.idem;
        assert_eq!(request.as_operation, policy.persist || named, "a method of {} is taken for another", SERVICE.name);
    }
}
