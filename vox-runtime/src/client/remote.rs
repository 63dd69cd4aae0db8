//! A peer that can be reached again: the session with it, and the next one when that is lost.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::Mutex as TurnMutex;
use tokio_util::sync::CancellationToken;

use super::connect::ConnectError;
use crate::driver::{Asking, Backoff, Established, Router, Shared, Trials, initiate, now};
use crate::error::{EndReason, RefusalCode};
use crate::limits::Limits;
use crate::metadata::Metadata;
use crate::transport::Reach;

/// How many calls whose sessions were lost may be made again, beyond those that were and succeeded: so a call that makes its
/// server fail does not come back for ever. All calls that a session can have in flight, by default.
const BUDGET: u32 = 2048;

/// A peer, whichever session there is with it.
pub(crate) struct Remote {
    way: Way,
    /// The session there is, or was last.
    session: Mutex<Arc<Shared>>,
    /// Whoever needs a session while there is none makes it, and the others wait for that.
    making: TurnMutex<Making>,
    budget: Mutex<u32>,
    /// Its user has closed it: there will be no other session.
    closed: CancellationToken,
}

/// How a session is made.
pub(super) struct Way {
    pub(super) reach: Arc<dyn Reach>,
    pub(super) limits: Limits,
    pub(super) router: Router,
    pub(super) metadata: Metadata,
    pub(super) resumes: bool,
    pub(super) backoff: Backoff,
}

/// Attempts in a row that came to nothing, and since when.
#[derive(Default)]
struct Making {
    trials: Trials,
    since: Option<Instant>,
}

impl Way {
    /// What a handshake brings along.
    pub(super) fn asking(&self, service: Option<(String, Metadata)>) -> Asking {
        Asking {
            limits: self.limits.clone(),
            router: self.router.clone(),
            metadata: self.metadata.clone(),
            service,
            redial: self.resumes.then(|| (Arc::clone(&self.reach), self.backoff)),
        }
    }
}

impl Remote {
    /// The peer that there is this session with.
    pub(super) fn new(way: Way, shared: Arc<Shared>) -> Arc<Self> {
        Arc::new(Self {
            way,
            session: Mutex::new(shared),
            making: TurnMutex::default(),
            budget: Mutex::new(BUDGET),
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

    /// The session there is, or the next one. Waits until there is one; `Err` says why there will be none, or not for long.
    pub(super) async fn session(&self) -> Result<Arc<Shared>, String> {
        tokio::select! {
            biased;
            next = self.next() => next,
            () = self.closed.cancelled() => Err(EndReason::ClosedHere.to_string()),
        }
    }

    async fn next(&self) -> Result<Arc<Shared>, String> {
        let mut making = self.making.lock().await;
        let backoff = &self.way.backoff;
        loop {
            let current = self.current();
            let (ended, carried) = {
                let state = current.lock();
                (state.session.end_reason().cloned(), state.session.carried())
            };
            match ended {
                None => return Ok(current),
                Some(reason) if !self.may_follow(&reason) => return Err(reason.to_string()),
                Some(_) => {}
            }
            if making.trials.lost(backoff, carried) {
                making.since = None;
            }
            making.trials.turn(backoff).await;
            let error = match self.connect().await {
                Ok(()) => {
                    making.trials.made(0);
                    continue;
                }
                Err(error) => error,
            };
            making.trials.failed(backoff);
            let since = *making.since.get_or_insert_with(now);
            let for_good = !passes(&error);
            if for_good || now().saturating_duration_since(since) > self.way.limits.resume_window {
                *making = Making::default();
                return Err(error.to_string());
            }
            tracing::debug!(%error, "no new session yet");
        }
    }

    async fn connect(&self) -> Result<(), ConnectError> {
        let connecting = async {
            let link = self.way.reach.link().await?;
            initiate(link, self.way.asking(None)).await
        };
        let timeout = self.way.limits.handshake_timeout;
        let Established { shared, .. } =
            tokio::time::timeout(timeout, connecting).await.map_err(|_| ConnectError::Timeout)??;
        *self.session.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&shared);
        // Whoever closed it before that has found only the last one.
        if self.closed.is_cancelled() {
            shared.change(|state| state.session.goodbye("closed meanwhile"));
        }
        Ok(())
    }

    /// Takes leave to make a call again that may have run. `false`: too many were.
    pub(super) fn spend(&self) -> bool {
        let mut budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
        let left = budget.checked_sub(1);
        *budget = left.unwrap_or(0);
        left.is_some()
    }

    /// A call that was made again has been answered.
    pub(super) fn refund(&self) {
        let mut budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
        *budget = (*budget + 1).min(BUDGET);
    }
}

/// Whether what kept a session from being made may be over before long.
fn passes(error: &ConnectError) -> bool {
    match error {
        ConnectError::Io(_) | ConnectError::Timeout | ConnectError::Handshake(_) => true,
        ConnectError::Refused(refusal) => matches!(refusal.code, RefusalCode::Busy | RefusalCode::ShuttingDown),
        ConnectError::Address(_) | ConnectError::Service(_) | ConnectError::Metadata(_) => false,
    }
}
