//! One call: its builder, and the future that makes it.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tracing::Span;

use super::again::Again;
use super::caller::{Caller, CallerHandle};
use super::station::Station;
use crate::channel::{Given, Giving};
use crate::codec::{EncodeError, Encoder};
use crate::descriptor::{MethodDescriptor, RetryPolicy};
use crate::driver::{Flush, Scope, Sent, Waiter, give_buffer, now, take_buffer};
use crate::error::{NotSent, VoxError};
use crate::evidence::ArgPlan;
use crate::ids::{ChannelId, RequestId};
use crate::metadata::Metadata;
use crate::operation::OperationId;
use crate::proto::{CallEnd, Gate, NewCall, Token};
use crate::reply::Reply;
use crate::wire::{self, Payload};

/// Writes the arguments of a call, one after the other. For generated code.
pub struct CallWriter<'a> {
    caller: &'a Caller,
    line: Option<Arc<CallerHandle>>,
    method: &'static MethodDescriptor,
    payload: Payload,
    channels: Vec<Given>,
    written: usize,
    fault: Option<Box<NotSent>>,
}

impl<'a> CallWriter<'a> {
    pub(super) fn new(caller: &'a Caller, method: &'static MethodDescriptor) -> Self {
        let line = caller.station().moved();
        Self {
            caller,
            line,
            method,
            payload: Payload::from(take_buffer()),
            channels: Vec::new(),
            written: 0,
            fault: None,
        }
    }

    /// Writes the next argument.
    pub fn arg<T>(&mut self, plan: &'static ArgPlan<T>, mut value: T) {
        let is_last = self.written + 1 == self.method.args.len();
        self.write(|encoder| {
            if is_last && let Some(taken) = encoder.take_long(&mut value)? {
                return Ok(Some(taken));
            }
            plan.plan().encode(&value, encoder).map(|()| None)
        });
    }

    /// Writes the next argument, a `&str`.
    pub fn str(&mut self, value: &str) {
        self.write(|encoder| encoder.str(value).map(|()| None));
    }

    /// Writes the next argument, a `&[u8]`.
    pub fn bytes(&mut self, value: &[u8]) {
        self.write(|encoder| encoder.bytes(value).map(|()| None));
    }

    /// Writes an argument, and takes up what is left of the last one to send as it is.
    fn write(&mut self, write: impl FnOnce(&mut Encoder<'_>) -> Result<Option<Bytes>, EncodeError>) {
        if self.fault.is_some() {
            return;
        }
        let line = self.line.as_ref().unwrap_or(self.caller.station().first());
        let max_len = line.shared().max_payload;
        let mut giving = Giving { given: &mut self.channels };
        let mut encoder = Encoder::new(&mut self.payload.encoded, max_len).with_channels(&mut giving);
        let written = write(&mut encoder).map(|last| self.payload.last = last);
        if let Err(error) = written {
            let argument = self.method.args.get(self.written).map_or("?", |argument| argument.name);
            let what = format!("argument `{argument}` of `{}::{}`: {error}", self.method.service, self.method.name);
            self.fault = Some(Box::new(match error {
                EncodeError::TooLarge { .. } => NotSent::TooLarge(what),
                _ => NotSent::InvalidArgument(what),
            }));
        }
        self.written += 1;
    }

    /// The call, ready to be made.
    pub fn finish<T, E>(self, reply: &'static Reply<T, E>) -> Call<T, E> {
        Call {
            station: Arc::clone(self.caller.station()),
            line: self.line,
            method: self.method,
            payload: self.payload,
            channels: self.channels,
            fault: self.fault,
            timeout: None,
            metadata: Metadata::new(),
            operation: None,
            scope: Scope::current(),
            reply,
        }
    }
}

impl fmt::Debug for CallWriter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CallWriter({}::{})", self.method.service, self.method.name)
    }
}

/// A call that is made when it is awaited. Dropping the future that it becomes cancels the call.
#[must_use = "a call is made when it is awaited"]
pub struct Call<T: 'static, E: 'static> {
    pub(super) station: Arc<Station>,
    /// Where it is made, if the client has moved since it was first connected.
    pub(super) line: Option<Arc<CallerHandle>>,
    pub(super) method: &'static MethodDescriptor,
    pub(super) payload: Payload,
    pub(super) channels: Vec<Given>,
    fault: Option<Box<NotSent>>,
    timeout: Option<Duration>,
    metadata: Metadata,
    /// What the call is an attempt at, the same however often it is made.
    operation: Option<Named>,
    /// What the handler that makes the call passes on.
    scope: Scope,
    reply: &'static Reply<T, E>,
}

