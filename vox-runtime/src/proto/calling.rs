//! A connection that this end opened: the calls it makes.

mod leaving;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::agreed::Agreed;
use super::channels::{Channels, Windows};
use super::outbox::LongId;
use super::session::{malformed, unawaited};
use super::table::IdTable;
use super::{Effects, Output, Token, earlier};
use crate::error::{EndReason, ProtocolViolation, Rule, Short};
use crate::ids::{ChannelId, ConnectionId, IdAllocator, MethodId, RequestId, Role};
use crate::metadata::Metadata;
use crate::operation::OperationId;
use crate::schema::{Contract, SchemaHash};
use crate::terms::MethodTerms;
use crate::wire::{CallHead, ChannelDirection, ChannelOpen, Failure, Frame, LongHead, Payload, Telling, WHOLE};

/// How a call ended, as far as the protocol knows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum CallEnd {
    /// The response's payload.
    Reply(Bytes),
    /// The deadline passed here first.
    DeadlineExceeded,
    /// The session or the connection ended after the request may have left.
    Indeterminate,
    /// The session or the connection ended before the request left.
    NeverLeft(EndReason),
    /// The deadline passed before the request left.
    NeverLeftInTime,
}

/// A call that was made.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) request: RequestId,
    /// The ids of its channels, in the order in which they were given.
    pub(crate) channels: Vec<ChannelId>,
    /// The arguments, where they were taken.
    pub(crate) payload: Option<Bytes>,
}

/// A call to be made.
#[derive(Debug)]
pub(crate) struct NewCall {
    pub(crate) method: MethodId,
    pub(crate) operation: Option<OperationId>,
    pub(crate) deadline: Option<Instant>,
    pub(crate) patience: Option<Patience>,
    pub(crate) metadata: Metadata,
    /// The channels in the arguments, in the order of their indices: who sends, and the half that stays here.
    pub(crate) channels: Vec<(ChannelDirection, Token)>,
}

/// How a deadline is put off with every part of its call that leaves, and of the reply that comes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// It is so far off then.
    pub(crate) each: Duration,
    /// And never later than this.
    pub(crate) latest: Option<Instant>,
}

#[derive(Debug)]
struct Attempt {
    deadline: Option<Instant>,
    /// Where the request ends in the stream, or [`NOT_LEFT`].
    end: u64,
    state: AttemptState,
    /// In milliseconds; none is 0.
    patience: u32,
    /// No patience goes beyond it.
    latest: Option<Instant>,
    /// A long reply has begun.
    replied: bool,
}

/// Where a request ends whose last part has not left.
const NOT_LEFT: u64 = u64::MAX;

#[derive(Debug)]
enum AttemptState {
    Waiting(Token),
    /// Cancelled here; the slot is taken until the peer has answered.
    Cancelled,
}

/// A contract that a peer told before.
#[derive(Debug, Clone)]
pub(crate) struct Recalled {
    pub(crate) hash: SchemaHash,
    pub(crate) contract: Bytes,
}

/// A connection that this end opened.
#[derive(Debug)]
pub(crate) struct Calling {
    id: ConnectionId,
    attempts: IdTable<Attempt>,
    requests: IdAllocator,
    channel_ids: IdAllocator,
    highest_channel: u64,
    pub(crate) channels: Channels,
    /// `Some`: asked for, not yet accepted.
    pub(crate) opening: Option<Token>,
    /// The service as this end knows it, where it was told to the peer.
    contract: Option<Arc<Contract>>,
    agreement: Agreement,
}

/// What is known of how the peer's contract of the service compares with this end's.
#[derive(Debug)]
enum Agreement {
    /// They are equal, or were not compared.
    Equal,
    /// They are compared where the peer reads which one this end recalls.
    Asked(Box<Recalled>),
    /// They are not equal, and the peer's is on its way. `tells`: the peer waits for this end's.
    Awaited { tells: bool },
    /// They are not, and these are the terms.
    Differs(Box<Agreed>),
}

impl Calling {
    pub(crate) fn new(
        id: ConnectionId,
        role: Role,
        opening: Option<Token>,
        contract: Option<Arc<Contract>>,
        recalled: Option<Recalled>,
    ) -> Self {
        Self {
            id,
            attempts: IdTable::default(),
            requests: IdAllocator::new(role),
            channel_ids: IdAllocator::new(role),
            highest_channel: 0,
            channels: Channels::default(),
            opening,
            contract,
            agreement: recalled.map_or(Agreement::Equal, |recalled| Agreement::Asked(recalled.into())),
        }
    }

