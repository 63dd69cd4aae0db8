//! Which call reads the link itself.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::task::Waker;
use std::time::Instant;

use super::super::inline_reader::{INLINE, INLINE_PACE, INLINE_PENALTY, INLINE_TIME, WAKE_PENDING};
use super::super::state::State;
use crate::catch_panic::catch_panic;
use crate::proto::Token;

impl State {
    /// A call has been made. It reads inline if that is worth while and nothing else goes on in the session.
    pub(crate) fn may_read_inline(&mut self, now: Instant, token: Token, waker: &Waker) -> bool {
        let follows = self.inline_reader.last.replace(now).is_some_and(|last| last + INLINE_PACE >= now);
        if self.inline_reader.by.is_some() {
            self.stop_leading();
        }
        if !follows || self.wake_plan.is_awake() || !self.is_quiet() {
            return false;
        }
        if self.inline_reader.penalty > 0 {
            self.inline_reader.penalty -= 1;
            return false;
        }
        self.inline_reader.by = Some(token);
        self.inline_reader.led += 1;
        if self.inline_reader.due.is_none() {
            self.inline_reader.due = now.checked_add(INLINE_TIME);
        }
        self.inline_reader_wakes(waker);
        self.watch.mode.store(INLINE, Ordering::Release);
        true
    }

    /// The call that reads inline is woken by this waker.
    #[inline]
    fn inline_reader_wakes(&mut self, waker: &Waker) {
        if self.inline_reader.waker.will_wake(waker) {
            return;
        }
        // What one is a clone of may name other functions that do the same; clones of one name the same. One that cannot be cloned is woken by
        // the session's task, which looks in.
        let clone_of = |waker: &Waker| catch_unwind(AssertUnwindSafe(|| waker.clone()));
        let Ok(waker) = clone_of(waker) else { return };
        if self.inline_reader.waker.will_wake(&waker) {
            // There is another of it, so no more goes than this.
            return catch_panic(move || drop(waker));
        }
        let Ok(inline) = clone_of(&waker) else { return self.deferred.spent.push(waker) };
        // What a waker's drop does is its owner's, so those before go without a lock.
        let before = std::mem::replace(&mut self.watch.slot().inline, inline);
        self.deferred.spent.extend([before, std::mem::replace(&mut self.inline_reader.waker, waker)]);
    }

    /// No call reads inline any more, nor ever will.
    pub(in crate::driver) fn end_lead(&mut self) {
        self.stop_leading();
        self.inline_reader_wakes(Waker::noop());
    }

    /// Whether nothing goes on but one call.
    #[inline]
    fn is_quiet(&self) -> bool {
        self.waiters.len() == 1
            && self.endpoints.is_empty()
            && self.opens.as_ref().is_none_or(|opens| opens.is_empty())
            && self.session.handlers_running() == 0
    }

    /// The call no longer reads inline, if one does: the session's task reads.
    #[inline]
    pub(crate) fn stop_leading(&mut self) {
        if self.inline_reader.by.take().is_some() && self.watch.end() {
            self.deferred.wakes.push(self.wake_plan.on_missed());
        }
    }

    /// The call is over, or let go of.
    #[inline]
    pub(crate) fn call_over(&mut self, token: Token) {
        if self.inline_reader.by == Some(token) {
            self.stop_leading();
        }
    }

    /// The call has moved to another task. `true`: that one has to read, for the one before was woken to.
    pub(in crate::driver) fn inline_reader_moved(&mut self, token: Token, waker: &Waker) -> bool {
        if self.inline_reader.by != Some(token) {
            return false;
        }
        self.inline_reader_wakes(waker);
        self.watch.mode.load(Ordering::Acquire) == WAKE_PENDING
    }

    /// The session's task looks whether a call reads inline, when that is due.
    pub(in crate::driver) fn check_inline_reader(&mut self, now: Instant) {
        if self.inline_reader.due.is_none_or(|due| now < due) {
            return;
        }
        let led = std::mem::take(&mut self.inline_reader.led);
        self.inline_reader.due = if led > 0 { now.checked_add(INLINE_TIME) } else { None };
        if led > 0 {
            return;
        }
        // One that reads inline has done so all the while.
        let wakes = self.deferred.wakes.len();
        self.stop_leading();
        if self.deferred.wakes.len() > wakes {
            self.inline_reader.penalty = INLINE_PENALTY;
        }
        // The task of a call that is long over is not kept.
        self.inline_reader_wakes(Waker::noop());
    }
}
