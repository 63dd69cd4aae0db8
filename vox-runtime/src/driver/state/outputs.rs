//! What the protocol puts out is handed to those who wait for it.

use super::super::deferred::{LogEvent, OperationEvent};
use super::super::router::Router;
use super::super::state::{State, Waiter};
use crate::error::{EndReason, Short};
use crate::ids::{ConnectionId, RequestId};
use crate::limits::Refused;
use crate::proto::{CallEnd, HandlerEnd, Output};
use crate::wire::Failure;

/// How many calls, handlers and channels are told of their end at a time: those who are wake up, or go.
const ENDS: usize = 32;

impl State {
    /// Drains the session.
    #[inline]
    pub(in crate::driver) fn settle(&mut self, router: &Router) {
        // Most changes ask for nothing.
        let waits = self.wake_plan.has_senders() || self.suspended.is_some();
        if self.session.has_outputs() || waits || self.session.is_behind() {
            self.settle_outputs(router);
        }
    }

    /// As [`settle`](Self::settle), and leaves nothing for later.
    #[cold]
    pub(in crate::driver) fn settle_all(&mut self, router: &Router) {
        self.session.end_rest();
        while self.session.has_outputs() {
            self.settle(router);
        }
    }

    /// Whether something is left for later, which the session's task does in turns of its own.
    #[inline]
    pub(in crate::driver) fn has_left(&self) -> bool {
        self.session.has_outputs() || self.session.is_behind()
    }

    fn settle_outputs(&mut self, router: &Router) {
        let (mut room, mut ended) = (0, 0);
        while ended < ENDS
            && let Some(output) = self.session.poll_output()
        {
            self.on_output(output, router, &mut room, &mut ended);
        }
        if self.has_left() && !self.wake_plan.is_awake() {
            self.deferred.wakes.extend(self.wake_plan.on_change(self.link.number, None, true));
        }
        if room > 0 && !self.queue.is_empty() {
            self.wake_heads(room);
        }
        self.resume_suspended();
        // Not only once it is empty: on a busy link that may be never.
        let Self { wake_plan, session, .. } = self;
        if wake_plan.on_room(|| session.outbox_has_room(), || session.outbox_has_long_room()) {
            self.pump_all();
            self.deferred.wakes.extend(self.queue.take_all());
            for endpoint in self.endpoints.iter_mut() {
                if let Some(sender) = endpoint.as_sender() {
                    self.deferred.wakes.append(&mut sender.wakers);
                }
            }
        }
    }

    /// Always part of its one caller: an output is large to pass on. `room` counts what is free again,
    /// and `ended` what was ended before its time.
    #[inline(always)]
    fn on_output(&mut self, output: Output, router: &Router, room: &mut usize, ended: &mut usize) {
        match output {
            Output::Finish { token, end } => {
                *ended += usize::from(!matches!(end, CallEnd::Reply(_)));
                #[cfg(test)]
                self.spring(super::Trap::Finish);
                if let Some(waiter) = self.waiters.get_mut(token)
                    && let Waiter::Waiting(Some(waker)) = std::mem::replace(waiter, Waiter::Done(end))
                {
                    self.deferred.wakes.push(waker);
                }
            }
            Output::Dispatch(request) if self.draining => {
                let busy = HandlerEnd::Failed(Failure::Busy(Short::SHUTTING_DOWN));
                self.requests.pass();
                self.session.handler_ended(request.connection, request.request, busy);
            }
            Output::Dispatch(request) => self.requests.push(request),
            Output::AbortHandler { connection, request, nth } => {
                *ended += 1;
                self.abort(connection, request, nth);
            }
            Output::Withdraw { connection, request, nth, failure, runs_on } => {
                *ended += 1;
                self.withdraw((connection, request, nth), failure, runs_on);
            }
            Output::Acknowledged { operation } => {
                self.deferred.operations.push(OperationEvent::Acknowledged(operation))
            }
            Output::Deliver { token, items } => {
                if let Some(endpoint) = self.endpoints.get_mut(token) {
                    endpoint.touch();
                    if let Some(receiver) = endpoint.as_receiver() {
                        receiver.push(items);
                        self.deferred.wakes.extend(receiver.waker.take());
                    }
                }
            }
            Output::ReceiverEnded { token, end } | Output::SenderEnded { token, end } => {
                *ended += 1;
                if let Some(endpoint) = self.endpoints.get_mut(token) {
                    endpoint.end(end, &mut self.deferred.wakes);
                    self.drop_backlog(token);
                    self.close_run(token);
                } else {
                    // Its holder went while it was yet to end.
                    self.session.let_go(token);
                }
            }
            Output::GrantPermits { token } => self.on_credit(token),
            Output::Opened { token, result } => self.on_opened(token, result),
            Output::Offered { connection, service, metadata, contract } => {
                self.on_offered(connection, service, metadata, contract, router);
            }
            Output::Heard { ours, theirs } => router.heard().keep(ours, &theirs),
            Output::ConnectionEnded { connection } => {
                self.deferred.wakes.extend(self.queue.take_line(connection));
                self.let_go_of_chosen();
                self.wake_observers();
                // Whether the peer still holds the session is not known here, so the end that connected decides:
                // else a client could not close its only connection and open another.
                if self.session.is_initiator() {
                    self.end_if_unused();
                }
            }
            Output::Room => *room += 1,
            Output::LinkDown(reason) => self.on_link_down(reason),
            Output::Refused { what, short } => self.on_refused(what, Some(short)),
            Output::Ended(reason) => {
                if let EndReason::PeerViolation(_) = reason {
                    self.on_refused(Refused::Session, None);
                }
                self.deferred.notes.push(LogEvent::Ended(reason));
                self.deferred.wakes.extend(std::mem::take(&mut self.queue).take_all());
                self.wake_observers();
            }
        }
    }

    fn abort(&mut self, connection: ConnectionId, request: RequestId, nth: u64) {
        if let Some(task) = self.tasks.as_mut().and_then(|tasks| tasks.remove(&(connection, request))) {
            self.deferred.notes.push(LogEvent::Abort(task));
            return;
        }
        // Not started yet: it never will be.
        if self.requests.take(nth).is_some() {
            self.session.handler_ended(connection, request, HandlerEnd::Aborted);
        }
    }
}
