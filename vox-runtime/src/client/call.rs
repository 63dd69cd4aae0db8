//! One call: its builder, and the future that makes it.

mod about;
mod ending;
mod other_version;
mod polled_elsewhere;
mod retry;
mod trace;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tracing::Span;

use self::retry::RetryState;
use super::client_connection::ClientConnection;
use super::written::Written;
use crate::channel::{CallWaits, OutgoingHalf};
use crate::codec::EncodeError;
use crate::descriptor::{MethodDescriptor, RetryPolicy};
use crate::driver::{Alarm, CallerHandle, Flush, Scope, Sent, Waiter, now};
use crate::error::{Never, NotSent, Short, VoxError};
use crate::escaped::Escaped;
use crate::ids::{ChannelId, RequestId};
use crate::limits::Limits;
use crate::metadata::Metadata;
use crate::operation::OperationId;
use crate::proto::{CallEnd, Gate, NewCall, Patience, Token};
use crate::reply::{Reply, too_large_for_peer};
use crate::terms::MethodTerms;
use crate::wire::{self, ChannelDirection, Payload};

/// A call: a future that sends it when it is first polled, and a builder before that.
///
/// `Call<u64>` is one of a method that returns a `u64`, `Call<u64, Overdrawn>` one of a method that returns a `Result<u64, Overdrawn>`.
/// Await it, spawn it, or give it to anything that takes a future: it is `Unpin`, and where its method's types are `Send`, it is `Send`
/// and `'static`. Dropping it cancels the call, if it was sent. The tour of the crate `vox` has an example of each.
///
/// Its methods that tell it something, as [`timeout`](Self::timeout), are for the time before the first poll. The peer cannot be told
/// afterwards: a call that is told something too late is cancelled, and its next poll ends it as `Cancelled`, or as `NotSent` if it had not
/// left. A warning in the log names what came too late.
#[must_use = "a call is made when it is awaited"]
pub struct Call<T: 'static, E: 'static = Never> {
    pub(super) client_connection: Arc<ClientConnection>,
    /// Where it is made, if the client has moved since it was first connected.
    pub(super) handle: Option<Arc<CallerHandle>>,
    pub(super) method: &'static MethodDescriptor,
    pub(super) payload: Payload,
    pub(super) channels: Vec<OutgoingHalf>,
    fault: Option<Box<NotSent>>,
    pub(super) timeout: Option<Duration>,
    metadata: Metadata,
    /// So many of its last entries are the handler's that makes the call, and not the call's own.
    inherited: usize,
    /// What the call is an attempt at, the same however often it is made.
    pub(super) operation: Option<Named>,
    /// What the handler that makes the call passes on.
    pub(super) scope: Scope,
    pub(super) reply: &'static Reply<T, E>,
    /// The one that it was made in, and its own from the first poll on.
    span: Span,
    pub(super) deadline: Option<Instant>,
    /// What the deadline is moved on by while a long message moves.
    pub(super) patience: Option<Duration>,
    pub(super) state: CallState,
    retry: RetryState,
    /// The peer knows the method otherwise.
    pub(super) terms: Option<Arc<MethodTerms>>,
    /// It may read the link itself.
    reads_inline: bool,
    /// For its deadline, where it is polled outside of its session's runtime, which keeps that otherwise.
    pub(super) alarm: Option<Alarm>,
}

/// An operation's id, and whose it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Named {
    pub(super) id: OperationId,
    /// Nobody else knows it: with the call's outcome it has done its duty.
    auto_id: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum CallState {
    New,
    /// Waits for its turn.
    Queued(u64),
    InFlight(Token, RequestId),
    /// Waits for a session to be made on.
    Reconnecting,
    /// It was told something after it was polled.
    Late(Late),
    Done,
}

/// What a call was told too late.
#[derive(Debug, Clone, Copy)]
pub(super) struct Late {
    setting: &'static str,
    /// It had been sent.
    sent: bool,
}

impl<T, E> Call<T, E> {
    pub(super) fn new(
        client_connection: Arc<ClientConnection>,
        method: &'static MethodDescriptor,
        written: Written,
        reply: &'static Reply<T, E>,
    ) -> Self {
        let Written { handle, payload, channels, fault } = written;
        Self {
            client_connection,
            handle,
            method,
            payload,
            channels,
            fault,
            timeout: None,
            metadata: Metadata::new(),
            inherited: 0,
            operation: None,
            scope: Scope::current(),
            reply,
            span: if tracing::enabled!(tracing::Level::INFO) { Span::current() } else { Span::none() },
            deadline: None,
            patience: None,
            state: CallState::New,
            retry: RetryState::new(method.policy),
            terms: None,
            reads_inline: false,
            alarm: None,
        }
    }

