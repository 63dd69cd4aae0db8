//! The session: its connections, its frames and its clock.

mod acknowledging;
mod addressing;
mod agreeing;
mod answering;
mod calls;
mod deadlines;
mod ending;
mod frame_dispatch;
mod keepalive;
mod leasing;
mod memory;
mod observing;
mod opening;
mod parts;
mod pausing;
mod pin_charges;
mod resuming;
mod stand_in;
mod timeouts;
mod waited_limit;

#[cfg(test)]
pub(super) use answering::MAX_UNREAD_ANSWERS;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

pub(crate) use self::agreeing::NoTerms;
pub(super) use self::opening::{malformed, unawaited};
pub(crate) use self::resuming::Discontinuity;
use self::resuming::Resuming;
pub(crate) use self::waited_limit::Obstacle;
use super::calling::{CallEnd, Calling, Made, NewCall};
use super::channels::Windows;
use super::memory_ledger::Charge;
use super::reassembly::Reassembly;
use super::serving::{Detached, HandlerEnd, Serving};
use super::table::IdTable;
use super::{Batch, Effects, Output, Token};
use crate::error::{EndReason, ProtocolViolation};
use crate::ids::{ConnectionId, IdAllocator, IdWatch, RequestId, Role};
use crate::limits::{AnnouncedLimits, HEAD_ROOM, Limits, Purse};
use crate::operation::OperationId;
use crate::wire::{Frame, Payload};

/// Two peers and everything between them.
#[derive(Debug)]
pub(crate) struct Session {
    role: Role,
    limits: Arc<Limits>,
    peer: AnnouncedLimits,
    connection_ids: IdAllocator,
    peer_connections: IdWatch,
    highest_connection: u64,
    /// Connections that this end opened, and those that the peer opened.
    calling: IdTable<Calling>,
    serving: IdTable<Serving>,
    /// Connections that were offered and are neither accepted nor refused yet.
    offered: u32,
    /// What is charged for those of them that wait for an answer. Most sessions never have any.
    #[allow(clippy::box_collection, reason = "idle sessions are many")]
    held: Option<Box<BTreeMap<ConnectionId, Charge>>>,
    /// How much is taken of what the session has in common with others, and where from.
    pieces: u32,
    purse: Option<Arc<Box<dyn Purse>>>,
    detached: Detached,
    /// Handlers of connections that are gone, told to end and not ended yet: they still take their room.
    aborting: Detached,
    fx: Effects,
    /// Long messages of the peer that are being put together.
    reassembly: Reassembly,
    /// What has come of a long frame that is not whole.
    growing: u32,
    /// Acknowledgements of operations that leave with whatever is written next.
    #[allow(clippy::box_collection, reason = "idle sessions are many")]
    due: Option<Box<Vec<(ConnectionId, OperationId)>>>,
    /// Most sessions never have any.
    unread_answers: Option<Box<answering::Unread>>,
    /// No later than the earliest deadline; may be of a call that has ended.
    deadline: Option<Instant>,
    last_heard: Instant,
    /// How many frames arrived that were more than the upkeep of a link.
    carried: u64,
    probed: Option<Instant>,
    /// The link took bytes since the peer was probed.
    moves: bool,
    resuming: Option<Resuming>,
    pauses: pausing::Pauses,
    pins: pin_charges::Pins,
    ended: Option<EndReason>,
    /// Connections that are gone, as far as not all has ended that was open on them.
    leaving: ending::Leaving,
    /// Nobody was told yet that the session has ended.
    ending: bool,
}

/// Whether a call may be made now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Gate {
    Open,
    /// Over a limit: wait for `Room`.
    Wait,
    /// The connection is gone.
    Closed(EndReason),
}

