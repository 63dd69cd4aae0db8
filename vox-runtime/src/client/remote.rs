//! A peer that can be reached again: the session with it, and the next one when that is lost.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::Mutex as TurnMutex;

use super::connect::ConnectError;
use crate::driver::{Asking, Backoff, Router, Shared, initiate, now};
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
    /// Whoever needs a session while there is none makes it, and the others wait for that.
    current: TurnMutex<Current>,
    budget: Mutex<u32>,
    /// Its user has closed it: there will be no other session.
    closed: AtomicBool,
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

struct Current {
    shared: Arc<Shared>,
    /// Attempts in a row that failed, and since when.
    failures: u32,
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
        let current = TurnMutex::new(Current { shared, failures: 0, since: None });
        Arc::new(Self { way, current, budget: Mutex::new(BUDGET), closed: AtomicBool::new(false) })
    }

    /// No session follows the one there is.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    /// Whether a session that ended like this may be followed by another.
    pub(super) fn may_follow(&self, reason: &EndReason) -> bool {
        match reason {
            EndReason::PeerViolation(_) | EndReason::AccusedByPeer(_) => false,
            EndReason::ClosedHere
            | EndReason::Goodbye(_)
            | EndReason::LinkLost(_)
            | EndReason::Lost(_)
            | EndReason::KeepaliveTimeout
            | EndReason::WriteStalled => !self.closed.load(Ordering::Relaxed),
        }
    }

    /// The session there is, or the next one. Waits until there is one; `Err` says why there will be none, or not for long.
    pub(super) async fn session(&self) -> Result<Arc<Shared>, String> {
        let mut current = self.current.lock().await;
        loop {
            let ended = current.shared.lock().session.end_reason().cloned();
            match ended {
                None => return Ok(Arc::clone(&current.shared)),
                Some(reason) if !self.may_follow(&reason) => return Err(reason.to_string()),
                Some(_) => {}
            }
            self.way.backoff.wait(current.failures).await;
            let Err(error) = self.connect(&mut current).await else { continue };
            let since = *current.since.get_or_insert_with(now);
            current.failures = current.failures.saturating_add(1);
            let for_good = !passes(&error);
            if for_good || now().saturating_duration_since(since) > self.way.limits.resume_window {
                (current.failures, current.since) = (0, None);
                return Err(error.to_string());
            }
            tracing::debug!(%error, "no new session yet");
        }
    }

    async fn connect(&self, current: &mut Current) -> Result<(), ConnectError> {
        let connecting = async {
            let link = self.way.reach.link().await?;
            initiate(link, self.way.asking(None)).await
        };
        let timeout = self.way.limits.handshake_timeout;
        let established = tokio::time::timeout(timeout, connecting).await.map_err(|_| ConnectError::Timeout)??;
        *current = Current { shared: established.shared, failures: 0, since: None };
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