/// An operation's id, and whose it is.
#[derive(Debug, Clone, Copy)]
struct Named {
    id: OperationId,
    /// Nobody else knows it: with the call's outcome it has done its duty.
    minted: bool,
}

impl<T, E> Call<T, E> {
    /// Names the operation that this call is an attempt at. Calls of the same id, method and arguments are attempts at one
    /// operation: it runs once, and each attempt gets what came of it, from another process and after a crash as well.
    ///
    /// Of a `persist` method the server keeps the outcome in its store, until it is
    /// [acknowledged](crate::Caller::acknowledge) or a day old; without an id of the application's own the runtime makes one,
    /// and acknowledges by itself. Of a method that is neither `persist` nor `idem` the outcome is known for a while, and within
    /// the session only. For an `idem` method, which may run again, the id means nothing.
    pub fn operation(mut self, id: OperationId) -> Self {
        self.operation = Some(Named { id, minted: false });
        self
    }

    /// What the method says about running again, which [`VoxError::is_retryable_under`] asks for.
    pub fn policy(&self) -> RetryPolicy {
        self.method.policy
    }

    /// How long the call may take, from when it is first polled. Inside a handler the handler's own deadline holds
    /// too, whichever is earlier. Without this, the method's `timeout` holds, or `Limits::call_timeout`.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Adds metadata, which the handler finds in its context.
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.insert(key, value);
        self
    }

    /// Adds metadata whose value is never printed.
    pub fn sensitive_metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.insert_sensitive(key, value);
        self
    }

    /// The connection that it is made on.
    pub(super) fn line(&self) -> &Arc<CallerHandle> {
        self.line.as_ref().unwrap_or(self.station.first())
    }

    /// By when the call must be answered.
    fn deadline(&self, now: Instant) -> Option<Instant> {
        let default = self.channels.is_empty().then_some(self.line().shared().limits.call_timeout);
        let own = self.timeout.or(self.method.timeout).or(default).and_then(|timeout| now.checked_add(timeout));
        crate::proto::earlier(own, self.scope.deadline)
    }

    fn inherit_trace(&mut self) {
        for (key, value) in self.scope.trace.iter().flat_map(|trace| trace.iter()) {
            if self.metadata.get(key).is_none() {
                self.metadata.insert(key, value);
            }
        }
    }

    fn span(&self) -> Span {
        if !tracing::enabled!(tracing::Level::INFO) {
            return Span::none();
        }
        tracing::info_span!(
            "vox.call",
            otel.kind = "client",
            rpc.system = "vox",
            rpc.service = self.method.service,
            rpc.method = self.method.name,
            network.peer.address = %self.line().shared().peer.address(),
            vox.connection = self.line().connection().0,
            vox.metadata = ?self.metadata,
        )
    }
}

impl<T, E> IntoFuture for Call<T, E> {
    type Output = Result<T, VoxError<E>>;
    type IntoFuture = CallFuture<T, E>;

    fn into_future(mut self) -> CallFuture<T, E> {
        self.inherit_trace();
        let span = self.span();
        let again = Again::new(self.method.policy);
        CallFuture { call: self, span, deadline: None, state: CallState::New, again, leads: false }
    }
}

impl<T, E> Drop for Call<T, E> {
    fn drop(&mut self) {
        give_buffer(std::mem::take(&mut self.payload.encoded));
    }
}

impl<T, E> fmt::Debug for Call<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("service", &self.method.service)
            .field("method", &self.method.name)
            .field("metadata", &self.metadata)
            .field("operation", &self.operation.map(|named| named.id))
            .finish_non_exhaustive()
    }
}

