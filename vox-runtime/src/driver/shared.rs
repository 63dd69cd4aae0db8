//! The shared state of one session, and the only way to change it.

mod awaiting;
mod choosing_dispatcher;
mod deferring;
mod failing;
mod inline_reading;
mod looking_at_pins;
mod memory;
mod new_link;
mod observing;
mod readers;
mod refusal_count;
mod replying;
mod watched;
mod writing;

pub(crate) use observing::observe;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::task::Waker;
use std::time::Instant;

use tokio::runtime::{Handle, RuntimeFlavor};

use super::inline_reader::ReadWaker;
use super::operation_runner::OperationRunner;
use super::part_reader::memory;
use super::peer::Peer;
use super::reading::Reader;
use super::router::Router;
use super::state::{Flush, State};
use super::sync::{Mutex as Lock, MutexGuard};
use super::writer::Writer;
use crate::catch_panic::catch_panic;
use crate::limits::Limits;
use crate::proto::{PeerClock, Session};
use crate::wire::Ticket;

/// Tells one session of this process from another.
static SESSIONS: AtomicU64 = AtomicU64::new(0);

/// One session, as everything that belongs to it sees it.
pub(crate) struct Shared {
    pub(super) state: Lock<State>,
    pub(super) reader: Lock<Reader>,
    /// What the link wakes when there is something to read.
    pub(super) watch_waker: Waker,
    pub(super) watch: Arc<ReadWaker>,
    pub(crate) router: Router,
    pub(crate) limits: Arc<Limits>,
    pub(crate) peer: Peer,
    pub(super) peer_clock: Mutex<PeerClock>,
    /// The longest payload, and the most channels in one call, that the peer takes.
    pub(crate) max_payload: usize,
    /// The most memory that the peer lets one message decode to.
    pub(crate) max_decoded: usize,
    pub(crate) max_channels: usize,
    pub(super) number: u64,
    /// Which of the session's tasks is in charge: the first, or the one that took over from one that was held up. Changed under the
    /// lock of the state.
    pub(super) charge: AtomicU64,
    /// The last task that was made to take over.
    pub(super) relief: AtomicU64,
    /// How many turns its tasks have had.
    pub(super) turns: AtomicU64,
    /// Another task can take over, for the runtime has other threads.
    pub(super) is_watched: bool,
    /// Where the session's task is.
    pub(super) runtime: Handle,
    /// Handlers may have to wait: see `state/suspending.rs`.
    pub(super) may_suspend: AtomicBool,
    /// Operations that are known within this session only.
    pub(super) operations: OnceLock<Arc<OperationRunner>>,
    /// What this end shows to get the session a new link, if it connected.
    pub(super) ticket: Option<Box<Mutex<Ticket>>>,
    /// Itself, for the tasks that it spawns.
    pub(super) this: Weak<Self>,
}

impl Shared {
    pub(super) fn new(
        mut session: Session,
        writer: Box<Writer>,
        reader: Reader,
        router: Router,
        limits: Arc<Limits>,
        (peer, peer_time): (Peer, u64),
        ticket: Option<Box<Mutex<Ticket>>>,
    ) -> Arc<Self> {
        let (max_payload, max_decoded) = (session.max_payload(), session.max_decoded());
        let max_channels = session.max_channels();
        session.puts_together_in(memory());
        let watch = ReadWaker::new();
        let state = State::new(session, writer, Arc::clone(&watch));
        let runtime = Handle::current();
        let shared = Arc::new_cyclic(|this| Self {
            this: Weak::clone(this),
            state: Lock::new(state),
            reader: Lock::new(reader),
            watch_waker: Waker::from(Arc::clone(&watch)),
            watch,
            router,
            limits,
            peer,
            peer_clock: PeerClock::told(peer_time, Instant::now()).into(),
            max_payload,
            max_decoded,
            max_channels,
            number: SESSIONS.fetch_add(1, Ordering::Relaxed),
            charge: AtomicU64::new(0),
            relief: AtomicU64::new(0),
            turns: AtomicU64::new(0),
            is_watched: runtime.runtime_flavor() != RuntimeFlavor::CurrentThread,
            runtime,
            may_suspend: AtomicBool::new(false),
            operations: OnceLock::new(),
            ticket,
        });
        shared.be_watched();
        shared
    }

    /// The state, with all that was sent. A panic under this lock is a fault of ours, which ends the session: what comes after finds one that
    /// has ended.
    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(|poisoned| self.end_by_fault(poisoned.into_inner()));
        if !state.runs.is_empty() {
            state.gather_up();
        }
        state
    }

    /// Changes the state, then does what the change asks for: wakes, aborts, writes.
    pub(crate) fn with<R>(&self, flush: impl FnOnce(&State) -> Flush, change: impl FnOnce(&mut State) -> R) -> R {
        let unwinding = Unwinding(self);
        let mut state = self.lock();
        let result = change(&mut state);
        state.settle(&self.router);
        let writer = match state.may_write() && flush(&state) == Flush::Here {
            true => state.begin_write(),
            false => {
                state.poke_driver();
                None
            }
        };
        let deferred = state.deferred.take();
        drop(state);
        std::mem::forget(unwinding);
        // First: nobody else writes meanwhile.
        if let Some(writer) = writer {
            self.write(writer);
        }
        if let Some(deferred) = deferred {
            self.run_deferred(deferred);
        }
        result
    }

    /// As [`with`](Self::with), leaving the writing to the driver.
    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        self.with(|_| Flush::Driver, change)
    }
}

/// Looks after the session where a change of it panics. Forgotten, where it does not.
struct Unwinding<'a>(&'a Shared);

impl Drop for Unwinding<'_> {
    fn drop(&mut self) {
        catch_panic(|| drop(self.0.lock()));
    }
}
