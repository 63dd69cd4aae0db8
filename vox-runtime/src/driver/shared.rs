//! The state of one session, and the only way to change it.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};
use std::task::Waker;
use std::time::Instant;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::AbortHandle;

use super::accounts::Seat;
use super::chosen::ChosenTable;
use super::deferred::{Deferred, LogEvent, OperationEvent};
use super::endpoint::Endpoint;
use super::fault::Unwinding;
use super::handlers::Handlers;
use super::inline_reader::{InlineReader, ReadWaker};
use super::link_state::LinkState;
use super::long_part::memory;
use super::memory::Suspended;
use super::operation_runner::OperationRunner;
use super::patience::Patience;
use super::queue::Queue;
use super::reading::Reader;
use super::redial::Redial;
use super::refusing::Refusing;
use super::router::Router;
use super::runs::Runs;
use super::slab::Slab;
use super::writer::{Writer, Writing};
use crate::error::{EndReason, Refusal, Short};
use crate::ids::{ConnectionId, RequestId};
use crate::limits::{Limits, Refused};
use crate::proto::{CallEnd, HandlerEnd, Output, PeerClock, Request, Session, Token, WaitingRequests, earlier};
use crate::server::Peer;
use crate::wire::Failure;

/// Tells one session of this process from another.
static SESSIONS: AtomicU64 = AtomicU64::new(0);

/// One session, as everything that belongs to it sees it.
pub(crate) struct Shared {
    pub(super) state: Mutex<State>,
    pub(super) reader: Mutex<Reader>,
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
    /// Handlers may have to wait: see [`Suspended`].
    pub(super) may_suspend: AtomicBool,
    /// Operations that are known within this session only.
    pub(super) operations: OnceLock<Arc<OperationRunner>>,
    /// How this end gets the session a new link, if it does.
    pub(super) redial: Option<Box<Redial>>,
    /// Itself, for the tasks that it spawns.
    pub(super) this: Weak<Self>,
}

/// What the lock guards.
pub(crate) struct State {
    pub(crate) session: Session,
    pub(crate) waiters: Slab<Waiter>,
    pub(crate) endpoints: Slab<Endpoint>,
    /// Those who ask for a connection. Most sessions never have any.
    pub(crate) opens: Option<Box<Slab<OpenWaiter>>>,
    /// Senders that have something to send once the outbox has room.
    pub(super) backlogs: Vec<Token>,
    /// What senders gather without the lock.
    pub(super) runs: Runs,
    /// Calls that wait for their turn.
    pub(super) queue: Queue,
    pub(super) next_ticket: u64,
    /// Who waits for a limit to make room. Most sessions never have any.
    pub(super) patience: Option<Box<Patience>>,
    /// No later than the earliest deadline of a call in the queue, or than something is to be said of a channel that waits.
    pub(super) queue_deadline: Option<Instant>,
    /// Handlers that have a task of their own. Many sessions never have any.
    pub(super) tasks: Tasks,
    /// Requests for the driver to host.
    pub(super) requests: WaitingRequests,
    pub(super) writing: Writing,
    /// `None` while somebody writes.
    pub(super) writer: Option<Box<Writer>>,
    pub(super) link: LinkState,
    /// The number of the link that the driver knows of.
    pub(super) known_link: u64,
    /// Somebody else than the driver found the link full. The driver tries again: the wake for it may have come
    /// while that other was still at it.
    pub(super) unwatched: bool,
    /// Since when the link has taken nothing, if it does not.
    pub(super) stalled: Option<Instant>,
    /// Somebody waits for the outbox to shrink, or for what it has of long messages.
    pub(super) outbox_full: bool,
    pub(super) outbox_laden: bool,
    /// The link's own failure, for the driver to take up.
    pub(super) link_error: Option<io::Error>,
    pub(super) driver: Waker,
    /// Which call reads the link itself.
    pub(super) inline_reader: InlineReader,
    pub(super) watch: Arc<ReadWaker>,
    /// The driver is being polled and will look at everything before it sleeps.
    pub(super) driver_awake: bool,
    /// When the driver's timer is set to.
    pub(super) armed: Option<Instant>,
    /// What the task that was relieved knows of methods, for the one in charge.
    pub(super) left: Option<Handlers>,
    /// Who keeps the session open though nothing is open on it.
    pub(crate) holders: usize,
    /// New calls and connections are refused: the server is shutting down.
    pub(super) draining: bool,
    pub(super) suspended: Suspended,
    pub(super) refusing: Refusing,
    /// What was read is left for later.
    pub(super) held_off: bool,
    /// The session's task has ended: its last words are said, or never will be.
    pub(crate) over: bool,
    /// Its place among the sessions of a server, until it ends.
    pub(super) seat: Option<Seat>,
    /// What serves single connections. Most sessions never have any.
    pub(super) chosen: Option<Box<ChosenTable>>,
    /// Who waits for the session's end, or for its last handler.
    pub(super) observers: BTreeMap<u64, Waker>,
    /// What is done once the lock is free.
    pub(crate) deferred: Deferred,
    #[cfg(test)]
    pub(super) trap: Option<super::fault::Trap>,
}