    /// The peer has accepted the connection, and compared the contracts. `Some`: its own is this one, which it does not tell again.
    pub(crate) fn on_compared(&mut self, differs: Option<Telling>) -> Result<Option<Recalled>, ProtocolViolation> {
        let asked = std::mem::replace(&mut self.agreement, Agreement::Equal);
        let Some(telling) = differs else { return Ok(None) };
        if self.contract.is_none() {
            let why = format!("connection {} differs from a contract that was not told", self.id);
            return Err(ProtocolViolation::new(Rule::MalformedFrame, why));
        }
        self.agreement = Agreement::Awaited { tells: telling.openers };
        match (telling.acceptors, asked) {
            (true, _) => Ok(None),
            (false, Agreement::Asked(recalled)) => Ok(Some(*recalled)),
            (false, _) => {
                let why = format!("connection {} goes by a contract that this end does not recall", self.id);
                Err(ProtocolViolation::new(Rule::MalformedFrame, why))
            }
        }
    }

    /// The peer tells how it knows the service: both contracts, this end's first, and whether the peer waits for that.
    pub(crate) fn on_contract(
        &self,
        hash: SchemaHash,
        theirs: &Bytes,
    ) -> Result<(Arc<Contract>, Contract, bool), ProtocolViolation> {
        let (Some(ours), Agreement::Awaited { tells }) = (&self.contract, &self.agreement) else {
            return Err(unawaited(self.id));
        };
        let theirs = Contract::read(theirs, hash, ours).map_err(|fault| malformed(self.id, &fault))?;
        Ok((Arc::clone(ours), theirs, *tells))
    }

    /// Calls go so from now on.
    pub(super) fn agree(&mut self, agreed: Agreed) {
        self.agreement = Agreement::Differs(agreed.into());
    }

    /// Whether calls have to wait until the peer's contract is here.
    #[inline]
    pub(crate) fn awaits_contract(&self) -> bool {
        matches!(self.agreement, Agreement::Awaited { .. })
    }

    /// Whether there are methods that the ends know otherwise.
    #[inline]
    pub(crate) fn differs(&self) -> bool {
        matches!(self.agreement, Agreement::Differs(_))
    }

    /// On which terms this method is called; `None` where both ends know it alike. `Err`: what was short for them.
    pub(crate) fn terms(&self, method: MethodId) -> Result<Option<&Arc<MethodTerms>>, Short> {
        match &self.agreement {
            Agreement::Equal | Agreement::Asked(_) | Agreement::Awaited { .. } => Ok(None),
            Agreement::Differs(agreed) => agreed.method(method),
        }
    }

    /// Charges what was made since for the terms, too.
    pub(super) fn settle_terms(&mut self, fx: &mut Effects) {
        if let Agreement::Differs(agreed) = &mut self.agreement {
            agreed.settle(fx);
        }
    }

    /// What is charged for the terms.
    pub(super) fn standing(&self) -> usize {
        match &self.agreement {
            Agreement::Equal | Agreement::Asked(_) | Agreement::Awaited { .. } => 0,
            Agreement::Differs(agreed) => agreed.charged(),
        }
    }

    #[inline]
    pub(crate) fn in_flight(&self) -> usize {
        self.attempts.len()
    }

    pub(crate) fn is_live(&self) -> bool {
        !self.attempts.is_empty() || !self.channels.is_empty()
    }

    pub(crate) fn channel_was_opened(&self, id: ChannelId) -> bool {
        id.0 <= self.highest_channel && id.0 != 0 && id.0 % 2 == self.highest_channel % 2
    }

    /// Sends a request. The ids of its channels follow the order of `call.channels`.
    #[inline]
    pub(crate) fn call(
        &mut self,
        now: Instant,
        token: Token,
        call: NewCall,
        payload: &mut Payload,
        windows: &Windows,
        fx: &mut Effects,
    ) -> Made {
        let request: RequestId = self.requests.allocate();
        let (mut opens, mut ids) = (Vec::new(), Vec::new());
        for (direction, channel_token) in call.channels {
            let id: ChannelId = self.channel_ids.allocate();
            self.highest_channel = id.0;
            let sends = direction == ChannelDirection::CallerSends;
            self.channels.open_live(id, sends, channel_token, windows);
            opens.push(ChannelOpen { id, direction });
            ids.push(id);
        }
        let head = CallHead {
            connection: self.id,
            request,
            method: call.method,
            operation: call.operation,
            timeout: call.deadline.map(|deadline| time_left(now, deadline)),
            patient: false,
            metadata: call.metadata,
            channels: opens.into(),
        };
        let (shared, end) = if payload.len() > WHOLE {
            (self.put_long(head, call.patience.is_some(), payload, fx), NOT_LEFT)
        } else {
            (fx.outbox.put_with_payload(payload, |out, len| head.put(out, len)), fx.outbox.end())
        };
        let latest = call.patience.and_then(|patience| patience.latest);
        let patience = call.patience.map_or(0, |patience| in_millis(patience.each));
        let state = AttemptState::Waiting(token);
        let attempt = Attempt { deadline: call.deadline, end, state, patience, latest, replied: false };
        self.attempts.push(request.0, attempt);
        Made { request, channels: ids, payload: shared }
    }