/// A call under way. Dropping it cancels the call.
#[must_use = "a call is made when it is awaited"]
pub struct CallFuture<T: 'static, E: 'static> {
    pub(super) call: Call<T, E>,
    span: Span,
    pub(super) deadline: Option<Instant>,
    pub(super) state: CallState,
    pub(super) again: Again,
    /// It may read the link itself.
    leads: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum CallState {
    New,
    /// Waits for its turn.
    Queued(u64),
    InFlight(Token, RequestId),
    /// Waits for a session to be made on.
    Moving,
    Done,
}

/// What an attempt to send came to.
enum Send {
    Wait(u64),
    /// With what its channels are called.
    Sent(Token, RequestId, Vec<(ChannelId, Token)>),
    Closed(String),
}

impl<T, E> Future for CallFuture<T, E> {
    type Output = Result<T, VoxError<E>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let span = this.span.clone();
        let _entered = span.enter();
        let polled = match this.state {
            CallState::New => match this.check() {
                Some(fault) => Poll::Ready(Err(VoxError::NotSent(fault))),
                None => {
                    let now = now();
                    this.deadline = this.call.deadline(now);
                    this.name_operation();
                    this.poll_send(cx, now, None)
                }
            },
            CallState::Queued(ticket) => this.poll_send(cx, now(), Some(ticket)),
            CallState::InFlight(token, _) => this.poll_reply(cx, token),
            CallState::Moving => this.poll_move(cx),
            CallState::Done => panic!("a call was polled after it was done"),
        };
        let polled = polled.map(|result| this.again.judge(result));
        if let Poll::Ready(result) = &polled {
            this.state = CallState::Done;
            // Halves that the call did not take with it will never be bound, however long this future is kept.
            this.call.channels.clear();
            this.again.release();
            if let Err(error) = result {
                tracing::debug!(outcome = error.kind(), "call failed");
            }
        }
        polled
    }
}

impl<T, E> CallFuture<T, E> {
    /// What keeps the call from being sent at all.
    pub(super) fn check(&mut self) -> Option<NotSent> {
        if let Some(fault) = self.call.fault.take() {
            return Some(*fault);
        }
        let shared = self.call.line().shared();
        if let Err(what) = self.call.metadata.check() {
            return Some(NotSent::TooLarge(what));
        }
        let head = crate::proto::HEAD_ROOM + wire::metadata_len(&self.call.metadata) + 11 * self.channels();
        if self.call.payload.len() + head > shared.max_payload + crate::proto::HEAD_ROOM {
            return Some(NotSent::TooLarge(format!(
                "the call is over the peer's limit of {} bytes",
                shared.max_payload
            )));
        }
        let channels = self.channels();
        if channels > shared.max_channels {
            let what = format!("{channels} channels, where the peer takes {} on a connection", shared.max_channels);
            return Some(NotSent::TooLarge(what));
        }
        None
    }

    /// An operation whose outcome is kept needs a name.
    fn name_operation(&mut self) {
        if self.call.method.policy.persist && self.call.operation.is_none() {
            self.call.operation = Some(Named { id: OperationId::new(), minted: true });
        }
    }

