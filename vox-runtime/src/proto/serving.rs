//! A connection that the peer opened: the requests that this end serves.

mod agreeing;
mod channels;
mod charges;
mod leaving;

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use bytes::Bytes;

use super::agreed::Agreed;
use super::channels::{Channels, Windows};
use super::memory_ledger::{Charge, request_cost};
use super::outbox::LongId;
use super::table::IdTable;
use super::{Effects, Output, WORDS_HEAD};
use crate::descriptor::ServiceDescriptor;
use crate::error::{ProtocolViolation, Rule, Short};
use crate::ids::{ChannelId, ConnectionId, IdFault, IdWatch, MethodId, RequestId, Role, ServiceIndex};
use crate::limits::Refused;
use crate::metadata::Metadata;
use crate::operation::OperationId;
use crate::wire::{self, CallHead, ChannelOpen, Failure, Frame, LongHead, Payload, Reset, WHOLE};

/// A request to be served.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) connection: ConnectionId,
    pub(crate) request: RequestId,
    pub(crate) method: MethodId,
    /// It is to be handled as an attempt at an operation, under this id if the caller named one.
    pub(crate) as_operation: bool,
    pub(crate) operation: Option<OperationId>,
    /// Which service, by the index that `accept` was given.
    pub(crate) service: ServiceIndex,
    pub(crate) deadline: Option<Instant>,
    pub(crate) metadata: Metadata,
    pub(crate) channels: Box<[ChannelOpen]>,
    pub(crate) payload: Bytes,
    /// The peer knows the service otherwise: its connection has the terms.
    pub(crate) has_terms: bool,
}

/// Requests are moved from hand to hand; what is longer the compiler copies by a call.
const _: () = assert!(size_of::<Request>() <= 128 && size_of::<CallHead>() <= 128);

/// How a handler ended.
#[derive(Debug)]
pub(crate) enum HandlerEnd<'a> {
    /// It returned, and this is the response's payload.
    Returned(&'a mut Payload),
    /// It did not run, or ended badly.
    Failed(Failure),
    /// It was aborted.
    Aborted,
}

/// Handlers that run on without a caller, and what is charged for their arguments.
pub(super) type Detached = BTreeMap<(ConnectionId, RequestId), Charge>;

#[derive(Debug)]
struct Running {
    method: MethodId,
    /// Which dispatch it was.
    nth: u64,
    deadline: Option<Instant>,
    as_operation: bool,
    state: RunningState,
    /// For its frame, and what its handler has of it.
    charge: Charge,
}

#[derive(Debug)]
enum RunningState {
    /// Its arguments come in parts, as the long message of this number. `in_vain`: there is no room for its channels, or for itself.
    Arrives {
        number: u64,
        in_vain: Option<Box<Short>>,
    },
    Runs,
    /// Told to end; once it has, the caller gets this.
    Aborting(Failure),
    /// The caller wants no answer any more, which the operation was told. It decides what the answer is, and when.
    Withdrawn,
    /// As before, and the handler was told to end.
    Unwanted,
}

/// A connection that the peer opened.
#[derive(Debug)]
pub(crate) struct Serving {
    id: ConnectionId,
    service: ServiceIndex,
    descriptor: &'static ServiceDescriptor,
    /// The peer, which knows the service otherwise, is to say how.
    awaits_contract: bool,
    /// Most connections need none.
    terms: Option<Box<Agreed>>,
    running: IdTable<Running>,
    requests: IdWatch,
    channel_ids: IdWatch,
    pub(crate) channels: Channels,
    /// Where in the stream the replies end that the peer cannot have read yet. They count as in flight: an
    /// honest caller makes no further call in a slot before it has read the reply.
    unread_replies: VecDeque<u64>,
    /// Long replies that have not left.
    long_replies: u32,
    /// Long calls that are not whole.
    arriving: u32,
}

