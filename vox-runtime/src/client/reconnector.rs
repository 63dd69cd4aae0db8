//! The reconnector: one task for each remote, in the runtime of its session, that keeps the peer reached.
//!
//! The task waits until the session loses its link or ends, and dials until it has a link again, for the same session or for the
//! next. Calls take no part in it: they follow its [`Phase`]. While one waits, the task dials at least about once a second.

mod outage;
mod wanted_connection;

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use self::outage::Task;
use self::wanted_connection::Wishes;
use super::config::ConnectConfig;
use super::phase::Phase;
use super::state::SessionState;
use crate::driver::{CallerHandle, Shared, now};
use crate::error::EndReason;

pub(super) struct Reconnector {
    pub(super) config: ConnectConfig,
    pub(super) phase: watch::Sender<Phase>,
    /// The session there is, or was last.
    session: Mutex<Arc<Shared>>,
    /// Keeps that session open while clients are there, though they have no connection on it yet.
    held: Mutex<Option<CallerHandle>>,
    /// The task is there.
    pub(super) is_running: Mutex<bool>,
    /// The session has no link, as far as the task knows.
    pub(super) is_down: AtomicBool,
    /// How many wait for a session.
    waiting: AtomicUsize,
    /// What the next session is asked for in its handshake.
    pub(super) wishes: Wishes,
    /// Somebody has begun to wait.
    pub(super) nudge: Notify,
    /// When the next is due of those who wait in no runtime, and so have no timer.
    pub(super) alarm: Mutex<Option<Instant>>,
    pub(super) set: Notify,
    /// How often a peer has refused for good; who waited then waits no longer.
    pub(super) refusals: AtomicU64,
    /// Its user has closed it: there will be no other session.
    pub(super) closed: CancellationToken,
    /// The last client is gone: the session lasts while it is needed, and none follows it.
    pub(super) released: CancellationToken,
}

impl Reconnector {
    /// Keeps this session; without `idle`, its task is started.
    pub(super) fn new(config: ConnectConfig, shared: Arc<Shared>, idle: bool) -> Arc<Self> {
        let phase = if idle { Phase::Idle } else { Phase::Up };
        let held = (!idle).then(|| CallerHandle::holding(Arc::clone(&shared)));
        let reconnector = Arc::new(Self {
            config,
            phase: watch::Sender::new(phase),
            session: Mutex::new(shared),
            held: Mutex::new(held),
            is_running: Mutex::new(false),
            is_down: AtomicBool::new(idle),
            waiting: AtomicUsize::new(0),
            wishes: Wishes::default(),
            nudge: Notify::new(),
            alarm: Mutex::default(),
            set: Notify::new(),
            refusals: AtomicU64::new(0),
            closed: CancellationToken::new(),
            released: CancellationToken::new(),
        });
        if !idle {
            // There is a runtime: the session was made in it.
            let _ = reconnector.ensure();
        }
        reconnector
    }

    /// The session there is, or was last.
    pub(super) fn current(&self) -> Arc<Shared> {
        Arc::clone(&lock(&self.session))
    }

    pub(super) fn config(&self) -> &ConnectConfig {
        &self.config
    }

    /// Ends the session there is, for all that use it. None follows it, and those who wait for one are told.
    pub(super) fn close(&self, reason: &str) -> Arc<Shared> {
        self.closed.cancel();
        let current = self.current();
        current.let_go(|state| state.session.goodbye(reason));
        if !*lock(&self.is_running) {
            self.phase.send_replace(Phase::Over(EndReason::ClosedHere));
        }
        current
    }

    /// The last client is gone.
    pub(super) fn release(&self) {
        self.released.cancel();
        drop(lock(&self.held).take());
    }

    /// Somebody waits for the link: the next attempt is soon.
    #[inline]
    pub(super) fn nudge(&self) {
        if self.is_down.load(Ordering::Relaxed) {
            self.nudge.notify_one();
        }
    }

    pub(super) fn phases(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }

    /// How it stands, as users see it.
    pub(super) fn state(&self) -> SessionState {
        let state = SessionState::of(&self.phase.borrow());
        // What the task will find out in a moment.
        match (&state, down(&self.current())) {
            (SessionState::Ended(_), _) => state,
            _ if self.closed.is_cancelled() => SessionState::Ended(EndReason::ClosedHere),
            (SessionState::Connected, Some(Down::Ended(reason))) if !self.may_follow(&reason) => {
                SessionState::Ended(reason)
            }
            (SessionState::Connected, Some(down)) => {
                let last_error = Some(down.reason().to_string());
                SessionState::Reconnecting { since: now(), attempts: 0, last_error }
            }
            _ => state,
        }
    }

    /// Why there is no session just now, if that is so.
    pub(super) fn words(&self) -> Option<String> {
        match &*self.phase.borrow() {
            Phase::Trying(trying) => Some(trying.to_string()),
            Phase::Idle => Some(not_connected_yet(&self.config.target.name())),
            Phase::Up | Phase::Orphaned | Phase::Over(_) => {
                let down = down(&self.current())?;
                Some(format!("no link to {}: {}", self.config.target.name(), down.reason()))
            }
        }
    }