    pub(super) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        ticket: Option<u64>,
    ) -> Poll<Result<T, VoxError<E>>> {
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.leave_queue();
            return Poll::Ready(Err(VoxError::NotSent(NotSent::DeadlineExceeded)));
        }
        match self.try_send(cx, now, ticket) {
            Send::Wait(ticket) => {
                self.state = CallState::Queued(ticket);
                Poll::Pending
            }
            Send::Closed(_) if self.call.station.remote().is_some() => {
                self.leave_queue();
                self.begin_move(cx)
            }
            Send::Closed(how) => {
                self.leave_queue();
                Poll::Ready(Err(VoxError::NotSent(NotSent::Closed(how))))
            }
            Send::Sent(token, request, opened) => {
                self.state = CallState::InFlight(token, request);
                if !opened.is_empty() {
                    self.bind(opened);
                }
                Poll::Pending
            }
        }
    }

    fn try_send(&mut self, cx: &mut Context<'_>, now: Instant, ticket: Option<u64>) -> Send {
        let Call { station, line, method, payload, channels, metadata, operation, .. } = &mut self.call;
        let (line, again, leads) = (line.as_ref().unwrap_or(station.first()), &mut self.again, &mut self.leads);
        let connection = line.connection();
        let (deadline, count) = (self.deadline, channels.len() + again.carried().len());
        // A lone call is written here and now; where others are under way, the driver writes them all at once.
        let alone = |state: &crate::driver::State| match !state.driver_is_awake()
            && state.session.calls_in_flight(connection) <= 1
        {
            true => Flush::Here,
            false => Flush::Driver,
        };
        let may_follow = station.remote().is_some();
        line.shared().with(alone, |state| {
            match state.turn(connection, count, ticket) {
                Gate::Wait => return Send::Wait(state.enqueue(connection, ticket, deadline, cx.waker())),
                Gate::Closed(reason) => return Send::Closed(reason.to_string()),
                Gate::Open => {}
            }
            let token = state.waiters.insert(Waiter::Waiting(Some(cx.waker().clone())));
            let mut halves = Vec::new();
            for given in channels.iter() {
                let endpoint = given.endpoint().pledged(may_follow);
                halves.push((given.direction, state.endpoints.insert(endpoint)));
            }
            for bound in again.carried() {
                halves.push((bound.direction, state.endpoints.insert(bound.endpoint_again())));
            }
            // Kept where the call may be made again.
            let metadata = if may_follow { metadata.clone() } else { std::mem::take(metadata) };
            let operation = operation.map(|named| named.id);
            let call = NewCall { method: method.id, operation, deadline, metadata, channels: halves.clone() };
            let Some(made) = state.session.call(now, connection, token, call, payload) else {
                state.waiters.remove(token);
                halves.iter().for_each(|&(_, half)| drop(state.endpoints.remove(half)));
                return Send::Closed("the connection is closed".to_owned());
            };
            *leads = state.may_lead(now, token, cx.waker());
            if let Some(kept) = made.payload.filter(|_| may_follow) {
                again.keep_payload(kept);
            }
            if !may_follow {
                payload.last = None;
            }
            if let Some(ticket) = ticket {
                state.dequeue(connection, ticket);
            }
            // Most calls have none, and an empty list is collected as slowly as a short one.
            let opened = match halves.is_empty() {
                true => Vec::new(),
                false => made.channels.into_iter().zip(halves).map(|(id, (_, half))| (id, half)).collect(),
            };
            Send::Sent(token, made.request, opened)
        })
    }

    fn poll_reply(&mut self, cx: &mut Context<'_>, token: Token) -> Poll<Result<T, VoxError<E>>> {
        let line = self.call.line();
        let minted = self.call.operation.filter(|named| named.minted).map(|named| named.id);
        let sent = Sent { connection: line.connection(), token, minted, leads: self.leads };
        let end = std::task::ready!(line.shared().poll_end(&sent, cx.waker()));
        // The token is free, and another's before long.
        self.state = CallState::Done;
        let Some(end) = end else { return Poll::Ready(Err(VoxError::Indeterminate)) };
        let end = match self.take_up(cx, end) {
            Ok(end) => end,
            Err(again) => return again,
        };
        // The peer has it, and its memory may be had again for the reply.
        self.call.payload.last = None;
        self.again.drop_payload();
        Poll::Ready(match end {
            CallEnd::Reply(payload) => self.call.reply.decode(&payload, &self.call.line().shared().limits),
            CallEnd::DeadlineExceeded => Err(VoxError::DeadlineExceeded),
            CallEnd::Indeterminate => Err(VoxError::Indeterminate),
            CallEnd::NeverLeft(reason) => Err(VoxError::NotSent(NotSent::Closed(reason.to_string()))),
        })
    }
}

impl<T, E> CallFuture<T, E> {
    fn leave_queue(&mut self) {
        if let CallState::Queued(ticket) = self.state {
            self.state = CallState::Done;
            let connection = self.call.line().connection();
            self.call.line().shared().change(|state| state.dequeue(connection, ticket));
        }
    }
}

impl<T, E> Drop for CallFuture<T, E> {
    fn drop(&mut self) {
        match self.state {
            CallState::New | CallState::Moving | CallState::Done => {}
            CallState::Queued(_) => self.leave_queue(),
            CallState::InFlight(token, request) => {
                let connection = self.call.line().connection();
                // Its waker goes once the lock is free.
                let _waiter = self.call.line().shared().change(|state| {
                    state.call_over(token);
                    let waiter = state.waiters.remove(token);
                    if let Some(Waiter::Waiting(_)) = waiter {
                        state.session.abandon(connection, request);
                    }
                    waiter
                });
            }
        }
        self.again.release();
    }
}

impl<T, E> fmt::Debug for CallFuture<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallFuture").field("call", &self.call).field("state", &self.state).finish()
    }
}
