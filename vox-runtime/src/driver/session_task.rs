//! The session's task: takes turns, each of which reads and hosts ([`super::read_turn`]), writes, and keeps the time.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use tokio::time::Sleep;

use super::blocking_watchdog::{Relievable, has_woken};
use super::clock::now;
use super::method_pace::Handlers;
use super::pinned_buffers::Pins;
use super::shared::Shared;
use super::state::{Flush, State};
use super::sync::MutexGuard;
use crate::catch_panic::catch_panic;
use crate::error::EndReason;
use crate::escaped::Escaped;
use crate::proto::earlier;
use crate::transport::Link;

/// How long an ended session waits for its last words to be read, and while it writes them, for a link that takes nothing.
const LINGER: Duration = Duration::from_secs(1);
/// How long an ended session may take in all to write what it had accepted.
pub(crate) const LAST_WORDS: Duration = Duration::from_secs(10);

/// The task of one session. Ends when the session has ended and its last words are written.
pub(super) struct Driver {
    pub(super) shared: Arc<Shared>,
    pub(super) handlers: Handlers,
    sleep: Pin<Box<Sleep>>,
    /// The task's own, as everybody else knows it.
    waker: Waker,
    /// The timer may know another waker.
    waker_is_new: bool,
    /// The session has ended.
    over: bool,
    /// Until when its last words may take.
    lingering: Option<Instant>,
    /// When it ended.
    ended: Option<Instant>,
    shut_down: bool,
    /// The number of the link that this reads.
    link: u64,
    /// The turn is not over, and what has come meanwhile is read first.
    reads_again: bool,
    /// Which of the session's tasks this is. It is in charge until there is a later one.
    charge: u64,
    /// It has just taken charge: whatever it finds in the reader is to be handled, though nothing new is read.
    pub(super) is_fresh: bool,
    /// The last turn was over before all that was read was handled.
    pub(super) has_more: bool,
    /// The last turn left an acknowledgement unwritten, for it was alone. This turn writes it.
    has_put_off_an_ack: bool,
    /// This turn leaves one unwritten.
    pub(super) puts_off_acks: bool,
    /// There was more to do than others are to wait for.
    is_behind: bool,
}