/// What aborts the tasks of handlers.
#[allow(clippy::box_collection, reason = "idle sessions are many")]
pub(super) type Tasks = Option<Box<HashMap<(ConnectionId, RequestId), AbortHandle>>>;

/// A call's waiting end.
#[derive(Debug)]
pub(crate) enum Waiter {
    Waiting(Option<Waker>),
    Done(CallEnd),
}

impl Waiter {
    /// Its waker, for a while in which it is not to be woken.
    pub(super) fn take_waker(&mut self) -> Option<Waker> {
        match self {
            Self::Waiting(waker) => waker.take(),
            Self::Done(_) => None,
        }
    }
}

/// An `open` that waits for its answer.
#[derive(Debug)]
pub(crate) enum OpenWaiter {
    Waiting(Option<Waker>),
    /// Nobody waits any more: an accepted connection is closed at once.
    Abandoned,
    Done(Result<ConnectionId, Refusal>),
}

/// A request to host.
pub(super) struct Next {
    pub(super) request: Request,
    /// No other waits. One that a call reads inline meanwhile the driver finds before its turn ends.
    pub(super) last: bool,
}

/// Who writes what a change put into the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flush {
    /// The one who made the change, here and now.
    Here,
    /// The driver, together with whatever else comes up until then.
    Driver,
}

impl Shared {
    pub(super) fn new(
        mut session: Session,
        writer: Box<Writer>,
        reader: Reader,
        router: Router,
        limits: Arc<Limits>,
        (peer, peer_time): (Peer, u64),
        redial: Option<Box<Redial>>,
    ) -> Arc<Self> {
        let (max_payload, max_decoded) = (session.max_payload(), session.max_decoded());
        let max_channels = session.max_channels();
        session.puts_together_in(memory());
        let watch = ReadWaker::new();
        let state = State {
            session,
            waiters: Slab::default(),
            endpoints: Slab::default(),
            opens: None,
            backlogs: Vec::new(),
            runs: Runs::default(),
            queue: Queue::default(),
            next_ticket: 0,
            patience: None,
            queue_deadline: None,
            tasks: None,
            requests: WaitingRequests::default(),
            writing: Writing::default(),
            writer: Some(writer),
            link: LinkState::default(),
            known_link: 0,
            unwatched: false,
            stalled: None,
            outbox_full: false,
            outbox_laden: false,
            link_error: None,
            driver: Waker::noop().clone(),
            inline_reader: InlineReader::default(),
            watch: Arc::clone(&watch),
            driver_awake: false,
            armed: None,
            left: None,
            holders: 0,
            draining: false,
            suspended: None,
            refusing: Refusing::default(),
            held_off: false,
            over: false,
            seat: None,
            chosen: None,
            observers: BTreeMap::new(),
            deferred: Deferred::default(),
            #[cfg(test)]
            trap: None,
        };
        let runtime = Handle::current();
        let shared = Arc::new_cyclic(|this| Self {
            this: Weak::clone(this),
            state: Mutex::new(state),
            reader: Mutex::new(reader),
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
            redial,
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
            deferred.run(self);
        }
        result
    }

    /// As [`with`](Self::with), leaving the writing to the driver.
    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        self.with(|_| Flush::Driver, change)
    }
}

impl State {
    /// Drains the session.
    #[inline]
    pub(super) fn settle(&mut self, router: &Router) {
        // Most changes ask for nothing.
        if self.session.has_outputs() || self.outbox_full || self.outbox_laden || self.suspended.is_some() {
            self.settle_outputs(router);
        }
    }

    fn settle_outputs(&mut self, router: &Router) {
        let mut room = 0;
        while let Some(output) = self.session.poll_output() {
            self.on_output(output, router, &mut room);
        }
        if room > 0 && !self.queue.is_empty() {
            self.wake_heads(room);
        }
        self.resume_suspended();
        // Not only once it is empty: on a busy link that may be never.
        if self.outbox_full && self.session.outbox_has_room()
            || self.outbox_laden && self.session.outbox_has_long_room()
        {
            // Who still waits says so again.
            (self.outbox_full, self.outbox_laden) = (false, false);
            self.pump_all();
            self.deferred.wakes.extend(self.queue.take_all());
            for endpoint in self.endpoints.iter_mut() {
                if let Some(sender) = endpoint.as_sender() {
                    self.deferred.wakes.append(&mut sender.wakers);
                }
            }
        }
    }