impl Session {
    pub(crate) fn new(role: Role, limits: impl Into<Arc<Limits>>, peer: AnnouncedLimits, now: Instant) -> Self {
        let limits = limits.into();
        let most = usize::try_from(peer.max_message_bytes).unwrap_or(usize::MAX);
        let mut fx = Effects::new(most.clamp(HEAD_ROOM, Limits::MESSAGE_CEILING));
        fx.outbox.peer_puts_together(peer.max_partial_messages, peer.max_partial_bytes);
        Self {
            role,
            limits,
            peer,
            connection_ids: IdAllocator::new(role),
            peer_connections: IdWatch::new(role.peer()),
            highest_connection: 0,
            calling: IdTable::default(),
            serving: IdTable::default(),
            offered: 0,
            held: None,
            pieces: 0,
            purse: None,
            detached: Detached::new(),
            aborting: Detached::new(),
            fx,
            reassembly: Reassembly::default(),
            growing: 0,
            due: None,
            unread_answers: None,
            deadline: None,
            last_heard: now,
            carried: 0,
            probed: None,
            moves: false,
            resuming: None,
            pauses: pausing::Pauses::default(),
            pins: pin_charges::Pins::default(),
            ended: None,
            leaving: ending::Leaving::default(),
            ending: false,
        }
    }

    /// Windows of new channels.
    #[inline]
    fn windows(&self) -> Windows {
        Windows {
            send: (self.peer.channel_items, self.peer.channel_bytes),
            receive: (self.limits.channel_items, self.limits.channel_bytes),
            most: self.limits.max_channel_bytes,
        }
    }

    // ---- what the driver drains ----