    /// Names the operation that this call is an attempt at. Calls of the same id, method and arguments are attempts at one
    /// operation: it runs once, and each attempt gets its outcome, from another process and after a crash as well.
    ///
    /// Of a `persist` method the server keeps the outcome in its store, until it is
    /// [acknowledged](crate::Caller::acknowledge) or a day old; without an id of the application's own the runtime makes one,
    /// and acknowledges by itself. Of a method that is neither `persist` nor `idem` the outcome is known for a while, and within
    /// the session only. For an `idem` method, which may run again, the id means nothing.
    pub fn operation(self, id: OperationId) -> Self {
        self.told("operation", |call| call.operation = Some(Named { id, auto_id: false }))
    }

    /// What the method says about running again, which [`VoxError::is_retryable_under`] asks for.
    pub fn policy(&self) -> RetryPolicy {
        self.method.policy
    }

    /// How long the call may take, from when it is first polled. Inside a handler the handler's own deadline holds
    /// too, whichever is earlier. Without this, the method's `timeout` holds, or `Limits::call_timeout`.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.told("timeout", |call| call.timeout = Some(timeout))
    }

    /// Adds metadata, which the handler finds in its context.
    pub fn metadata(self, key: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        self.told("metadata", |call| call.metadata.insert(key, value))
    }

    /// Adds metadata whose value is never printed.
    pub fn sensitive_metadata(self, key: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        self.told("sensitive_metadata", |call| call.metadata.insert_sensitive(key, value))
    }

    /// Adds every entry that `from` has under `key`, as sensitive as it is there: to pass on what a handler was sent.
    pub fn forward(self, from: &Metadata, key: &str) -> Self {
        self.told("forward", |call| call.metadata.forward(from, key))
    }

    /// Tells the call something, before it is polled. Afterwards it is cancelled.
    fn told(mut self, setting: &'static str, tell: impl FnOnce(&mut Self)) -> Self {
        match self.state {
            CallState::New => tell(&mut self),
            CallState::Done | CallState::Late(_) => {}
            CallState::Queued(_) | CallState::InFlight(..) | CallState::Reconnecting => {
                let sent = matches!(self.state, CallState::InFlight(..)) || self.retry.may_have_run();
                self.let_go();
                self.state = CallState::Late(Late { setting, sent });
            }
        }
        self
    }

    /// The limits of this end.
    pub(crate) fn limits(&self) -> &Limits {
        &self.handle().shared().limits
    }

    /// The connection that it is made on.
    pub(super) fn handle(&self) -> &Arc<CallerHandle> {
        self.handle.as_ref().unwrap_or(self.client_connection.first())
    }

    /// Opens the call's own span: in the one that it is polled in, or else in the one that it was made in.
    fn open_span(&mut self) {
        self.inherit_trace();
        if !tracing::enabled!(tracing::Level::INFO) {
            return;
        }
        let polled_in = Span::current();
        let parent = if polled_in.is_none() { &self.span } else { &polled_in };
        self.span = tracing::info_span!(
            parent: parent,
            "vox.call",
            otel.kind = "client",
            rpc.system = "vox",
            rpc.service = self.method.service,
            rpc.method = self.method.name,
            network.peer.address = %Escaped::new(self.handle().shared().peer.address()),
            vox.connection = self.handle().connection().0,
            vox.metadata = ?self.metadata,
        );
    }
}

/// What an attempt to send came to.
enum Send {
    Wait(u64),
    /// With what its channels are called.
    Sent(Token, RequestId, Vec<(ChannelId, Token)>),
    Closed(String),
    /// The peer knows the method otherwise, and on these terms was not asked yet whether it can be called.
    Differs(Arc<MethodTerms>),
    /// The same, and there is no memory for what it takes to call it.
    NoMemory(Short),
}