    /// Always part of its one caller: an output is large to pass on. `room` counts what is free again.
    #[inline(always)]
    fn on_output(&mut self, output: Output, router: &Router, room: &mut usize) {
        match output {
            Output::Finish { token, end } => {
                #[cfg(test)]
                self.spring(super::fault::Trap::Finish);
                if let Some(waiter) = self.waiters.get_mut(token)
                    && let Waiter::Waiting(Some(waker)) = std::mem::replace(waiter, Waiter::Done(end))
                {
                    self.deferred.wakes.push(waker);
                }
            }
            Output::Dispatch(request) if self.draining => {
                let busy = HandlerEnd::Failed(Failure::Busy(Short::SHUTTING_DOWN));
                self.requests.pass();
                self.session.handler_ended(request.connection, request.request, busy);
            }
            Output::Dispatch(request) => self.requests.push(request),
            Output::AbortHandler { connection, request, nth } => self.abort(connection, request, nth),
            Output::Withdraw { connection, request, nth, failure, runs_on } => {
                self.withdraw((connection, request, nth), failure, runs_on);
            }
            Output::Acknowledged { operation } => {
                self.deferred.operations.push(OperationEvent::Acknowledged(operation))
            }
            Output::Deliver { token, items } => {
                if let Some(endpoint) = self.endpoints.get_mut(token) {
                    endpoint.touch();
                    if let Some(receiver) = endpoint.as_receiver() {
                        receiver.push(items);
                        self.deferred.wakes.extend(receiver.waker.take());
                    }
                }
            }
            Output::ReceiverEnded { token, end } | Output::SenderEnded { token, end } => {
                if let Some(endpoint) = self.endpoints.get_mut(token) {
                    endpoint.end(end, &mut self.deferred.wakes);
                    self.drop_backlog(token);
                    self.close_run(token);
                }
            }
            Output::GrantPermits { token } => self.on_credit(token),
            Output::Opened { token, result } => self.on_opened(token, result),
            Output::Offered { connection, service, metadata, contract } => {
                self.deferred.notes.push(LogEvent::Offered(connection, service.clone(), metadata.clone()));
                self.on_offered(connection, (service, metadata), contract, router);
            }
            Output::Heard { ours, theirs } => router.heard().keep(ours, &theirs),
            Output::ConnectionEnded { connection } => {
                self.deferred.wakes.extend(self.queue.take_line(connection));
                self.let_go_of_chosen();
                self.wake_observers();
                // Whether the peer still holds the session is not known here, so the end that connected decides:
                // else a client could not close its only connection and open another.
                if self.session.is_initiator() {
                    self.end_if_unused();
                }
            }
            Output::Room => *room += 1,
            Output::LinkDown(reason) => self.on_link_down(reason),
            Output::Refused { what, short } => self.on_refused(what, Some(short)),
            Output::Ended(reason) => {
                if let EndReason::PeerViolation(_) = reason {
                    self.on_refused(Refused::Session, None);
                }
                self.deferred.notes.push(LogEvent::Ended(reason));
                self.deferred.wakes.extend(std::mem::take(&mut self.queue).take_all());
                self.wake_observers();
            }
        }
    }

    fn abort(&mut self, connection: ConnectionId, request: RequestId, nth: u64) {
        if let Some(task) = self.tasks.as_mut().and_then(|tasks| tasks.remove(&(connection, request))) {
            self.deferred.notes.push(LogEvent::Abort(task));
            return;
        }
        // Not started yet: it never will be.
        if self.requests.take(nth).is_some() {
            self.session.handler_ended(connection, request, HandlerEnd::Aborted);
        }
    }

    // ---- the driver ----

    /// When the driver has to look at the time next.
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        earlier(earlier(self.session.poll_timeout(), self.waits_due()), self.inline_reader.due)
    }

    /// Whether the driver's timer fires no later than [`next_timeout`](Self::next_timeout). Says no where that is not
    /// plain at a glance.
    #[inline]
    pub(super) fn is_armed_in_time(&self) -> bool {
        let is_in_time = |due| self.armed.is_some_and(|armed| armed <= due);
        self.inline_reader.due.is_none_or(is_in_time)
            && self.waits_due().is_none_or(is_in_time)
            && self.session.is_due_only_at(is_in_time)
    }

    /// When a link that takes nothing counts as lost. A limit past the end of time is never reached.
    pub(super) fn stall_due(&self, limits: &Limits) -> Option<Instant> {
        self.stalled.filter(|_| self.session.end_reason().is_none())?.checked_add(limits.write_stall)
    }

    #[inline]
    pub(super) fn poke_driver(&mut self) {
        if !self.driver_awake {
            self.poke_sleeping_driver();
        }
    }

    #[inline(never)]
    fn poke_sleeping_driver(&mut self) {
        let is_sooner = |at| self.armed.is_none_or(|armed| at < armed);
        let sooner = !self.is_armed_in_time() && self.next_timeout().is_some_and(is_sooner);
        let relinked = self.link.number != self.known_link;
        let broken = relinked || self.link_error.is_some() || self.session.end_reason().is_some();
        if sooner || broken || self.unwatched || self.may_write() || self.may_host() || self.may_read_on() {
            // Once woken it will look at everything; until then nobody need wake it again.
            self.driver_awake = true;
            self.deferred.wakes.push(self.driver.clone());
        }
    }

    /// Whether the driver is at work and will write what it finds.
    #[inline]
    pub(crate) fn driver_is_awake(&self) -> bool {
        self.driver_awake
    }
}
