//! A call that is polled outside of its session's runtime keeps its deadline by itself: that runtime may stand still
//! meanwhile. Elsewhere the session's task keeps it.

use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::Call;
use crate::driver::{Alarm, Sent, now};
use crate::error::{NotSent, VoxError};
use crate::proto::CallEnd;

impl<T, E> Call<T, E> {
    /// By when the call must be answered.
    pub(super) fn deadline(&self, now: Instant) -> Option<Instant> {
        let default = self.channels.is_empty().then_some(self.handle().shared().limits.call_timeout);
        let own = self.timeout.or(self.method.timeout).or(default).and_then(|timeout| now.checked_add(timeout));
        crate::proto::earlier(own, self.scope.deadline)
    }

    /// The time that the call has while nothing moves, where nobody has set a time for all of it. A handler's own deadline, which
    /// bounds the calls that it makes, is kept beside that.
    pub(super) fn patience(&self) -> Option<Duration> {
        let is_bound = self.timeout.is_some() || self.method.timeout.is_some();
        (!is_bound && self.channels.is_empty()).then_some(self.handle().shared().limits.call_timeout)
    }

    /// Outside of the session's runtime the call sees to its deadline itself.
    #[inline]
    pub(super) fn set_alarm(&mut self, cx: &Context<'_>) {
        let Some(deadline) = self.deadline else { return };
        if self.handle().shared().is_home() {
            return;
        }
        match &self.alarm {
            None => self.alarm = Some(Alarm::set(deadline, cx.waker())),
            Some(alarm) if alarm.wakes(cx.waker()) => {}
            // Just now.
            Some(_) => cx.waker().wake_by_ref(),
        }
    }

    #[inline]
    pub(super) fn alarm_has_rung(&self) -> bool {
        self.alarm.as_ref().is_some_and(Alarm::has_rung)
    }

    /// Whether the deadline has passed.
    pub(super) fn is_late(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now) || self.alarm_has_rung()
    }

    /// What the call waits for in the queue.
    pub(super) fn waited(&self, ticket: Option<u64>) -> Option<String> {
        let state = self.handle().shared().lock();
        state.waits_for(ticket?).map(|what| what.obstacle.to_string())
    }

    /// The deadline passed before the call was sent. Where there is no link, that is what it waited for.
    pub(super) fn late(&self, waited: Option<String>) -> VoxError<E> {
        match (self.no_link(), waited) {
            (None, Some(what)) => VoxError::NotSent(NotSent::Waited(what.into())),
            (no_link, _) => self.out_of_time(no_link),
        }
    }

    /// The end of the call, if it has come, be it by its deadline.
    pub(super) fn poll_end(&mut self, cx: &Context<'_>, sent: &Sent) -> Poll<Option<CallEnd>> {
        let end = self.handle().shared().poll_end(sent, cx.waker());
        if end.is_ready() || !self.alarm_has_rung() {
            return end;
        }
        // The session's runtime stands still, so nobody else has seen to the deadline.
        let now = self.deadline.map_or_else(now, |deadline| deadline.max(now()));
        self.handle().shared().change(|state| state.session.expire_due(now));
        let end = self.handle().shared().poll_end(sent, cx.waker());
        if end.is_pending() {
            // It was moved on, for a long message moves.
            let more = self.patience.unwrap_or(LOOK_AGAIN);
            self.alarm = now.checked_add(more).map(|at| Alarm::set(at, cx.waker()));
        }
        end
    }
}

/// When a deadline is looked at again that has passed and ends nothing.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
