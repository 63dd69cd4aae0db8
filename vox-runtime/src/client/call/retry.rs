//! A call is made again on the next session when its session is lost.
//!
//! `proto` decides which are; here that is done, within the call's one deadline and the peer's budget.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;

use super::super::client_connection::ReconnectError;
use super::{Call, CallState};
use crate::channel::{Bound, CallWaits};
use crate::descriptor::RetryPolicy;
use crate::driver::{CallerHandle, now};
use crate::error::{Never, NotSent, Shortage, VoxError};
use crate::ids::ChannelId;
use crate::proto::{Attempts, CallEnd, Token, Verdict};
use crate::wire::{self, ERR, Failure, USER};

type Reconnecting = Pin<Box<dyn Future<Output = Result<Arc<CallerHandle>, ReconnectError>> + Send>>;

/// What is known of a call's attempts so far.
pub(super) struct RetryState {
    attempts: Attempts,
    /// Most calls are short, without channels, and made once: they have none.
    rest: Option<Box<Rest>>,
}

/// What a further attempt needs, and how those before ended.
#[derive(Default)]
struct Rest {
    /// The call's outcome, unless a further attempt has a better one. `None`: the first is still to come.
    or: Option<CallEnd>,
    /// The halves that stayed here of the channels that it went out with, where it may be made again.
    carried: Vec<Arc<Bound>>,
    /// Long arguments, which the attempt took.
    payload: Option<Bytes>,
    reconnecting: Option<Reconnecting>,
    /// What the last attempt was answered, where it did not run and one before may have.
    refused: Option<String>,
}

impl RetryState {
    #[inline]
    pub(super) fn new(policy: RetryPolicy) -> Self {
        Self { attempts: Attempts::new(policy), rest: None }
    }

    fn rest(&mut self) -> &mut Rest {
        self.rest.get_or_insert_default()
    }

    /// The halves that stayed here of the channels that it went out with.
    pub(super) fn carried(&self) -> &[Arc<Bound>] {
        self.rest.as_ref().map_or(&[], |rest| &rest.carried)
    }

    /// Long arguments are at hand for a further attempt.
    pub(super) fn keep_payload(&mut self, payload: Bytes) {
        self.rest().payload = Some(payload);
    }

    /// There will be none.
    pub(super) fn drop_payload(&mut self) {
        if let Some(rest) = &mut self.rest {
            rest.payload = None;
        }
    }

    /// What it is for the call that its last attempt was not sent: none says that nothing ran unless that holds for all.
    #[inline]
    pub(super) fn final_result<T, E>(&self, result: Result<T, VoxError<E>>) -> Result<T, VoxError<E>> {
        match (result, self.rest.as_ref().and_then(|rest| rest.or.as_ref())) {
            (
                Err(VoxError::NotSent(NotSent::DeadlineExceeded { .. } | NotSent::Waited(_))),
                Some(CallEnd::Indeterminate),
            ) => Err(VoxError::DeadlineExceeded),
            (Err(VoxError::NotSent(why)), Some(CallEnd::Indeterminate)) => Err(VoxError::indeterminate(format!(
                "its session was lost, and it was not sent again: {}",
                why.words()
            ))),
            (result, _) => result,
        }
    }

    /// No attempt is over.
    pub(super) fn is_first(&self) -> bool {
        self.rest.as_ref().is_none_or(|rest| rest.or.is_none())
    }

    /// An attempt that is over may have run.
    pub(super) fn may_have_run(&self) -> bool {
        matches!(self.rest.as_ref().and_then(|rest| rest.or.as_ref()), Some(CallEnd::Indeterminate))
    }

    /// The last attempt was answered so: keeps why it did not run, where one before may have.
    #[inline]
    fn note_refusal(&mut self, payload: &[u8]) {
        if let Some(rest) = &mut self.rest
            && rest.or == Some(CallEnd::Indeterminate)
        {
            rest.refused = refusal(payload);
        }
    }

    /// Why the last attempt did not run, where one before may have.
    pub(super) fn refused(&self) -> Option<&str> {
        self.rest.as_ref()?.refused.as_deref()
    }

    /// Whether something went over one of its channels, so that it cannot take them along.
    fn is_exchanged(&self) -> bool {
        let Some(first) = self.carried().first() else { return false };
        let mut state = first.shared.lock();
        let mut touched = |bound: &Bound| state.endpoints.get_mut(bound.token).is_none_or(|half| half.is_touched());
        self.carried().iter().any(|bound| touched(bound))
    }

    /// It is not made again: its channels are their holders', and those that were lost meanwhile end.
    #[inline]
    pub(super) fn release(&mut self) {
        let Some(rest) = &mut self.rest else { return };
        let carried = std::mem::take(&mut rest.carried);
        let Some(first) = carried.first() else { return };
        first.shared.change(|state| carried.iter().for_each(|bound| state.release_half(bound.token)));
    }
}

impl<T, E> Call<T, E> {
    /// How many channels it goes out with.
    pub(super) fn channels(&self) -> usize {
        self.channels.len() + self.retry.carried().len()
    }

