//! A lone call that reads its reply itself.
//!
//! Each reader of the link is woken by the same waker, [`Watch`]. It passes the wake on to the session's task or, where
//! one call is all that is going on in the session, to that call, which *leads*: it reads the link in its own task, and
//! its reply takes no way round by the session's.
//!
//! A future need not be polled when it is woken. So calls lead only while they follow on one another closely, and meanwhile
//! the session's task looks in every [`LEAD_WATCH`]: a call that still leads by then no longer does. Whatever the peer sent
//! waits for that long at most.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};

use super::clock::now;
use super::reading::{READS_PER_TURN, Read, Reader};
use super::shared::{Shared, State, Waiter};
use crate::contained::quietly;
use crate::proto::Token;

/// A call leads where the one before it was made no longer ago than this.
const LEAD_PACE: Duration = Duration::from_millis(1);
/// How long a call leads at most, twice, before the session's task reads again.
const LEAD_WATCH: Duration = Duration::from_millis(2);
/// How many calls do not lead after one that kept the link waiting.
const LEAD_PENALTY: u32 = 1024;

/// Who is woken when the link has something to read.
pub(super) struct Watch {
    /// [`DRIVER`], [`LEADING`] or [`OWED`].
    mode: AtomicU8,
    slot: Mutex<Slot>,
}

/// The session's task is woken.
const DRIVER: u8 = 0;
/// The leader is.
const LEADING: u8 = 1;
/// The leader was, and nobody has read since.
const OWED: u8 = 2;

struct Slot {
    driver: Waker,
    leader: Waker,
}