impl Serving {
    pub(crate) fn new(
        id: ConnectionId,
        peer: Role,
        service: ServiceIndex,
        descriptor: &'static ServiceDescriptor,
        awaits_contract: bool,
    ) -> Self {
        Self {
            id,
            service,
            descriptor,
            awaits_contract,
            terms: None,
            running: IdTable::default(),
            requests: IdWatch::new(peer),
            channel_ids: IdWatch::new(peer),
            channels: Channels::default(),
            unread_replies: VecDeque::new(),
            long_replies: 0,
            arriving: 0,
        }
    }

    pub(crate) fn is_live(&self) -> bool {
        !self.running.is_empty() || !self.channels.is_empty()
    }

    /// How many handlers run.
    pub(crate) fn running(&self) -> usize {
        self.running.len() - self.arriving as usize
    }

    /// Whether this request's handler should run.
    pub(crate) fn wants(&self, request: RequestId) -> bool {
        self.running.get(request.0).is_some_and(|running| match running.state {
            RunningState::Runs | RunningState::Withdrawn => true,
            RunningState::Arrives { .. } | RunningState::Aborting(_) | RunningState::Unwanted => false,
        })
    }

    /// Whether the caller of this request still waits.
    pub(crate) fn awaits(&self, request: RequestId) -> bool {
        self.running.get(request.0).is_some_and(|running| matches!(running.state, RunningState::Runs))
    }

    /// The handler that came with this request is told to end.
    pub(crate) fn unwant(&mut self, request: RequestId) {
        if let Some(running) = self.running.get_mut(request.0) {
            running.state = RunningState::Unwanted;
        }
    }

    pub(crate) fn channel_was_opened(&self, id: ChannelId) -> bool {
        self.channel_ids.was_opened(id.0)
    }

    /// A request arrived.
    #[inline]
    pub(crate) fn on_call(
        &mut self,
        now: Instant,
        head: CallHead,
        payload: Bytes,
        limits: (usize, usize),
        windows: &Windows,
        fx: &mut Effects,
    ) -> Result<bool, ProtocolViolation> {
        if let Some(short) = self.admit(head.request, &head.channels, limits, windows, fx)? {
            self.turn_away(head.request, &head.channels, short, fx);
            return Ok(false);
        }
        let deadline = head.timeout.and_then(|left| now.checked_add(left));
        let as_operation = self.is_operation(head.method, head.operation);
        let (method, nth) = (head.method, fx.dispatched);
        let charge = fx.ledger.charge(request_cost(&head, fx.frame_len()));
        let running = Running { method, nth, deadline, as_operation, state: RunningState::Runs, charge };
        self.running.push(head.request.0, running);
        self.dispatch(head, payload, deadline, as_operation, fx);
        Ok(true)
    }

    /// A request brings channels for which there is no room, though its caller cannot know: too many are kept that were ended and not
    /// taken up. Or there was no memory for a long one.
    #[cold]
    fn turn_away(&mut self, request: RequestId, channels: &[ChannelOpen], short: Short, fx: &mut Effects) {
        self.reset_all(channels, fx);
        self.answer(request, Failure::Busy(short), fx);
        fx.refused(Refused::Call, short);
    }

    fn reset_all(&self, channels: &[ChannelOpen], fx: &mut Effects) {
        for open in channels {
            fx.send(&Frame::Reset { connection: self.id, channel: open.id, why: Reset::Gone });
        }
    }

    /// A long request begins to arrive. It takes its place, and opens its channels.
    pub(crate) fn on_call_begun(
        &mut self,
        number: u64,
        head: &CallHead,
        limits: (usize, usize),
        windows: &Windows,
        fx: &mut Effects,
    ) -> Result<(), ProtocolViolation> {
        let short = self.admit(head.request, &head.channels, limits, windows, fx)?;
        self.arriving += 1;
        let as_operation = self.is_operation(head.method, head.operation);
        let state = RunningState::Arrives { number, in_vain: short.map(Box::new) };
        let charge = fx.ledger.charge(request_cost(head, fx.frame_len()));
        let running = Running { method: head.method, nth: 0, deadline: None, as_operation, state, charge };
        self.running.push(head.request.0, running);
        Ok(())
    }