    #[inline]
    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.fx.outputs.pop_front()
    }

    /// Whether [`poll_output`](Self::poll_output) has something to give.
    #[inline]
    pub(crate) fn has_outputs(&self) -> bool {
        !self.fx.outputs.is_empty()
    }

    /// Whether there is anything to take.
    #[inline]
    pub(crate) fn has_output(&self) -> bool {
        !self.is_detached() && (!self.fx.outbox.is_empty() || self.must_acknowledge())
    }

    /// Takes what is to be written; nothing while there is no link.
    #[inline]
    pub(crate) fn take(&mut self, batch: &mut Batch) {
        if !self.is_detached() {
            self.acknowledge();
            self.acknowledge_due();
            self.fx.outbox.take(batch);
        }
    }

    /// So much of what was taken is written.
    #[inline]
    pub(crate) fn on_written(&mut self, len: usize) {
        self.fx.outbox.on_written(len);
        // The last that there is may be the probe itself.
        self.moves |= !self.fx.outbox.is_written() || self.fx.outbox.has_long();
        self.settle_lease();
    }

    #[cfg(test)]
    pub(super) fn reassembly(&self) -> &Reassembly {
        &self.reassembly
    }

    #[cfg(test)]
    pub(crate) fn outbox(&mut self) -> &mut super::Outbox {
        &mut self.fx.outbox
    }

    // ---- facts from this end's user ----

    /// Closes a connection of this end: its last holder is gone.
    pub(crate) fn shut(&mut self, connection: ConnectionId) {
        self.acknowledge_due();
        if let Some(mut calling) = self.calling.remove(connection.0) {
            calling.end_all(&EndReason::ClosedHere, &mut self.fx);
            self.fx.outbox.forget_connection(connection);
            self.fx.send(&Frame::Shut { connection });
        }
    }

    /// Whether a call with this many channels may be made on the connection.
    #[inline]
    pub(crate) fn gate(&self, connection: ConnectionId, channels: usize) -> Gate {
        if let Some(reason) = &self.ended {
            return Gate::Closed(reason.clone());
        }
        // The one who asks has not closed it.
        let Some(calling) = self.calling.get(connection.0) else { return Gate::Closed(Calling::shut_by_peer()) };
        // What is not handed to a link has not left, and its deadline says so.
        let full = self.is_detached()
            || calling.in_flight() as u64 >= self.peer.max_calls
            || (channels > 0 && (self.open_channels(calling, connection) + channels) as u64 > self.peer.max_channels)
            || calling.awaits_contract()
            || self.outbox_is_full();
        if full { Gate::Wait } else { Gate::Open }
    }

    /// Makes a call. Only where [`gate`](Self::gate) is open.
    #[inline]
    pub(crate) fn call(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        token: Token,
        call: NewCall,
        payload: &mut Payload,
    ) -> Option<Made> {
        let windows = self.windows();
        let calling = self.calling.get_mut(connection.0)?;
        self.deadline = earlier(self.deadline, call.deadline);
        Some(calling.call(now, token, call, payload, &windows, &mut self.fx))
    }

    /// Nobody waits for this call any more: cancels it.
    pub(crate) fn abandon(&mut self, connection: ConnectionId, request: RequestId) {
        if let Some(calling) = self.calling.get_mut(connection.0) {
            calling.abandon(request, &mut self.fx);
        }
    }

    /// A request is answered though its handler runs on. `handler_ended` says when it has ended.
    pub(crate) fn detach(&mut self, connection: ConnectionId, request: RequestId, end: HandlerEnd<'_>) {
        let charge = self.end_attempt(connection, request, end);
        self.detached.insert((connection, request), charge);
        self.settle_lease();
    }

    /// The handler that came with this request of an operation is told to end.
    pub(crate) fn unwant(&mut self, connection: ConnectionId, request: RequestId) {
        self.end_leaving_call(connection, request);
        if let Some(charge) = self.detached.remove(&(connection, request)) {
            self.aborting.insert((connection, request), charge);
        } else if let Some(serving) = self.serving.get_mut(connection.0) {
            serving.unwant(request);
        }
    }

    /// A handler has ended, or a request is answered without one.
    #[inline]
    pub(crate) fn handler_ended(&mut self, connection: ConnectionId, request: RequestId, end: HandlerEnd<'_>) {
        let charge = self.end_attempt(connection, request, end);
        self.fx.ledger.release(charge);
        self.settle_lease();
    }

    /// A request is answered. Gives what was charged for its arguments.
    #[inline]
    fn end_attempt(&mut self, connection: ConnectionId, request: RequestId, end: HandlerEnd<'_>) -> Charge {
        if let Some(charge) = self.forget_unattached(connection, request) {
            return charge;
        }
        let max_payload = self.max_payload();
        let end = match end {
            HandlerEnd::Returned(payload) if self.has_no_memory_to_answer(payload.len()) => {
                HandlerEnd::Failed(self.cannot_keep_reply(payload.len()))
            }
            end => end,
        };
        let Some(serving) = self.serving.get_mut(connection.0) else { return Charge::default() };
        serving.handler_ended(request, end, max_payload, &mut self.fx).unwrap_or_default()
    }

    /// Forgets a handler that ran on after its request was answered, or though it was told to end. `None`: it did not.
    #[inline]
    fn forget_unattached(&mut self, connection: ConnectionId, request: RequestId) -> Option<Charge> {
        // Most of the time there is none.
        if self.detached.is_empty() && self.aborting.is_empty() && self.leaving.is_empty() {
            return None;
        }
        let key = (connection, request);
        let unattached = self.detached.remove(&key).or_else(|| self.aborting.remove(&key));
        unattached.or_else(|| self.leaving.serving(connection)?.forget_running(request))
    }

    /// Ends the session in good order: the peer is told why.
    pub(crate) fn goodbye(&mut self, reason: &str) {
        if self.ended.is_none() {
            self.say_goodbye(reason);
            self.end(EndReason::ClosedHere);
        }
    }

    /// Ends the session, for nobody drives it any longer. What was accepted may still leave, and then a goodbye with these words.
    pub(crate) fn desert(&mut self, reason: EndReason, words: &str) {
        if self.ended.is_none() {
            self.say_goodbye(words);
            self.end_by(reason, true);
        }
    }

    fn say_goodbye(&mut self, reason: &str) {
        self.acknowledge_due();
        // What was sent still arrives, but for calls: those that have not left have not run, and never will.
        self.fx.outbox.forget_calls();
        let reason = self.fx.words(reason);
        self.fx.outbox.put_after_all(&Frame::Goodbye { reason });
    }

    // ---- facts from outside ----

    /// Bytes have come, if not a whole frame: the link is alive.
    #[inline]
    pub(crate) fn heard(&mut self, now: Instant) {
        self.last_heard = now;
        self.probed = None;
    }

    /// The peer broke a rule that is seen outside: a length past the limit.
    pub(crate) fn on_violation(&mut self, violation: &ProtocolViolation) {
        if self.ended.is_some() {
            return;
        }
        self.fx.outbox.drop_longs();
        let detail = self.fx.words(&violation.detail);
        self.fx.send(&Frame::Violation(ProtocolViolation::new(violation.rule, detail)));
        self.end(EndReason::PeerViolation(violation.clone().into()));
    }
}

/// The earlier of two times that may not be set.
pub(crate) fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// How a call that was never sent ends for its caller.
impl From<EndReason> for CallEnd {
    fn from(reason: EndReason) -> Self {
        Self::NeverLeft(reason)
    }
}
