//! The reconnector's task, through one outage after the other.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::super::phase::{Phase, Trying};
use super::{Down, Reconnector, down, down_of, lock, not_connected_yet};
use crate::catch_panic::{Contained, catch_panic};
use crate::driver::{
    CallerHandle, ConnectAttempts, ConnectError, Established, Missed, Resumption, Shared, now, observe, resume,
};
use crate::error::EndReason;

/// The task.
pub(super) struct Task {
    reconnector: Arc<Reconnector>,
    over: bool,
}

/// How an outage ended.
enum Outage {
    Over(EndReason),
    /// The session has a link. `true`: it is the one that was there before.
    Back(bool),
}

impl Task {
    /// The task of this reconnector, which has none.
    pub(super) fn new(reconnector: Arc<Reconnector>) -> Self {
        Self { reconnector, over: false }
    }

    /// Runs until there is to be no other session.
    pub(super) async fn run(mut self) {
        let reason = tokio::select! {
            reason = self.keep() => reason,
            never = self.ring() => match never {},
        };
        self.over = true;
        self.reconnector.phase.send_replace(Phase::Over(reason));
    }

    /// Keeps the peer reached until there is to be no other session; says why.
    async fn keep(&self) -> EndReason {
        let reconnector = &self.reconnector;
        // Most sessions lose no link, and hold no memory for it.
        let mut kept: Option<Box<ConnectAttempts>> = None;
        loop {
            let shared = reconnector.current();
            let first = matches!(*reconnector.phase.borrow(), Phase::Idle);
            let down = observe(&shared, down_of).await;
            if let Down::Ended(reason) = &down
                && !reconnector.may_follow(reason)
            {
                return self.end(reason.clone(), &shared);
            }
            let attempts = kept.get_or_insert_default();
            attempts.lost(&reconnector.config.backoff, shared.lock().session.carried());
            let began = now();
            let name = reconnector.config.target.name();
            if !first {
                let (session, reason) = (shared.number(), down.reason());
                catch_panic(
                    || tracing::warn!(address = name, session, %reason, "lost the link to {name}, trying again"),
                );
            }
            reconnector.is_down.store(true, Ordering::Relaxed);
            let why = if first { not_connected_yet(&name) } else { format!("no link to {name}: {}", down.reason()) };
            reconnector.phase.send_replace(Phase::Trying(Trying { since: began, attempts: 0, why: why.into() }));
            drop(shared);
            // Most of the time there is none, and its memory is not held.
            let outage = Box::pin(self.bring_back(attempts)).await;
            reconnector.is_down.store(false, Ordering::Relaxed);
            match outage {
                Outage::Over(reason) => return reason,
                Outage::Back(resumed) => {
                    let (after, session) = (now().saturating_duration_since(began), reconnector.current().number());
                    if !first {
                        catch_panic(|| {
                            tracing::info!(address = name, session, ?after, resumed, "the link to {name} is back")
                        });
                    }
                    reconnector.phase.send_replace(Phase::Up);
                }
            }
        }
    }

    /// The session has ended, and none follows.
    fn end(&self, reason: EndReason, shared: &Shared) -> EndReason {
        if !matches!(reason, EndReason::ClosedHere) {
            let (address, session) = (self.reconnector.config.target.name(), shared.number());
            catch_panic(
                || tracing::warn!(address, session, %reason, "the session with {address} has ended, and none follows it"),
            );
        }
        reason
    }

    /// Dials until the session has a link, or another is there, or none is wanted.
    async fn bring_back(&self, attempts: &mut ConnectAttempts) -> Outage {
        let reconnector = &self.reconnector;
        loop {
            let shared = reconnector.current();
            let ended = match down(&shared) {
                None => return Outage::Back(true),
                Some(Down::Ended(reason)) if !reconnector.may_follow(&reason) => {
                    let closed = reconnector.closed.is_cancelled();
                    return Outage::Over(if closed { EndReason::ClosedHere } else { reason });
                }
                Some(Down::Ended(_)) => true,
                Some(Down::Detached(_)) => false,
            };
            let changed = async {
                if ended {
                    tokio::select! {
                        () = reconnector.closed.cancelled() => {}
                        () = reconnector.released.cancelled() => {}
                    }
                } else {
                    observe(&shared, |state| (!state.waits_for_link()).then_some(())).await;
                }
            };
            let attempt = async {
                self.turn(attempts, &shared).await;
                attempts.begin(&reconnector.config.backoff);
                let (reconnector, shared) = (Arc::clone(reconnector), Arc::clone(&shared));
                match Contained::new(|| Box::pin(attempt(reconnector, shared, ended))).await {
                    Some(attempt) => attempt,
                    None => {
                        Err(Failed { why: "an attempt panicked".to_owned(), passes: true, missed: Missed::NoSession })
                    }
                }
            };
            let made = tokio::select! {
                biased;
                made = attempt => made,
                () = changed => continue,
            };
            match made {
                Ok(Some(Fresh { shared, granted })) => {
                    reconnector.adopt_session(shared);
                    if let Some((wish, handle)) = granted {
                        reconnector.wishes.grant(wish, handle);
                    }
                    attempts.made(0);
                    return Outage::Back(false);
                }
                Ok(None) => {
                    attempts.made(shared.lock().session.carried());
                    // Resumed, or over: that is looked at above.
                }
                Err(failed) => {
                    attempts.failed(&reconnector.config.backoff, failed.missed);
                    self.note(&failed);
                }
            }
        }
    }