impl<T, E> Future for Call<T, E> {
    type Output = Result<T, VoxError<E>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let CallState::New = this.state {
            this.open_span();
        }
        let span = this.span.clone();
        let _entered = span.enter();
        let polled = match this.state {
            CallState::New => match this.check() {
                Some(fault) => Poll::Ready(Err(VoxError::NotSent(fault))),
                None => {
                    let now = now();
                    this.deadline = this.deadline(now);
                    this.patience = this.patience();
                    this.name_operation();
                    this.poll_send(cx, now, None)
                }
            },
            CallState::Queued(ticket) => this.poll_send(cx, now(), Some(ticket)),
            CallState::InFlight(token, _) => this.poll_reply(cx, token),
            CallState::Reconnecting => this.poll_reconnect(cx),
            CallState::Late(late) => Poll::Ready(Err(this.too_late(late))),
            CallState::Done => panic!("a call was polled after it was done"),
        };
        let polled = polled.map(|result| this.retry.final_result(result).map_err(|error| this.about(error)));
        if polled.is_pending() {
            this.set_alarm(cx);
        }
        if let Poll::Ready(result) = &polled {
            this.state = CallState::Done;
            this.alarm = None;
            // Halves that the call did not take with it will never be bound, however long this future is kept.
            this.channels.clear();
            this.retry.release();
            if let Err(error) = result {
                tracing::debug!(outcome = error.kind(), "call failed");
            }
        }
        polled
    }
}

impl<T, E> Call<T, E> {
    /// What keeps the call from being sent at all.
    pub(super) fn check(&mut self) -> Option<NotSent> {
        if let Some(fault) = self.fault.take() {
            return Some(*fault);
        }
        let shared = self.handle().shared();
        if let Err(what) = self.metadata.check() {
            return Some(NotSent::TooLarge(what.into()));
        }
        let (needed, limit) = (self.bare_len(), shared.max_payload);
        if needed > limit {
            let what = too_large_for_peer(&EncodeError::TooLarge { needed, limit });
            return Some(NotSent::TooLarge(what.into()));
        }
        let channels = self.channels();
        if channels > shared.max_channels {
            let what = format!(
                "{channels} channels, where the peer takes {} on a connection (its `Limits::max_channels`)",
                shared.max_channels
            );
            return Some(NotSent::TooLarge(what.into()));
        }
        None
    }

    /// How long it is at most, without the first of its fields.
    fn bare_len(&self) -> usize {
        self.payload.len() + wire::metadata_len(&self.metadata) + 11 * self.channels()
    }

    /// An operation whose outcome is kept needs a name.
    fn name_operation(&mut self) {
        if self.method.policy.persist && self.operation.is_none() {
            self.operation = Some(Named { id: self.handle().shared().new_operation(), auto_id: true });
        }
    }

    /// The call has moved to another session. An id that it was given and that nobody was told is made anew, by the clock of this peer.
    pub(super) fn name_operation_anew(&mut self) {
        if self.operation.is_some_and(|named| named.auto_id) && self.retry.is_first() {
            self.operation = None;
            self.name_operation();
        }
    }

