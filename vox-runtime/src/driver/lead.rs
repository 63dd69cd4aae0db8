//! A lone call that reads its reply itself.
//!
//! Whoever reads the link is woken by the same waker, [`Watch`]. It passes the wake on to the session's task or, where
//! one call is all that is going on in the session, to that call, which *leads*: it reads the link in its own task, and
//! its reply takes no way round by the session's.
//!
//! A future need not be polled when it is woken. So calls lead only while they follow on one another closely, and meanwhile
//! the session's task looks in every [`LEAD_WATCH`]: a call that still leads by then no longer does. Whatever the peer sent
//! waits for that long at most.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};

use super::reading::{READS_PER_TURN, Read};
use super::shared::{Shared, State, Waiter};
use super::writer::now;
use crate::proto::Token;

/// A call leads where the one before it was made no longer ago than this.
const LEAD_PACE: Duration = Duration::from_millis(1);
/// How long a call leads at most, twice, before the session's task reads again.
const LEAD_WATCH: Duration = Duration::from_millis(2);
/// How many calls do not lead after one that kept the link waiting.
const LEAD_PENALTY: u32 = 1024;

/// Who is woken when the link has something to read.
pub(super) struct Watch {
    slot: Mutex<Slot>,
}

struct Slot {
    driver: Waker,
    /// The call that reads.
    leader: Option<(Token, Waker)>,
    /// The leader was woken, and nobody has read since.
    owed: bool,
}

/// Whether calls lead just now. Guarded with the rest of the state.
#[derive(Default)]
pub(super) struct Lead {
    /// The call that does.
    by: Option<Token>,
    /// When the last call was made.
    last: Option<Instant>,
    /// When the session's task looks in next.
    pub(super) due: Option<Instant>,
    /// How many calls have led since it did.
    led: u32,
    /// How many calls must not.
    penalty: u32,
}

impl Watch {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { slot: Mutex::new(Slot { driver: Waker::noop().clone(), leader: None, owed: false }) })
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session's task has another waker.
    pub(super) fn set_driver(&self, waker: &Waker) {
        self.slot().driver = waker.clone();
    }

    fn begin(&self, token: Token, waker: &Waker) {
        self.slot().leader = Some((token, waker.clone()));
    }

    /// Nobody leads any more. The session's task, if it has to read what the leader has not.
    fn end(&self) -> Option<Waker> {
        let mut slot = self.slot();
        slot.leader = None;
        std::mem::take(&mut slot.owed).then(|| slot.driver.clone())
    }

    /// Whether the call has to read. From now on `waker` is woken for it.
    fn take_owed(&self, token: Token, waker: &Waker) -> bool {
        let mut slot = self.slot();
        let Slot { leader: Some((leader, known)), owed, .. } = &mut *slot else { return false };
        if *leader != token {
            return false;
        }
        known.clone_from(waker);
        std::mem::take(owed)
    }
}

impl Wake for Watch {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let waker = {
            let mut slot = self.slot();
            let Slot { driver, leader, owed } = &mut *slot;
            *owed |= leader.is_some();
            leader.as_ref().map_or(&*driver, |(_, waker)| waker).clone()
        };
        waker.wake();
    }
}

impl State {
    /// A call has been made. It leads if that is worth while and nothing else goes on in the session.
    pub(crate) fn may_lead(&mut self, now: Instant, token: Token, waker: &Waker) -> bool {
        let since = self.lead.last.replace(now).map(|last| now.saturating_duration_since(last));
        if self.lead.by.is_some() {
            self.stop_leading();
        }
        if since.is_none_or(|since| since > LEAD_PACE) || self.driver_awake || !self.is_quiet() {
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
        self.watch.begin(token, waker);
        true
    }

    /// Whether nothing goes on but one call.
    fn is_quiet(&self) -> bool {
        self.waiters.len() == 1
            && self.endpoints.is_empty()
            && self.opens.is_empty()
            && self.session.handlers_running() == 0
    }

    /// The call no longer leads, if one does: the session's task reads.
    pub(crate) fn stop_leading(&mut self) {
        if self.lead.by.take().is_some() {
            self.after.wakes.extend(self.watch.end());
        }
    }

    /// The call is over. The session's task, if it is to be woken for that.
    pub(crate) fn end_lead(&mut self, token: Token) -> Option<Waker> {
        if self.lead.by != Some(token) {
            return None;
        }
        self.lead.by = None;
        self.watch.end()
    }

    /// The call is let go of.
    pub(crate) fn call_over(&mut self, token: Token) {
        let wake = self.end_lead(token);
        self.after.wakes.extend(wake);
    }

    /// The session's task looks in on who leads, when that is due.
    pub(super) fn look_in(&mut self, now: Instant) {
        if self.lead.due.is_none_or(|due| now < due) {
            return;
        }
        let led = std::mem::take(&mut self.lead.led);
        self.lead.due = if led > 0 { now.checked_add(LEAD_WATCH) } else { None };
        if led == 0 && self.lead.by.is_some() {
            // It has led all the while.
            let wakes = self.after.wakes.len();
            self.stop_leading();
            if self.after.wakes.len() > wakes {
                self.lead.penalty = LEAD_PENALTY;
            }
        }
    }
}

impl Shared {
    /// Reads the link for the call that leads, if it was woken to.
    pub(crate) fn read_for(&self, token: Token, waker: &Waker) {
        if !self.watch.take_owed(token, waker) {
            return;
        }
        let Some(mut reader) = self.try_reader() else {
            // The session's task reads, and may be past its last look.
            let driver = self.lock().driver.clone();
            return driver.wake();
        };
        let mut cx = Context::from_waker(&self.watch_waker);
        for turn in 0..READS_PER_TURN {
            match reader.read(turn, &mut cx) {
                Read::Some => {
                    let mut more = true;
                    while more {
                        let clock = now();
                        more = self.change(|state| {
                            // Not woken for its own reply.
                            let own = state.waiters.get_mut(token).and_then(Waiter::take_waker);
                            let more = reader.handle_frames(state, clock, self.limits.max_message_bytes);
                            state.settle(&self.router);
                            if let (Some(Waiter::Waiting(waker)), Some(own)) = (state.waiters.get_mut(token), own) {
                                *waker = Some(own);
                            }
                            more
                        });
                    }
                }
                Read::Nothing => return,
                Read::Lost(reason) => return self.link_ended(reader.link(), reason),
            }
        }
        drop(reader);
        let driver = self.lock().driver.clone();
        driver.wake();
    }
}