impl Driver {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            handlers: Handlers::default(),
            sleep: Box::pin(tokio::time::sleep(Duration::ZERO)),
            waker: Waker::noop().clone(),
            waker_is_new: true,
            over: false,
            lingering: None,
            ended: None,
            shut_down: false,
            link: 0,
            reads_again: false,
            charge: 0,
            is_fresh: false,
            has_more: false,
            has_put_off_an_ack: false,
            puts_off_acks: false,
            is_behind: false,
        }
    }

    /// Whether another task has the session.
    #[inline]
    pub(super) fn is_relieved(&self) -> bool {
        self.shared.charge.load(Ordering::Acquire) != self.charge
    }

    /// Takes charge of the session. `false`: there is nothing to take charge of.
    fn take_charge(&mut self, waker: &Waker) -> bool {
        let mut state = self.shared.lock();
        if state.over || self.shared.charge.load(Ordering::Acquire) + 1 != self.charge {
            return false;
        }
        self.shared.charge.store(self.charge, Ordering::Release);
        self.link = state.wake_plan.known_link();
        let before = state.wake_plan.on_charge(waker);
        drop(state);
        let peer = Escaped::new(self.shared.peer.address());
        catch_panic(|| tracing::debug!(%peer, "a handler blocks its thread: another has the session"));
        before.wake();
        true
    }

    /// Another task has the session: leaves it what is known of the methods.
    fn hand_over(&mut self) {
        self.handlers.note_held_up();
        let mut state = self.shared.lock();
        let before = match self.handlers.is_in_stead() {
            true => None,
            false => state.left.replace(std::mem::take(&mut self.handlers)),
        };
        // This may have taken up a link meanwhile, which nobody has read yet.
        let driver = state.wake_plan.on_missed();
        drop(state);
        drop(before);
        driver.wake();
    }

    /// Makes the task's waker known, where it is another than before. `false`: another task has the session.
    fn begin_turn(&mut self, waker: &Waker) -> bool {
        if self.is_relieved() && !(self.is_fresh && self.take_charge(waker)) {
            return false;
        }
        has_woken(false);
        self.puts_off_acks = !std::mem::take(&mut self.has_put_off_an_ack);
        let turns = &self.shared.turns;
        turns.store(turns.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        if self.waker.will_wake(waker) {
            return true;
        }
        self.waker = waker.clone();
        self.waker_is_new = true;
        {
            let mut state = self.shared.lock();
            if self.is_relieved() {
                return false;
            }
            state.wake_plan.on_waker(waker);
        }
        self.shared.watch.set_driver(waker);
        true
    }

    /// Lets go of a link that the session has no longer, and takes up the next, if there is one.
    fn follow_link(&mut self) {
        let next = {
            let mut state = self.shared.lock();
            self.link = state.link.number;
            state.wake_plan.on_link(self.link);
            state.link.next.take()
        };
        let Some(next) = next else {
            self.shared.read_from(None, self.link);
            self.shared.write_nowhere(self.link);
            return;
        };
        let Link { read, write, .. } = *next;
        self.shared.read_from(Some(read), self.link);
        self.shared.write_to(write, self.link);
        self.shared.change(|state| {
            if state.link.number == self.link {
                state.wake_plan.on_link_up();
            }
        });
    }

    /// Writes what there is to write, looks at what others left, and sets the timer. `true`: there is something to
    /// do at once.
    fn end_turn(&mut self, cx: &mut Context<'_>) -> bool {
        let Self { shared, sleep, lingering, handlers, puts_off_acks, .. } = self;
        let (mut state, wrote) = flush(shared, *puts_off_acks);
        if shared.charge.load(Ordering::Acquire) != self.charge {
            return true;
        }
        if let Some(left) = state.left.take() {
            *handlers = left;
        }
        if state.link.number != self.link {
            drop(state);
            self.follow_link();
            cx.waker().wake_by_ref();
            return false;
        }
        if state.has_left() {
            self.is_behind = true;
            cx.waker().wake_by_ref();
            return false;
        }
        let over = state.session.end_reason().is_some();
        if over && (wrote || lingering.is_none()) {
            self.over = true;
            drop(state);
            self.linger();
            return true;
        }
        if state.wake_plan.on_timer(|| sleep.is_elapsed()) || state.wake_plan.has_failed() {
            drop(state);
            self.handle_due();
            return true;
        }
        if wrote && state.session.has_long() && state.may_write() {
            // Long messages are written a few parts at a time, and what came meanwhile is read in between.
            drop(state);
            self.reads_again = true;
            return true;
        }
        if !self.has_more
            && let Some(waiting) = state.next_request()
        {
            drop(state);
            self.host_waiting(waiting, cx);
            return true;
        }
        if state.reads_on() {
            (self.is_fresh, self.reads_again) = (true, true);
            return true;
        }
        if state.may_write() && *puts_off_acks && state.session.owes_an_ack_alone() && state.wake_plan.on_turn_end() {
            self.has_put_off_an_ack = true;
            // All others that are ready, the future that the runtime blocks on too, have their turn first.
            let _pending = pin!(tokio::task::yield_now()).poll(cx);
            return false;
        }
        if state.may_write() || !state.wake_plan.on_turn_end() {
            return true;
        }
        let watched = lingering.is_some() || state.wake_plan.stalled().is_some() || self.waker_is_new;
        if !watched && state.is_armed_in_time() {
            return false;
        }
        let due = earlier(earlier(state.next_timeout(), state.stall_due(&shared.limits)), *lingering);
        let Some(due) = due else { return false };
        // A timer that is set too early fires for nothing once; setting it anew for every frame would cost more.
        let set = state.wake_plan.on_due(due);
        if set {
            sleep.as_mut().reset(due.into());
        }
        // Set, it wakes the task that polled it last; it need not be polled again for the same waker.
        // Whatever this turn has used up of the task's budget: a timer that puts off being polled has no waker.
        let poll = |sleep: Pin<&mut Sleep>, cx: &mut Context<'_>| pin!(tokio::task::unconstrained(sleep)).poll(cx);
        if (set || std::mem::take(&mut self.waker_is_new)) && poll(sleep.as_mut(), cx).is_ready() {
            state.wake_plan.on_turn();
            return true;
        }
        false
    }

    /// Sees to what is due, and to a link that broke.
    fn handle_due(&self) {
        let now = now();
        let shared = &self.shared;
        if shared.lock().session.has_pins_to_look_at(now) {
            shared.look_at_pins();
        }
        shared.change(|state| {
            if let Some(error) = state.wake_plan.take_error() {
                state.session.link_lost(now, EndReason::LinkLost(error.to_string().into()));
            }
            if state.stall_due(&shared.limits).is_some_and(|due| due <= now) {
                state.wake_plan.on_stall_due();
                state.session.link_lost(now, EndReason::WriteStalled);
            }
            if state.next_timeout().is_some_and(|at| at <= now) {
                state.session.handle_timeout(now);
                state.expire_queue(now);
                state.lose_patience(now);
                state.look_at_uploads(now);
            }
            state.check_inline_reader(now);
        });
    }

    /// The session has ended, or has written its last words: hears the peer out for a moment from now.
    fn linger(&mut self) {
        let now = now();
        let latest = *self.ended.get_or_insert(now) + LAST_WORDS;
        self.lingering = Some(latest.min(now + LINGER));
    }

    /// Whether there is more time, since the link took something not long ago.
    fn linger_on(&mut self) -> bool {
        let (Some(ended), Some(stalled)) = (self.ended, self.shared.lock().wake_plan.stalled()) else { return false };
        let until = (ended + LAST_WORDS).min(stalled + LINGER);
        self.lingering = Some(until);
        until > now()
    }

    /// The session has ended: says the last words, closes the link, and hears the peer out for a moment so that
    /// the words are not lost to a reset.
    fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.lingering.is_none_or(|until| now() >= until) && !self.linger_on() {
            return Poll::Ready(());
        }
        let writer = {
            let mut state = self.shared.lock();
            if state.wake_plan.has_stopped() && !self.shut_down { state.writer.take() } else { None }
        };
        if let Some(mut writer) = writer {
            self.shut_down = writer.poll_shutdown(cx).is_ready();
            self.shared.lock().writer = Some(writer);
        }
        if self.shut_down && self.shared.reader().is_deaf() {
            return Poll::Ready(());
        }
        let _over = self.shared.reader().clear();
        Poll::Pending
    }
}