    /// A long request is whole. `false`: it is answered.
    pub(crate) fn on_call_whole(
        &mut self,
        head: CallHead,
        payload: Bytes,
        deadline: Option<Instant>,
        fx: &mut Effects,
    ) -> bool {
        let Some(running) = self.running.get_mut(head.request.0) else { return false };
        self.arriving -= 1;
        if let RunningState::Arrives { in_vain: Some(short), .. } = &running.state {
            let short = **short;
            self.drop_running(head.request, fx);
            self.turn_away(head.request, &head.channels, short, fx);
            return false;
        }
        (running.state, running.deadline, running.nth) = (RunningState::Runs, deadline, fx.dispatched);
        fx.ledger.raise(&mut running.charge, payload.len());
        let as_operation = running.as_operation;
        self.dispatch(head, payload, deadline, as_operation, fx);
        true
    }

    /// The rest of a long request does not come: nothing is left of it.
    pub(crate) fn on_call_forgotten(&mut self, request: RequestId, channels: &[ChannelOpen], fx: &mut Effects) {
        if let Some(state) = self.drop_running(request, fx) {
            self.arriving -= 1;
            if let RunningState::Arrives { in_vain: Some(_), .. } = state {
                self.reset_all(channels, fx);
            }
        }
        self.channels.reset_unbound(self.id, request, fx);
    }

    #[inline]
    fn admit(
        &mut self,
        request: RequestId,
        channels: &[ChannelOpen],
        (max_calls, max_channels): (usize, usize),
        windows: &Windows,
        fx: &mut Effects,
    ) -> Result<Option<Short>, ProtocolViolation> {
        self.requests.open(request.0).map_err(|fault| id_violation("request", request.0, fault))?;
        while self.unread_replies.front().is_some_and(|end| *end <= fx.outbox.written()) {
            self.unread_replies.pop_front();
        }
        let taken = fx.outbox.taken();
        let unread = self.unread_replies.len() - self.unread_replies.partition_point(|end| *end <= taken);
        // A reply that was taken may have been read though no write is reported yet; only so many can be, though.
        let running = self.running.len() + self.long_replies as usize;
        let unreported = running + self.unread_replies.len();
        if running + unread >= max_calls || unreported >= max_calls.saturating_mul(2) {
            return Err(ProtocolViolation::new(
                Rule::TooManyCalls,
                format!("request {request} is over the limit of {max_calls}"),
            ));
        }
        self.open_channels(request, channels, max_channels, windows, fx)
    }

    #[inline]
    fn dispatch(
        &self,
        head: CallHead,
        payload: Bytes,
        deadline: Option<Instant>,
        as_operation: bool,
        fx: &mut Effects,
    ) {
        let request = head.request;
        fx.dispatch(Request {
            connection: self.id,
            request,
            method: head.method,
            as_operation,
            operation: head.operation,
            service: self.service,
            deadline,
            metadata: head.metadata,
            channels: head.channels,
            payload,
            has_terms: self.terms.is_some(),
        });
    }

    /// The caller wants no answer any more.
    pub(crate) fn on_cancel(&mut self, request: RequestId, fx: &mut Effects) -> Result<(), ProtocolViolation> {
        if !self.requests.was_opened(request.0) {
            return Err(ProtocolViolation::new(
                Rule::UnknownRequest,
                format!("a cancel of request {request}, which was never made"),
            ));
        }
        let reply = LongId::Reply(self.id, request);
        if fx.outbox.forget(reply) {
            // Its place on the line is better used.
            self.long_replies -= 1;
            self.answer(request, Failure::Cancelled, fx);
        }
        self.stop(request, Failure::Cancelled, fx);
        Ok(())
    }

    /// Ends the attempt: the handler is aborted and answered for when it has ended. An operation decides by itself what
    /// becomes of its handler.
    fn stop(&mut self, request: RequestId, failure: Failure, fx: &mut Effects) {
        let Some(running) = self.running.get_mut(request.0) else { return };
        let RunningState::Runs = running.state else { return };
        let (connection, nth) = (self.id, running.nth);
        if running.as_operation {
            running.state = RunningState::Withdrawn;
            let runs_on = runs_to_its_end(self.descriptor, running.method);
            fx.emit(Output::Withdraw { connection, request, nth, failure, runs_on });
        } else {
            running.state = RunningState::Aborting(failure);
            fx.emit(Output::AbortHandler { connection, request, nth });
        }
    }