    /// It went out, with its channels under these names: tells the halves that stay here.
    pub(super) fn bind(&mut self, opened: Vec<(ChannelId, Token)>) {
        let (handle, terms) = (Arc::clone(self.handle()), self.terms.clone());
        let rest = self.retry.rest();
        let before = std::mem::take(&mut rest.carried);
        if before.is_empty() {
            let given = self.channels.drain(..).zip(opened);
            let bound = given.map(|(given, (channel, token))| given.bind(&handle, channel, token, terms.as_deref()));
            match self.client_connection.remote() {
                Some(_) => rest.carried.extend(bound),
                None => bound.for_each(drop),
            }
        } else {
            let halves = before.iter().zip(opened);
            rest.carried
                .extend(halves.map(|(half, (channel, token))| half.follow(&handle, channel, token, terms.as_deref())));
        }
    }

    /// An attempt has ended. `Ok`: with the call's outcome; otherwise it is made again, once there is a session.
    pub(super) fn on_attempt_end(
        &mut self,
        cx: &mut Context<'_>,
        end: CallEnd,
    ) -> Result<CallEnd, Poll<Result<T, VoxError<E>>>> {
        let Some(remote) = self.client_connection.remote() else { return Ok(end) };
        let exchanged = match &end {
            CallEnd::Reply(payload) => {
                self.retry.note_refusal(payload);
                false
            }
            _ => self.retry.is_exchanged(),
        };
        let or = match self.retry.attempts.ended(end, exchanged) {
            Verdict::Again { or } => or,
            Verdict::End(end) => {
                if let CallEnd::Reply(payload) = &end {
                    match self.retry.rest.as_ref().and_then(|rest| rest.or.as_ref()) {
                        Some(CallEnd::Indeterminate) => remote.budget.refund(),
                        _ => remote.budget.refill(|| wire::is_outcome(payload)),
                    }
                }
                return Ok(end);
            }
        };
        if or == CallEnd::Indeterminate && !remote.budget.spend() {
            return Ok(or);
        }
        let rest = self.retry.rest();
        rest.or = Some(or);
        if let Some(payload) = rest.payload.take() {
            self.payload.encoded = payload.into();
        }
        if let Some(patience) = self.patience.filter(|_| self.payload.len() > wire::PART) {
            // It moved until its session was lost.
            self.deadline = crate::proto::earlier(now().checked_add(patience), self.scope.deadline);
        }
        tracing::debug!("the call is made again");
        Err(self.begin_reconnect(cx))
    }

    /// Leaves a connection that is over for the next.
    pub(super) fn begin_reconnect(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, VoxError<E>>> {
        let dead = Arc::clone(self.handle());
        self.retry.rest().reconnecting =
            Some(Box::pin(Arc::clone(&self.client_connection).reconnect(dead, self.deadline)));
        self.state = CallState::Reconnecting;
        self.channels.iter().for_each(|given| given.call_waits(CallWaits::Session));
        self.poll_reconnect(cx)
    }

    pub(super) fn poll_reconnect(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, VoxError<E>>> {
        if self.alarm_has_rung() {
            self.retry.rest().reconnecting = None;
            return Poll::Ready(Err(self.out_of_time(self.no_link())));
        }
        let rest = self.retry.rest();
        let Some(reconnecting) = &mut rest.reconnecting else { return Poll::Ready(Err(self.indeterminate())) };
        let Poll::Ready(place) = reconnecting.as_mut().poll(cx) else { return Poll::Pending };
        rest.reconnecting = None;
        match place {
            Ok(handle) => {
                self.handle = Some(handle);
                self.name_operation_anew();
                self.fit_trace();
                match self.check() {
                    Some(fault) => Poll::Ready(Err(VoxError::NotSent(fault))),
                    None => self.poll_send(cx, now(), None),
                }
            }
            Err(ReconnectError::Closed(how)) => Poll::Ready(Err(VoxError::NotSent(NotSent::Closed(how.into())))),
            Err(ReconnectError::TooLate(why)) => Poll::Ready(Err(self.out_of_time(why))),
        }
    }
}

impl<T, E> Call<T, E> {
    /// Why there is no link to send it over, if there is none.
    pub(super) fn no_link(&self) -> Option<String> {
        if let Some(remote) = self.client_connection.remote() {
            return remote.reconnector().words();
        }
        let shared = self.handle().shared();
        let state = shared.lock();
        let how = state.session.detached_by()?;
        Some(format!("no link from {}, which has to make the next: {how}", shared.peer.address()))
    }

    /// Its time was up before it was sent.
    pub(super) fn out_of_time(&self, no_link: Option<String>) -> VoxError<E> {
        VoxError::NotSent(match no_link {
            // Where an earlier attempt may have run, its deadline is what ends it.
            Some(why) if !self.retry.may_have_run() || self.deadline.is_none() => NotSent::NoLink(why.into()),
            Some(_) | None => NotSent::DeadlineExceeded,
        })
    }
}

/// Why a call did not run that was answered so, of no particular call.
fn refusal(payload: &[u8]) -> Option<String> {
    let failure = match payload {
        [ERR, code, ..] if *code != USER => Failure::read(&payload[1..]).ok()?,
        _ => return None,
    };
    Some(match failure {
        Failure::UnknownMethod => "the service has no such method there".to_owned(),
        Failure::InvalidPayload(why) => format!("the peer could not decode the arguments: {why}"),
        Failure::Busy(short) => format!("the server is busy: {}", Shortage::from(short)),
        other => VoxError::<Never>::from(other).kind().to_owned(),
    })
}

impl fmt::Debug for RetryState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryState").field("or", &self.rest.as_ref().map(|rest| &rest.or)).finish_non_exhaustive()
    }
}