    #[cold]
    fn put_long(&self, head: CallHead, patient: bool, payload: &mut Payload, fx: &mut Effects) -> Option<Bytes> {
        let id = LongId::Call(self.id, head.request);
        fx.outbox.put_long(id, LongHead::Call(CallHead { patient, ..head }), payload)
    }

    /// The last part of a request has left, which ends there in the stream.
    pub(crate) fn on_left(&mut self, request: RequestId, end: u64) {
        if let Some(attempt) = self.attempts.get_mut(request.0) {
            attempt.end = end;
        }
    }

    /// A part of the request has left, or of its reply has come.
    pub(crate) fn on_progress(&mut self, now: Instant, request: RequestId) {
        if let Some(attempt) = self.attempts.get_mut(request.0)
            && attempt.patience > 0
        {
            let put_off = now.checked_add(Duration::from_millis(attempt.patience.into()));
            // Never to an earlier time.
            attempt.deadline = attempt.deadline.max(earlier(put_off, attempt.latest));
        }
    }

    /// Takes back a request that has not left, if so: it frees its place at once.
    fn take_back(&mut self, request: RequestId, fx: &mut Effects) -> bool {
        let has_left = self.attempts.get(request.0).is_none_or(|attempt| attempt.end != NOT_LEFT);
        let id = LongId::Call(self.id, request);
        if has_left || !fx.outbox.forget(id) {
            return false;
        }
        self.attempts.remove(request.0);
        fx.emit(Output::Room);
        true
    }

    /// Whether somebody waits for the reply to this request.
    pub(crate) fn waits_for(&self, request: RequestId) -> bool {
        self.attempts.get(request.0).is_some_and(|attempt| matches!(attempt.state, AttemptState::Waiting(_)))
    }

    /// Nobody waits for this call any more.
    pub(crate) fn abandon(&mut self, request: RequestId, fx: &mut Effects) {
        if self.take_back(request, fx) {
            return;
        }
        let Some(attempt) = self.attempts.get_mut(request.0) else { return };
        if let AttemptState::Waiting(_) = std::mem::replace(&mut attempt.state, AttemptState::Cancelled) {
            fx.send(&Frame::Cancel { connection: self.id, request });
        }
    }

    #[inline]
    pub(crate) fn on_reply(
        &mut self,
        request: RequestId,
        payload: Bytes,
        fx: &mut Effects,
    ) -> Result<(), ProtocolViolation> {
        let Some(attempt) = self.attempts.remove(request.0) else { return Err(unasked(request)) };
        if attempt.replied || attempt.end == NOT_LEFT {
            return Err(out_of_turn(request, &attempt, fx));
        }
        // Who answers a request has received it, and all that was said before it.
        fx.outbox.trim(attempt.end);
        if let AttemptState::Waiting(token) = attempt.state {
            fx.ledger.keep_reply(token, payload.len());
            fx.emit(Output::Finish { token, end: CallEnd::Reply(payload) });
        }
        fx.emit(Output::Room);
        Ok(())
    }

    /// The reply to this request, which comes now, is not kept: its caller is told this instead. `false`: nobody waits for it.
    #[cold]
    pub(crate) fn refuse_reply(&mut self, request: RequestId, instead: &Failure, fx: &mut Effects) -> bool {
        let Some(attempt) = self.attempts.get_mut(request.0).filter(|attempt| attempt.end != NOT_LEFT) else {
            return false;
        };
        let AttemptState::Waiting(token) = std::mem::replace(&mut attempt.state, AttemptState::Cancelled) else {
            return false;
        };
        let mut payload = Vec::new();
        instead.put(&mut payload);
        fx.emit(Output::Finish { token, end: CallEnd::Reply(payload.into()) });
        true
    }