    /// Waits until the next attempt may be made; while somebody waits for it, that is soon.
    async fn turn(&self, attempts: &ConnectAttempts, shared: &Shared) {
        while let Some(at) = attempts.due(self.reconnector.is_waited_for(shared)).filter(|at| *at > now()) {
            tokio::select! {
                () = tokio::time::sleep_until(at.into()) => {}
                () = self.reconnector.nudge.notified() => {}
            }
        }
    }

    /// Wakes those who have no timer, as often as it is time. Never ends.
    async fn ring(&self) -> Infallible {
        loop {
            let at = *lock(&self.reconnector.alarm);
            tokio::select! {
                () = until(at) => {
                    lock(&self.reconnector.alarm).take();
                    self.reconnector.phase.send_modify(|_| {});
                }
                () = self.reconnector.set.notified() => {}
            }
        }
    }

    /// An attempt has failed: tells who follows the phase.
    fn note(&self, failed: &Failed) {
        let reconnector = &self.reconnector;
        catch_panic(|| tracing::debug!(address = reconnector.config.target.name(), error = failed.why, "no link yet"));
        if !failed.passes {
            reconnector.refusals.fetch_add(1, Ordering::AcqRel);
        }
        reconnector.phase.send_modify(|phase| {
            if let Phase::Trying(trying) = phase {
                trying.attempts += 1;
                trying.why = failed.why.as_str().into();
            }
        });
    }
}

/// Dials once: a link for the session that there is, or, where that has `ended`, the next session.
async fn attempt(reconnector: Arc<Reconnector>, shared: Arc<Shared>, ended: bool) -> Result<Option<Fresh>, Failed> {
    let config = &reconnector.config;
    if ended {
        return match next_session(&reconnector).await {
            Ok(fresh) => Ok(Some(fresh)),
            Err(error) => Err(Failed { why: error.to_string(), passes: error.passes(), missed: error.missed() }),
        };
    }
    let metadata = match config.introduction.make(config.limits.handshake_timeout).await {
        Ok(metadata) => metadata,
        Err(error) => {
            let error = error.at(&config.target.name());
            return Err(Failed { why: error.to_string(), passes: true, missed: Missed::NoSession });
        }
    };
    match resume(&shared, &*config.target, metadata).await {
        Resumption::Resumed | Resumption::Over => Ok(None),
        Resumption::Failed(why, missed) => Err(Failed { why, passes: true, missed }),
    }
}

/// The next session, and what was wished for along with it.
struct Fresh {
    shared: Arc<Shared>,
    granted: Option<(u64, CallerHandle)>,
}

/// Makes the next session, with the connection that is wished for.
async fn next_session(reconnector: &Reconnector) -> Result<Fresh, ConnectError> {
    let wanted = reconnector.wishes.wanted();
    let service = wanted.as_ref().map(|wanted| wanted.service.clone());
    let made = match (reconnector.config.connect(service).await, &wanted) {
        (Err(error), Some(wanted)) if error.is_refused() => {
            reconnector.wishes.refused(wanted.wish);
            if error.passes() {
                // Who is busy is not asked again at once.
                return Err(error);
            }
            // It may be the service that is refused, and the session is for others too.
            reconnector.config.connect(None).await
        }
        (made, _) => made,
    };
    let Established { shared, connection } = made?;
    let granted = wanted.zip(connection);
    let granted = granted.map(|(wanted, connection)| (wanted.wish, CallerHandle::on(Arc::clone(&shared), connection)));
    Ok(Fresh { shared, granted })
}

/// Why an attempt came to nothing, and whether that may be over before long.
struct Failed {
    why: String,
    passes: bool,
    missed: Missed,
}

impl Drop for Task {
    fn drop(&mut self) {
        *lock(&self.reconnector.is_running) = false;
        if !self.over {
            self.reconnector.is_down.store(true, Ordering::Relaxed);
            self.reconnector.phase.send_replace(Phase::Orphaned);
        }
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