impl Relievable for Shared {
    fn turns(&self) -> u64 {
        self.turns.load(Ordering::Relaxed)
    }

    fn relieve(self: Arc<Self>, is_first: bool) {
        let (is_awake, is_over) = {
            let state = self.lock();
            (state.driver_is_awake(), state.over)
        };
        if is_over {
            return;
        }
        if !is_awake {
            if is_first {
                // The task is not held up. But the blocked thread may be the one that looked at sockets and timers: this wakes another.
                self.runtime.spawn(std::future::ready(()));
            }
            return;
        }
        let charge = self.charge.load(Ordering::Acquire) + 1;
        // One at a time, however many threads are blocked and for how long.
        if self.relief.swap(charge, Ordering::AcqRel) == charge {
            return;
        }
        let _runtime = self.runtime.enter();
        let mut relief = Driver::new(Arc::clone(&self));
        (relief.handlers, relief.charge, relief.is_fresh) = (Handlers::in_stead(), charge, true);
        tokio::spawn(relief);
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        catch_unwind(AssertUnwindSafe(|| this.poll_turn(cx))).unwrap_or_else(|payload| {
            catch_panic(move || drop(payload));
            this.shared.fail();
            Poll::Ready(())
        })
    }
}

impl Driver {
    #[inline]
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.begin_turn(cx.waker()) {
            self.hand_over();
            return Poll::Ready(());
        }
        if std::mem::take(&mut self.is_behind) {
            self.shared.change(|state| state.session.go_on());
        }
        if self.read_turn(cx) {
            cx.waker().wake_by_ref();
        }
        loop {
            if self.is_relieved() {
                self.hand_over();
                return Poll::Ready(());
            }
            if self.over && self.poll_over(cx).is_ready() {
                return Poll::Ready(());
            }
            if !self.end_turn(cx) {
                return Poll::Pending;
            }
            if std::mem::take(&mut self.reads_again) && self.read_turn(cx) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if self.is_relieved() {
            return;
        }
        // The runtime went down under it, or it is done: either way nobody may wait for it any more. What was accepted leaves now, as far as
        // the link takes it at once: it is of no use to the peer to wait for a session that will never be resumed.
        let shared = &self.shared;
        let reason = EndReason::LinkLost("the session's task ended".into());
        shared.with(|_| Flush::Here, |state| state.session.desert(reason, "its runtime has ended"));
        while shared.with(|_| Flush::Here, State::may_write) {}
        shared.change(|state| {
            state.settle_all(&shared.router);
            state.finish();
        });
        // Handles may be kept for long after; the link, which the peer watches, is not.
        let mut reader = self.shared.reader();
        let _over = reader.change(None, self.link);
        reader.pins = Pins::default();
        drop(reader);
        let link = self.shared.lock().writer.take();
        catch_panic(move || drop(link));
    }
}

/// Writes what there is to write, and says whether there was something. `puts_off_acks`: not an acknowledgement that is alone. Those who
/// take what it is for have their turn first, and what they send leaves with it.
pub(super) fn flush(shared: &Shared, puts_off_acks: bool) -> (MutexGuard<'_, State>, bool) {
    let mut state = shared.lock();
    state.wake_plan.on_turn();
    if !state.may_write() && !state.wake_plan.is_blocked() {
        return (state, false);
    }
    if puts_off_acks && state.wake_plan.is_idle() && state.session.owes_an_ack_alone() {
        return (state, false);
    }
    let Some(mut writer) = state.begin_write() else { return (state, false) };
    writer.begin_turn();
    drop(state);
    let state = shared.write_all(writer);
    // The other end, where it is in this process.
    has_woken(true);
    let wrote = !state.wake_plan.is_blocked();
    (state, wrote)
}