/// Whether calls lead just now. Guarded with the rest of the state.
pub(super) struct Lead {
    /// The call that does.
    by: Option<Token>,
    /// The waker that [`Watch`] has for it.
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

impl Default for Lead {
    fn default() -> Self {
        Self { by: None, waker: Waker::noop().clone(), last: None, due: None, led: 0, penalty: 0 }
    }
}

impl Watch {
    pub(super) fn new() -> Arc<Self> {
        let slot = Slot { driver: Waker::noop().clone(), leader: Waker::noop().clone() };
        Arc::new(Self { mode: AtomicU8::new(DRIVER), slot: Mutex::new(slot) })
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session's task has another waker.
    pub(super) fn set_driver(&self, waker: &Waker) {
        self.slot().driver = waker.clone();
    }

    /// Nobody leads any more. `true`: the session's task has to read, for the leader has not.
    fn end(&self) -> bool {
        self.mode.swap(DRIVER, Ordering::AcqRel) == OWED
    }

    /// Whether somebody has to read. If so, it is now the one who asks.
    #[inline]
    pub(super) fn take_owed(&self) -> bool {
        self.mode.compare_exchange(OWED, LEADING, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}

impl Wake for Watch {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let owed = self.mode.fetch_update(Ordering::AcqRel, Ordering::Acquire, |mode| (mode != DRIVER).then_some(OWED));
        if owed.is_err() {
            // A task of tokio's, whose wake takes no lock of ours.
            self.slot().driver.wake_by_ref();
            return;
        }
        // It is the link that wakes, whose thread is not the call's.
        quietly(|| {
            let leader = self.slot().leader.clone();
            leader.wake();
        });
    }
}

impl State {
    /// A call has been made. It leads if that is worth while and nothing else goes on in the session.
    pub(crate) fn may_lead(&mut self, now: Instant, token: Token, waker: &Waker) -> bool {
        let follows = self.lead.last.replace(now).is_some_and(|last| last + LEAD_PACE >= now);
        if self.lead.by.is_some() {
            self.stop_leading();
        }
        if !follows || self.driver_awake || !self.is_quiet() {
            return false;
        }
        if self.lead.penalty > 0 {
            self.lead.penalty -= 1;
            return false;
        }
        self.lead.by = Some(token);
        self.lead.led += 1;
        if self.lead.due.is_none() {
            self.lead.due = now.checked_add(LEAD_WATCH);
        }
        self.lead_wakes(waker);
        self.watch.mode.store(LEADING, Ordering::Release);
        true
    }

    /// The call that leads is woken by this one.
    #[inline]
    fn lead_wakes(&mut self, waker: &Waker) {
        if self.lead.waker.will_wake(waker) {
            return;
        }
        // What one is a clone of may name other functions that do the same; clones of one name the same. One that cannot be cloned is woken by
        // the session's task, which looks in.
        let clone_of = |waker: &Waker| catch_unwind(AssertUnwindSafe(|| waker.clone()));
        let Ok(waker) = clone_of(waker) else { return };
        if self.lead.waker.will_wake(&waker) {
            // There is another of it, so no more goes than this.
            return quietly(move || drop(waker));
        }
        let Ok(leader) = clone_of(&waker) else { return self.after.spent.push(waker) };
        // What a waker's drop does is its owner's, so those before go without a lock.
        let before = std::mem::replace(&mut self.watch.slot().leader, leader);
        self.after.spent.extend([before, std::mem::replace(&mut self.lead.waker, waker)]);
    }

    /// Nobody leads any more, nor ever will.
    pub(super) fn end_lead(&mut self) {
        self.stop_leading();
        self.lead_wakes(Waker::noop());
    }

    /// Whether nothing goes on but one call.
    #[inline]
    fn is_quiet(&self) -> bool {
        self.waiters.len() == 1
            && self.endpoints.is_empty()
            && self.opens.as_ref().is_none_or(|opens| opens.is_empty())
            && self.session.handlers_running() == 0
    }

    /// The call no longer leads, if one does: the session's task reads.
    #[inline]
    pub(crate) fn stop_leading(&mut self) {
        if self.lead.by.take().is_some() && self.watch.end() {
            self.after.wakes.push(self.driver.clone());
        }
    }

    /// The call is over, or let go of.
    #[inline]
    pub(crate) fn call_over(&mut self, token: Token) {
        if self.lead.by == Some(token) {
            self.stop_leading();
        }
    }

    /// The call has moved to another task. `true`: that one has to read, for the one before was woken to.
    pub(super) fn lead_moved(&mut self, token: Token, waker: &Waker) -> bool {
        if self.lead.by != Some(token) {
            return false;
        }
        self.lead_wakes(waker);
        self.watch.mode.load(Ordering::Acquire) == OWED
    }

    /// The session's task looks in on who leads, when that is due.
    pub(super) fn look_in(&mut self, now: Instant) {
        if self.lead.due.is_none_or(|due| now < due) {
            return;
        }
        let led = std::mem::take(&mut self.lead.led);
        self.lead.due = if led > 0 { now.checked_add(LEAD_WATCH) } else { None };
        if led > 0 {
            return;
        }
        // One that leads has done so all the while.
        let wakes = self.after.wakes.len();
        self.stop_leading();
        if self.after.wakes.len() > wakes {
            self.lead.penalty = LEAD_PENALTY;
        }
        // The task of a call that is long over is not kept.
        self.lead_wakes(Waker::noop());
    }
}

impl Shared {
    /// Reads the link for the call that leads, and hands out what `take` finds of its end. What the peer sends is for others as well, so
    /// a fault in handling it is not the call's.
    pub(super) fn read_for<R>(&self, token: Token, take: impl FnMut(&mut State) -> Option<R>) -> Option<R> {
        let read = catch_unwind(AssertUnwindSafe(|| self.read_link_for(token, take)));
        read.unwrap_or_else(|payload| {
            quietly(move || drop(payload));
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
            let clock = clock.or(state.lead.last).unwrap_or_else(now);
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
            quietly(move || drop(own));
        }
        more
    }

    pub(super) fn wake_driver(&self) {
        let driver = self.lock().driver.clone();
        driver.wake();
    }
}