    pub(super) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        ticket: Option<u64>,
    ) -> Poll<Result<T, VoxError<E>>> {
        if self.is_late(now) {
            let waited = self.waited(ticket);
            self.leave_queue();
            return Poll::Ready(Err(self.late(waited)));
        }
        match self.try_send(cx, now, ticket) {
            Send::Wait(ticket) => {
                self.state = CallState::Queued(ticket);
                self.channels.iter().for_each(|given| given.call_waits(CallWaits::Turn));
                if let Some(remote) = self.client_connection.remote() {
                    remote.reconnector().nudge();
                }
                Poll::Pending
            }
            Send::Closed(_) if self.client_connection.remote().is_some() => {
                self.leave_queue();
                self.begin_reconnect(cx)
            }
            Send::Closed(how) => {
                self.leave_queue();
                Poll::Ready(Err(VoxError::NotSent(NotSent::Closed(how.into()))))
            }
            Send::Differs(terms) => match self.refusal(&terms) {
                None => {
                    self.terms = Some(terms);
                    self.poll_send(cx, now, ticket)
                }
                Some(why) => self.differ(&why),
            },
            Send::NoMemory(short) => self.differ(&format_args!("this end keeps no more to translate: {short}")),
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
        let Self {
            client_connection,
            handle,
            method,
            payload,
            channels,
            metadata,
            operation,
            retry,
            terms,
            reads_inline,
            deadline,
            patience,
            scope,
            ..
        } = self;
        let handle = handle.as_ref().unwrap_or(client_connection.first());
        let connection = handle.connection();
        let deadline = *deadline;
        let patience = patience.map(|each| Patience { each, latest: scope.deadline });
        let count = channels.len() + retry.carried().len();
        // A lone call is written here and now; where others are under way, the driver writes them all at once.
        let alone = |state: &crate::driver::State| match !state.driver_is_awake()
            && state.session.calls_in_flight(connection) <= 1
        {
            true => Flush::Here,
            false => Flush::Driver,
        };
        let may_follow = client_connection.remote().is_some();
        // Not under the lock: what a waker does when it is cloned is its own affair.
        let waker = cx.waker().clone();
        handle.shared().with(alone, |state| {
            match state.turn(connection, count, ticket) {
                Gate::Wait => {
                    let times = (now, deadline);
                    return Send::Wait(state.enqueue(connection, ticket, times, (*method, count), waker));
                }
                Gate::Closed(reason) => return Send::Closed(reason.to_string()),
                Gate::Open => {}
            }
            let agreed = match state.session.terms(connection, method.id) {
                Ok(agreed) => agreed,
                Err(short) => return Send::NoMemory(short),
            };
            if agreed.as_ref().map(Arc::as_ptr) != terms.as_ref().map(Arc::as_ptr) {
                match agreed {
                    Some(agreed) => return Send::Differs(agreed),
                    // It was another session's.
                    None => *terms = None,
                }
            }
            let token = state.waiters.insert(Waiter::Waiting(Some(waker)));
            let mut halves = Vec::new();
            for given in channels.iter() {
                let endpoint = given.endpoint().held_for_retry(may_follow);
                halves.push((given.direction, state.endpoints.insert(endpoint)));
            }
            for bound in retry.carried() {
                halves.push((bound.direction, state.endpoints.insert(bound.endpoint_again())));
            }
            // Kept where the call may be made again.
            let metadata = if may_follow { metadata.clone() } else { std::mem::take(metadata) };
            let operation = operation.map(|named| named.id);
            let channels = halves.clone();
            let call = NewCall { method: method.id, operation, deadline, patience, metadata, channels };
            let Some(made) = state.session.call(now, connection, token, call, payload) else {
                if let Some(Waiter::Waiting(Some(waker))) = state.waiters.remove(token) {
                    state.deferred.spend(waker);
                }
                halves.iter().for_each(|&(_, half)| drop(state.endpoints.remove(half)));
                return Send::Closed("the connection is closed".to_owned());
            };
            *reads_inline = state.may_read_inline(now, token, cx.waker());
            if let Some(kept) = made.payload.filter(|_| may_follow) {
                retry.keep_payload(kept);
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
                false => made
                    .channels
                    .into_iter()
                    .zip(halves)
                    .map(|(id, (direction, half))| {
                        if let ChannelDirection::CallerSends = direction {
                            state.expect_items(half, now, method, (connection, made.request, id));
                        }
                        (id, half)
                    })
                    .collect(),
            };
            Send::Sent(token, made.request, opened)
        })
    }

    fn poll_reply(&mut self, cx: &mut Context<'_>, token: Token) -> Poll<Result<T, VoxError<E>>> {
        let handle = self.handle();
        let auto_id = self.operation.filter(|named| named.auto_id).map(|named| named.id);
        let sent = Sent { connection: handle.connection(), token, auto_id, reads_inline: self.reads_inline };
        let end = std::task::ready!(self.poll_end(cx, &sent));
        self.state = CallState::Done;
        let Some(end) = end else { return Poll::Ready(Err(self.indeterminate())) };
        let end = match self.on_attempt_end(cx, end) {
            Ok(end) => end,
            Err(polled) => return polled,
        };
        // The peer has it, and its memory may be had again for the reply.
        self.payload.last = None;
        self.retry.drop_payload();
        Poll::Ready(match end {
            CallEnd::Reply(payload) => {
                self.reply.decode(&payload, &self.handle().shared().limits, self.terms.as_deref())
            }
            CallEnd::DeadlineExceeded => Err(VoxError::DeadlineExceeded),
            CallEnd::Indeterminate => Err(self.indeterminate()),
            CallEnd::NeverLeftInTime => Err(self.out_of_time(self.no_link())),
            CallEnd::NeverLeft(reason) => Err(VoxError::NotSent(NotSent::Closed(reason.to_string().into()))),
        })
    }
}