    /// The handler has ended. Gives what was charged for its arguments; `None`: nobody waits for it.
    #[inline]
    pub(super) fn handler_ended(
        &mut self,
        request: RequestId,
        end: HandlerEnd<'_>,
        max_payload: usize,
        fx: &mut Effects,
    ) -> Option<Charge> {
        let running = self.running.remove(request.0)?;
        match (running.state, end) {
            (RunningState::Aborting(failure), _) | (_, HandlerEnd::Failed(failure)) => {
                self.answer(request, failure, fx);
            }
            (_, HandlerEnd::Aborted) => self.answer(request, Failure::Cancelled, fx),
            (_, HandlerEnd::Returned(payload)) if payload.len() > max_payload => {
                self.answer(request, Failure::response_too_large(payload.len(), max_payload), fx);
            }
            (_, HandlerEnd::Returned(payload)) => self.reply(request, payload, fx),
        }
        Some(running.charge)
    }

    fn answer(&mut self, request: RequestId, failure: Failure, fx: &mut Effects) {
        let mut payload = Payload::default();
        failure.within(fx.max_frame().saturating_sub(WORDS_HEAD)).put(&mut payload.encoded);
        self.reply(request, &mut payload, fx);
        fx.note_answer();
    }

    #[inline]
    fn reply(&mut self, request: RequestId, payload: &mut Payload, fx: &mut Effects) {
        self.channels.reset_unbound(self.id, request, fx);
        let connection = self.id;
        if payload.len() > WHOLE {
            fx.outbox.put_long(LongId::Reply(connection, request), LongHead::Reply { connection, request }, payload);
            self.long_replies += 1;
            return;
        }
        fx.outbox.put_with_payload(payload, |out, len| wire::put_reply_head(out, connection, request, len));
        self.unread_replies.push_back(fx.outbox.end());
    }

    /// The last part of a long reply has left, which ends there in the stream.
    pub(crate) fn on_reply_left(&mut self, end: u64) {
        self.long_replies -= 1;
        self.unread_replies.push_back(end);
    }

    /// Ends the requests whose deadline has passed. Gives the next deadline.
    pub(crate) fn expire(&mut self, now: Instant, fx: &mut Effects) -> Option<Instant> {
        let mut next = None;
        let mut due = Vec::new();
        for (request, running) in self.running.iter() {
            let (Some(deadline), RunningState::Runs) = (running.deadline, &running.state) else { continue };
            if deadline <= now {
                due.push(RequestId(request));
            } else {
                next = super::session::earlier(next, Some(deadline));
            }
        }
        for request in due {
            self.stop(request, Failure::DeadlineExceeded, fx);
        }
        next
    }

    /// Whether a request is an attempt at an operation: of a method whose outcome is kept, or that must not run twice and
    /// was given a name by its caller.
    #[inline]
    fn is_operation(&self, method: MethodId, operation: Option<OperationId>) -> bool {
        let policy = self.descriptor.method(method).map(|method| method.policy);
        policy.is_some_and(|policy| policy.persist || (operation.is_some() && !policy.idem))
    }

    /// Whether this method's handlers run on without their callers.
    #[inline]
    pub(crate) fn detaches(&self, method: MethodId) -> bool {
        runs_to_its_end(self.descriptor, method)
    }
}

#[inline]
fn runs_to_its_end(descriptor: &ServiceDescriptor, method: MethodId) -> bool {
    descriptor.method(method).is_some_and(|method| method.policy.persist)
}

pub(crate) fn id_violation(what: &str, id: u64, fault: IdFault) -> ProtocolViolation {
    let (rule, fault) = match fault {
        IdFault::Parity => (Rule::WrongParity, "is of the other end's parity"),
        IdFault::Reused => (Rule::IdReused, "was used before"),
    };
    ProtocolViolation::new(rule, format!("{what} {id} {fault}"))
}
