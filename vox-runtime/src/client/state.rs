//! The state of a session, for users to ask and to watch.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::watch;

use super::phase::Phase;
use crate::driver::{Shared, State, now, observe};
use crate::error::EndReason;

/// How a session stands. Where the peer can be reached again, the sessions that follow one another count as one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionState {
    /// Nobody has needed it yet: it was made with [`Connect::lazy`](crate::Connect::lazy).
    Idle,
    /// It has a link.
    Connected,
    /// It has lost its link, and another is being made. Calls wait, up to their deadline.
    Reconnecting {
        /// Since when.
        since: Instant,
        /// How many attempts have failed since then.
        attempts: u32,
        /// Why the last one failed; before the first, why there is no link.
        last_error: Option<String>,
    },
    /// It has ended, and none follows it.
    Ended(EndReason),
}

impl SessionState {
    pub(super) fn of(phase: &Phase) -> Self {
        match phase {
            Phase::Idle => Self::Idle,
            Phase::Up => Self::Connected,
            Phase::Trying(trying) => Self::Reconnecting {
                since: trying.since,
                attempts: trying.attempts,
                last_error: Some(trying.why.to_string()),
            },
            Phase::Orphaned => Self::Ended(EndReason::LinkLost("the session's runtime is gone".into())),
            Phase::Over(reason) => Self::Ended(reason.clone()),
        }
    }

    /// That of a session that this end makes no links for.
    pub(super) fn alone(state: &State) -> Self {
        match (state.session.end_reason(), state.session.detached_by()) {
            (Some(reason), _) => Self::Ended(reason.clone()),
            (None, Some(reason)) => {
                Self::Reconnecting { since: now(), attempts: 0, last_error: Some(reason.to_string()) }
            }
            (None, None) => Self::Connected,
        }
    }
}

/// Follows how a session stands. It does not keep the session open.
///
/// ```no_run
/// # extern crate vox_runtime as vox;
/// # async fn run() -> Result<(), vox::ConnectError> {
/// let session = vox::Session::connect("tcp://bank.example:9000").await?;
/// let mut watch = session.watch();
/// while let Some(state) = watch.changed().await {
///     println!("{state:?}");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct SessionWatch {
    follows: Follows,
    last: SessionState,
}

enum Follows {
    Phases(watch::Receiver<Phase>),
    Session(Arc<Shared>),
}

impl std::fmt::Debug for Follows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Phases(_) => "a peer",
            Self::Session(_) => "a session",
        })
    }
}

impl SessionWatch {
    pub(super) fn of_peer(phases: watch::Receiver<Phase>) -> Self {
        let last = SessionState::of(&phases.borrow());
        Self { follows: Follows::Phases(phases), last }
    }

    pub(super) fn of_session(shared: Arc<Shared>) -> Self {
        let last = SessionState::alone(&shared.lock());
        Self { follows: Follows::Session(shared), last }
    }

    /// How it stood when it was last looked at.
    pub fn state(&self) -> &SessionState {
        &self.last
    }

    /// Waits until it stands otherwise. A failed attempt to reconnect counts. `None` once it has ended for good and that was
    /// told.
    pub async fn changed(&mut self) -> Option<SessionState> {
        if let SessionState::Ended(_) = self.last
            && let Follows::Session(_) = self.follows
        {
            return None;
        }
        let last = &self.last;
        let next = match &mut self.follows {
            Follows::Phases(phases) => loop {
                let state = SessionState::of(&phases.borrow_and_update());
                if state != *last {
                    break state;
                }
                phases.changed().await.ok()?;
            },
            Follows::Session(shared) => {
                let kind = std::mem::discriminant(last);
                observe(shared, |state| {
                    let state = SessionState::alone(state);
                    (std::mem::discriminant(&state) != kind).then_some(state)
                })
                .await
            }
        };
        self.last = next.clone();
        Some(next)
    }
}
