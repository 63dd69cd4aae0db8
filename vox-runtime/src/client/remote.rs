//! A peer that can be reached again: the session with it, and the next one when that is lost.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Mutex as TurnMutex;
use tokio_util::sync::CancellationToken;

use super::budget::Budget;
use super::connect_error::ConnectError;
use super::credentials::Introduction;
use crate::descriptor::ServiceDescriptor;
use crate::driver::{Asking, Backoff, Established, Router, Shared, Trials, initiate_at, now};
use crate::error::EndReason;
use crate::limits::Limits;
use crate::metadata::Metadata;
use crate::transport::Reach;

/// A peer, whichever session there is with it.
pub(crate) struct Remote {
    way: Way,
    /// The session there is, or was last.
    session: Mutex<Arc<Shared>>,
    /// Whoever needs a session while there is none makes it, and the others wait for that.
    making: TurnMutex<Trials>,
    round: Mutex<Round>,
    pub(super) budget: Budget,
    /// Its user has closed it: there will be no other session.
    closed: CancellationToken,
}

/// How a session is made.
pub(super) struct Way {
    pub(super) reach: Arc<dyn Reach>,
    pub(super) limits: Arc<Limits>,
    pub(super) router: Router,
    pub(super) introduction: Introduction,
    pub(super) resumes: bool,
    pub(super) backoff: Backoff,
}

/// Those who wait for the next session. They wait together, and are told together when it has taken too long.
#[derive(Default)]
struct Round {
    waiting: usize,
    /// Since when somebody has waited without a break.
    since: Option<Instant>,
    /// How often the wait was given up, and why it was last.
    given_up: u64,
    why: String,
}

/// Somebody's wait for a session.
pub(super) struct Wait<'a> {
    remote: &'a Remote,
    /// How often the wait was given up before.
    given_up: u64,
}

impl Way {
    /// Makes a session, whatever its first link.
    pub(super) async fn connect(
        &self,
        service: Option<(&'static ServiceDescriptor, Metadata)>,
    ) -> Result<Established, ConnectError> {
        let limits = Arc::clone(&self.limits);
        let metadata = self.introduction.make(limits.handshake_timeout).await?;
        let redial = self.resumes.then(|| (Arc::clone(&self.reach), self.backoff, self.introduction.clone()));
        initiate_at(&*self.reach, Asking { limits, router: self.router.clone(), metadata, service, redial }).await
    }
}

impl Remote {
    /// The peer that there is this session with.
    pub(super) fn new(way: Way, shared: Arc<Shared>) -> Arc<Self> {
        Arc::new(Self {
            way,
            session: Mutex::new(shared),
            making: TurnMutex::default(),
            round: Mutex::default(),
            budget: Budget::default(),
            closed: CancellationToken::new(),
        })
    }

    /// Ends the session there is, whoever uses it and since when. None follows it, and whoever waits for one is told.
    pub(super) fn close(&self, reason: &str) {
        self.closed.cancel();
        self.current().change(|state| state.session.goodbye(reason));
    }

    /// The session there is, or was last.
    fn current(&self) -> Arc<Shared> {
        Arc::clone(&self.session.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether a session that ended like this may be followed by another.
    fn may_follow(&self, reason: &EndReason) -> bool {
        match reason {
            EndReason::PeerViolation(_) | EndReason::AccusedByPeer(_) => false,
            EndReason::ClosedHere
            | EndReason::Goodbye(_)
            | EndReason::LinkLost(_)
            | EndReason::Lost(_)
            | EndReason::KeepaliveTimeout
            | EndReason::WriteStalled => !self.closed.is_cancelled(),
        }
    }

    fn round(&self) -> MutexGuard<'_, Round> {
        self.round.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to wait for a session.
    pub(super) fn wait(&self) -> Wait<'_> {
        let mut round = self.round();
        if round.waiting == 0 {
            round.since = Some(now());
        }
        round.waiting += 1;
        Wait { remote: self, given_up: round.given_up }
    }

    /// Tells all who wait that there will be no session, or not for long.
    fn give_up(&self, why: &str) {
        let mut round = self.round();
        round.given_up += 1;
        round.why = why.to_owned();
        // For those who come while others are still being told.
        round.since = Some(now());
    }

    async fn connect(&self) -> Result<(), ConnectError> {
        let Established { shared, .. } = self.way.connect(None).await?;
        *self.session.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&shared);
        // Whoever closed it before that has found only the last one.
        if self.closed.is_cancelled() {
            shared.change(|state| state.session.goodbye("closed meanwhile"));
        }
        Ok(())
    }
}

impl Wait<'_> {
    /// The session there is, or the next one. Waits until there is one; `Err` says why there will be none, or not for long.
    pub(super) async fn session(&self) -> Result<Arc<Shared>, String> {
        tokio::select! {
            biased;
            next = self.next() => next,
            () = self.remote.closed.cancelled() => Err(EndReason::ClosedHere.to_string()),
        }
    }

    async fn next(&self) -> Result<Arc<Shared>, String> {
        let Self { remote, .. } = *self;
        let mut trials = remote.making.lock().await;
        let (backoff, mut why) = (&remote.way.backoff, "the peer was not reached in time".to_owned());
        loop {
            let current = remote.current();
            let (ended, carried) = {
                let state = current.lock();
                (state.session.end_reason().cloned(), state.session.carried())
            };
            match ended {
                None => return Ok(current),
                Some(reason) if !remote.may_follow(&reason) => return Err(reason.to_string()),
                Some(_) => {}
            }
            self.is_given_up()?;
            if trials.lost(backoff, carried) {
                remote.round().since = Some(now());
            }
            if !self.in_time(trials.turn(backoff)).await {
                remote.give_up(&why);
                continue;
            }
            match remote.connect().await {
                Ok(()) => trials.made(0),
                Err(error) => {
                    tracing::debug!(%error, "no new session yet");
                    trials.failed(backoff);
                    why = error.to_string();
                    if !error.passes() {
                        remote.give_up(&why);
                    }
                }
            }
        }
    }

    /// Whether the wait was given up since it began, by whoever was making the session then.
    fn is_given_up(&self) -> Result<(), String> {
        let round = self.remote.round();
        if round.given_up == self.given_up { Ok(()) } else { Err(round.why.clone()) }
    }

    /// Waits for the next turn, unless it comes too late.
    async fn in_time(&self, turn: impl Future<Output = ()>) -> bool {
        let since = self.remote.round().since;
        match since.and_then(|since| since.checked_add(self.remote.way.limits.resume_window)) {
            // A turn that has come is taken in any case: there is one attempt at least.
            Some(until) => tokio::time::timeout_at(until.into(), turn).await.is_ok(),
            None => {
                turn.await;
                true
            }
        }
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.remote.round().waiting -= 1;
    }
}
