//! A lone call that reads its reply itself.
//!
//! Each reader of the link is woken by the same waker, [`ReadWaker`]. It passes the wake on to the session's task or, where
//! one call is all that is going on in the session, to that call, which reads *inline*: it reads the link in its own task, and
//! its reply takes no way round by the session's.
//!
//! A future need not be polled when it is woken. So calls read inline only while they follow one another closely. Meanwhile
//! the session's task looks in every [`INLINE_TIME`]: a call that still reads inline by then no longer does. Whatever the peer sent
//! waits for that long at most.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};

use super::clock::now;
use super::reading::{READS_PER_TURN, Read, Reader};
use super::shared::{Shared, State, Waiter};
use crate::contained::catch_panic;
use crate::proto::Token;

/// A call reads inline where the one before it was made no longer ago than this.
const INLINE_PACE: Duration = Duration::from_millis(1);
/// How long a call reads inline at most, twice, before the session's task reads again.
const INLINE_TIME: Duration = Duration::from_millis(2);
/// How many calls do not read inline after one that kept the link waiting.
const INLINE_PENALTY: u32 = 1024;

/// Who is woken when the link has something to read.
pub(super) struct ReadWaker {
    /// [`DRIVER`], [`INLINE`] or [`WAKE_PENDING`].
    mode: AtomicU8,
    slot: Mutex<Slot>,
}

/// The session's task is woken.
const DRIVER: u8 = 0;
/// The call that reads inline is.
const INLINE: u8 = 1;
/// The call that reads inline was, and nobody has read since.
const WAKE_PENDING: u8 = 2;

struct Slot {
    driver: Waker,
    inline: Waker,
}

/// Whether a call reads inline just now. Guarded with the rest of the state.
pub(super) struct InlineReader {
    /// The call that does.
    by: Option<Token>,
    /// The waker that [`ReadWaker`] has for it.
    waker: Waker,
    /// When the last call was made.
    last: Option<Instant>,
    /// When the session's task looks in next.
    pub(super) due: Option<Instant>,
    /// How many calls have led since it did.
    led: u32,
    /// How many calls must not.
    penalty: u32,
}

impl Default for InlineReader {
    fn default() -> Self {
        Self { by: None, waker: Waker::noop().clone(), last: None, due: None, led: 0, penalty: 0 }
    }
}

impl ReadWaker {
    pub(super) fn new() -> Arc<Self> {
        let slot = Slot { driver: Waker::noop().clone(), inline: Waker::noop().clone() };
        Arc::new(Self { mode: AtomicU8::new(DRIVER), slot: Mutex::new(slot) })
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session's task has another waker.
    pub(super) fn set_driver(&self, waker: &Waker) {
        self.slot().driver = waker.clone();
    }

    /// No call reads inline any more. `true`: the session's task has to read, for the call has not.
    fn end(&self) -> bool {
        self.mode.swap(DRIVER, Ordering::AcqRel) == WAKE_PENDING
    }

    /// Whether somebody has to read. If so, it is now the one who asks.
    #[inline]
    pub(super) fn take_owed(&self) -> bool {
        self.mode.compare_exchange(WAKE_PENDING, INLINE, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}

impl Wake for ReadWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let owed = self
            .mode
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |mode| (mode != DRIVER).then_some(WAKE_PENDING));
        if owed.is_err() {
            // A task of tokio's, whose wake takes no lock of ours.
            self.slot().driver.wake_by_ref();
            return;
        }
        // It is the link that wakes, whose thread is not the call's.
        catch_panic(|| {
            let inline = self.slot().inline.clone();
            inline.wake();
        });
    }
}

impl State {
    /// A call has been made. It reads inline if that is worth while and nothing else goes on in the session.
    pub(crate) fn may_read_inline(&mut self, now: Instant, token: Token, waker: &Waker) -> bool {
        let follows = self.inline_reader.last.replace(now).is_some_and(|last| last + INLINE_PACE >= now);
        if self.inline_reader.by.is_some() {
            self.stop_leading();
        }
        if !follows || self.driver_awake || !self.is_quiet() {
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
    pub(super) fn end_lead(&mut self) {
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
            self.deferred.wakes.push(self.driver.clone());
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
    pub(super) fn inline_reader_moved(&mut self, token: Token, waker: &Waker) -> bool {
        if self.inline_reader.by != Some(token) {
            return false;
        }
        self.inline_reader_wakes(waker);
        self.watch.mode.load(Ordering::Acquire) == WAKE_PENDING
    }

    /// The session's task looks whether a call reads inline, when that is due.
    pub(super) fn check_inline_reader(&mut self, now: Instant) {
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

impl Shared {
    /// Reads the link for the call that reads inline, and hands out what `take` finds of its end. What the peer sends is for others as well, so
    /// a fault in handling it is not the call's.
    pub(super) fn read_for<R>(&self, token: Token, take: impl FnMut(&mut State) -> Option<R>) -> Option<R> {
        let read = catch_unwind(AssertUnwindSafe(|| self.read_link_for(token, take)));
        read.unwrap_or_else(|payload| {
            catch_panic(move || drop(payload));
            self.fail();
            None
        })
    }

    fn read_link_for<R>(&self, token: Token, mut take: impl FnMut(&mut State) -> Option<R>) -> Option<R> {
        let Some(mut reader) = self.try_reader() else {
            // The session's task reads, and may be past its last look.
            self.wake_driver();
            return None;
        };
        let mut cx = Context::from_waker(&self.watch_waker);
        let mut taken = None;
        for turn in 0..READS_PER_TURN {
            match reader.read(turn, &mut cx) {
                Read::Some(_) => while self.handle_for(token, &mut reader, &mut taken, &mut take) {},
                Read::Nothing => return taken,
                Read::Lost(reason) => {
                    self.link_ended(reader.link(), reason);
                    return taken;
                }
            }
        }
        drop(reader);
        self.wake_driver();
        taken
    }

    /// Handles frames that were read. `true`: there may be more.
    fn handle_for<R>(
        &self,
        token: Token,
        reader: &mut Reader,
        taken: &mut Option<R>,
        take: &mut impl FnMut(&mut State) -> Option<R>,
    ) -> bool {
        // A reply needs no time but for when the peer was last heard of; when the call was made is near enough for that.
        let clock = if reader.has_one_reply() { None } else { Some(now()) };
        // It is not woken for its own end. Its waker, then, goes without the lock.
        let mut own = None;
        let more = self.change(|state| {
            let clock = clock.or(state.inline_reader.last).unwrap_or_else(now);
            own = if taken.is_none() { state.waiters.get_mut(token).and_then(Waiter::take_waker) } else { None };
            let more = reader.handle_frames(state, clock, self.limits.max_message_bytes);
            state.settle(&self.router);
            if own.is_some()
                && let Some(Waiter::Waiting(waker)) = state.waiters.get_mut(token)
            {
                *waker = own.take();
            }
            if taken.is_none() {
                *taken = take(state);
            }
            more
        });
        if own.is_some() {
            catch_panic(move || drop(own));
        }
        more
    }

    pub(super) fn wake_driver(&self) {
        let driver = self.lock().driver.clone();
        driver.wake();
    }
}