    /// Somebody needs a session, from now on: the next attempt is soon.
    pub(super) fn begin_to_wait(&self) -> Waiting<'_> {
        self.waiting.fetch_add(1, Ordering::AcqRel);
        self.nudge();
        Waiting { reconnector: self, refusals: self.refusals.load(Ordering::Acquire) }
    }

    /// The session there is, or the next one. Waits until there is one; `Err` says why there will be none.
    pub(super) async fn session(self: &Arc<Self>, waiting: &Waiting<'_>) -> Result<Arc<Shared>, String> {
        let mut phases = self.phase.subscribe();
        loop {
            let phase = phases.borrow_and_update().clone();
            match phase {
                Phase::Over(reason) => return Err(reason.to_string()),
                Phase::Trying(trying) if self.refusals.load(Ordering::Acquire) != waiting.refusals => {
                    return Err(trying.why.to_string());
                }
                Phase::Up if down(&self.current()).is_none() => return Ok(self.current()),
                Phase::Up | Phase::Trying(_) => {}
                Phase::Idle | Phase::Orphaned => self.ensure()?,
            }
            if phases.changed().await.is_err() {
                return Err(EndReason::ClosedHere.to_string());
            }
        }
    }

    /// What comes of this, unless the time comes first: by a timer of the runtime that this is polled in or, where it is
    /// polled in none, by the task.
    pub(super) async fn in_time<R>(&self, until: Instant, what: impl Future<Output = R>) -> Option<R> {
        if Handle::try_current().is_ok() {
            return tokio::time::timeout_at(until.into(), what).await.ok();
        }
        let mut phases = self.phase.subscribe();
        let late = async {
            while now() < until {
                self.alarm(until);
                let _ = phases.changed().await;
            }
        };
        tokio::select! {
            biased;
            what = what => Some(what),
            () = late => None,
        }
    }

    /// The task wakes those who follow the phase at that time, or before.
    fn alarm(&self, at: Instant) {
        let mut alarm = lock(&self.alarm);
        if alarm.is_none_or(|alarm| at < alarm || alarm <= now()) {
            *alarm = Some(at);
            self.set.notify_one();
        }
    }

    /// Sees to it that the task is there: starts it in this runtime, where the one before went down.
    fn ensure(self: &Arc<Self>) -> Result<(), String> {
        let mut running = lock(&self.is_running);
        if *running {
            return Ok(());
        }
        let Ok(runtime) = Handle::try_current() else {
            return Err("no tokio runtime here, and the session's is gone".to_owned());
        };
        *running = true;
        drop(running);
        runtime.spawn(Task::new(Arc::clone(self)).run());
        Ok(())
    }

    /// Whether a session that ended like this is followed by another.
    pub(super) fn may_follow(&self, reason: &EndReason) -> bool {
        match reason {
            EndReason::PeerViolation(_) | EndReason::AccusedByPeer(_) => false,
            EndReason::ClosedHere
            | EndReason::Goodbye(_)
            | EndReason::LinkLost(_)
            | EndReason::Lost(_)
            | EndReason::KeepaliveTimeout
            | EndReason::WriteStalled
            | EndReason::InternalFault => !self.closed.is_cancelled() && !self.released.is_cancelled(),
        }
    }

    /// Whether a call waits for a link: for the next session, or in the one that there is.
    pub(super) fn is_waited_for(&self, shared: &Shared) -> bool {
        self.waiting.load(Ordering::Acquire) > 0 || shared.lock().waits_for_anything()
    }

    /// A new session takes the place of the last.
    pub(super) fn adopt_session(&self, shared: Arc<Shared>) {
        let next = CallerHandle::holding(Arc::clone(&shared));
        *lock(&self.session) = Arc::clone(&shared);
        let before = lock(&self.held).replace(next);
        drop(before);
        // One that closed it or let go of it before that has found only the last one.
        if self.released.is_cancelled() {
            drop(lock(&self.held).take());
        }
        if self.closed.is_cancelled() {
            shared.change(|state| state.session.goodbye("closed meanwhile"));
        }
    }
}

/// Why a client that is lazy has no link, before it has dialled.
pub(super) fn not_connected_yet(name: &str) -> String {
    format!("no link to {name}: not connected yet")
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Somebody's wait for a session.
pub(super) struct Waiting<'a> {
    reconnector: &'a Reconnector,
    /// How often a peer had refused for good before.
    refusals: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.reconnector.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Why a session has no link.
pub(super) enum Down {
    /// It waits for another.
    Detached(EndReason),
    Ended(EndReason),
}

impl Down {
    pub(super) fn reason(&self) -> &EndReason {
        match self {
            Self::Detached(reason) | Self::Ended(reason) => reason,
        }
    }
}

pub(super) fn down_of(state: &crate::driver::State) -> Option<Down> {
    match state.session.end_reason() {
        Some(reason) => Some(Down::Ended(reason.clone())),
        None => state.session.detached_by().map(|reason| Down::Detached(reason.clone())),
    }
}

pub(super) fn down(shared: &Shared) -> Option<Down> {
    down_of(&shared.lock())
}
