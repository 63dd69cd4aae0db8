//! Attempts at operations, as the session has them.

use std::sync::Arc;

use tokio::runtime::Handle;

use super::connection_dispatchers::Serves;
use super::deferred::OperationEvent;
use super::dispatch::Dispatcher;
use super::handlers::run_elsewhere;
use super::operation_runner::{AttemptSession, Granting, OperationRunner};
use super::peer::Peer;
use super::shared::Shared;
use crate::error::Short;
use crate::ids::ServiceIndex;
use crate::limits::{Limits, Refused};
use crate::operation::OperationKey;
use crate::proto::{Attempt, HandlerEnd, Request};

impl Shared {
    /// The operations that a request belongs to: of a method whose outcome is kept the server's, else this session's own.
    fn runner(&self, kept: bool) -> Option<&Arc<OperationRunner>> {
        match kept {
            true => self.router.runner(),
            false => Some(self.own_operations()),
        }
    }

    fn own_operations(&self) -> &Arc<OperationRunner> {
        self.operations.get_or_init(|| {
            // One clock for all ids, since the peer is told of one.
            let router = self.router.clone();
            OperationRunner::of_a_session(move || router.time())
        })
    }

    /// Takes up an attempt. Gives its handler, if it is to be started at once.
    pub(super) fn start_operation(self: &Arc<Self>, request: Request, serves: Serves<'_>) -> Option<Granting> {
        let method = serves.service().method(request.method)?;
        self.runner(method.policy.persist)?.attempt(self, method, request, serves.chosen())
    }

    /// Tells the operations what became known under the session's lock.
    pub(super) fn notice(&self, notice: OperationEvent) {
        match notice {
            OperationEvent::Withdrawn(connection, request, why, kept) => {
                if let Some(runner) = self.runner(kept) {
                    runner.withdraw(Attempt { session: self.number, connection, request }, why);
                }
            }
            OperationEvent::Acknowledged(id) => {
                let key = OperationKey { id, principal: self.peer.principal().clone() };
                for runner in self.router.runner().into_iter().chain(self.operations.get()) {
                    runner.acknowledge(key.clone());
                }
            }
        }
    }
}

impl AttemptSession for Shared {
    fn number(&self) -> u64 {
        self.number
    }

    fn peer(&self) -> &Peer {
        &self.peer
    }

    fn limits(&self) -> &Limits {
        &self.limits
    }

    fn service(&self, index: ServiceIndex) -> Option<&Arc<dyn Dispatcher>> {
        self.router.get(index)
    }

    fn awaits(&self, attempt: Attempt) -> bool {
        self.lock().session.awaits(attempt.connection, attempt.request)
    }

    fn abort(&self, attempt: Attempt) {
        self.change(|state| state.abort_operation(attempt.connection, attempt.request));
    }

    fn note_refused(&self, short: Short) {
        self.change(|state| state.on_refused(Refused::Call, Some(short)));
    }

    fn handler_ended(&self, attempt: Attempt, end: HandlerEnd<'_>) {
        self.handler_ended(attempt.connection, attempt.request, end);
    }

    fn detach(&self, attempt: Attempt, end: HandlerEnd<'_>) {
        self.change(|state| state.session.detach(attempt.connection, attempt.request, end));
    }

    fn start(self: Arc<Self>, granting: Granting, runtime: &Handle) {
        run_elsewhere(self, granting, runtime);
    }
}