    /// A long reply begins.
    pub(crate) fn on_reply_begun(&mut self, request: RequestId, fx: &mut Effects) -> Result<(), ProtocolViolation> {
        match self.attempts.get_mut(request.0) {
            Some(attempt) if !attempt.replied && attempt.end != NOT_LEFT => {
                attempt.replied = true;
                fx.outbox.trim(attempt.end);
                Ok(())
            }
            _ => Err(unasked(request)),
        }
    }

    /// The rest of a long reply does not come: there is another.
    pub(crate) fn on_reply_forgotten(&mut self, request: RequestId) {
        if let Some(attempt) = self.attempts.get_mut(request.0) {
            attempt.replied = false;
        }
    }

    /// A long reply is whole.
    pub(crate) fn on_reply_whole(
        &mut self,
        request: RequestId,
        payload: Bytes,
        fx: &mut Effects,
    ) -> Result<(), ProtocolViolation> {
        self.on_reply_forgotten(request);
        self.on_reply(request, payload, fx)
    }

    /// Ends the calls whose deadline has passed. Gives the next deadline.
    pub(crate) fn expire(&mut self, now: Instant, fx: &mut Effects) -> Option<Instant> {
        let mut next = None;
        if fx.outbox.has_long() {
            self.expire_uploads(now, fx);
        }
        for (request, attempt) in self.attempts.iter_mut() {
            let (Some(deadline), AttemptState::Waiting(token)) = (attempt.deadline, &attempt.state) else { continue };
            if deadline <= now {
                fx.emit(Output::Finish { token: *token, end: CallEnd::DeadlineExceeded });
                attempt.state = AttemptState::Cancelled;
                fx.send(&Frame::Cancel { connection: self.id, request: RequestId(request) });
            } else {
                next = earlier(next, Some(deadline));
            }
        }
        next
    }

    /// Ends the calls whose deadline has passed and that have not left: they have not run.
    fn expire_uploads(&mut self, now: Instant, fx: &mut Effects) {
        let is_due = |attempt: &Attempt| attempt.end == NOT_LEFT && attempt.deadline.is_some_and(|due| due <= now);
        let due = self.attempts.iter().filter_map(|(request, attempt)| match attempt.state {
            AttemptState::Waiting(token) if is_due(attempt) => Some((RequestId(request), token)),
            _ => None,
        });
        for (request, token) in due.collect::<Vec<_>>() {
            if self.take_back(request, fx) {
                fx.emit(Output::Finish { token, end: CallEnd::NeverLeftInTime });
            }
        }
    }

    /// How a connection ends that the peer closes.
    pub(crate) fn shut_by_peer() -> EndReason {
        EndReason::Goodbye("this connection alone, not its session".into())
    }
}

/// A reply to a call that has not left, or beside another one. The call ends here: the session, which ends too, has it no more.
#[cold]
fn out_of_turn(request: RequestId, attempt: &Attempt, fx: &mut Effects) -> ProtocolViolation {
    let violation = unasked(request);
    let AttemptState::Waiting(token) = attempt.state else { return violation };
    let end = match attempt.end == NOT_LEFT {
        true => CallEnd::NeverLeft(EndReason::PeerViolation(violation.clone().into())),
        false => CallEnd::Indeterminate,
    };
    fx.emit(Output::Finish { token, end });
    violation
}

fn unasked(request: RequestId) -> ProtocolViolation {
    ProtocolViolation::new(Rule::UnknownRequest, format!("a reply to request {request}, which waits for none"))
}

/// Rounded up, so that a deadline is never moved to a time before it; no more than fits in.
#[inline]
fn in_millis(time: Duration) -> u32 {
    let millis = time.as_secs().saturating_mul(1000).saturating_add(u64::from(time.subsec_nanos()).div_ceil(1_000_000));
    u32::try_from(millis).unwrap_or(u32::MAX)
}

/// What travels of a deadline: the time left, at least one microsecond so that it is not lost.
#[inline]
fn time_left(now: Instant, deadline: Instant) -> Duration {
    deadline.saturating_duration_since(now).max(Duration::from_micros(1))
}

/// Whether this end tells the peer of such an end, so that its outbox is still written. After any other nothing is.
pub(crate) fn is_said(reason: &EndReason) -> bool {
    match reason {
        EndReason::ClosedHere | EndReason::PeerViolation(_) => true,
        EndReason::Goodbye(_)
        | EndReason::LinkLost(_)
        | EndReason::Lost(_)
        | EndReason::KeepaliveTimeout
        | EndReason::WriteStalled
        | EndReason::AccusedByPeer(_)
        | EndReason::InternalFault => false,
    }
}
