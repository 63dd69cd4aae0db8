//! The end that connected gets its session a new link: again and again, until it has one or the session is over.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Mutex as TurnMutex;

use super::backoff::{Backoff, Trials};
use super::connect::{hear, say};
use super::observe::observe;
use super::shared::Shared;
use crate::client::{ConnectError, Introduction};
use crate::error::{Refusal, RefusalCode};
use crate::limits::Limits;
use crate::transport::{Failure, Greeter, Link, Reach, dial};
use crate::wire::{Greeting, Resume, Resumed, Ticket, VERSION};

/// What it takes to give a session a new link.
pub(crate) struct Redial {
    pub(super) reach: Arc<dyn Reach>,
    pub(super) backoff: Backoff,
    /// Held by whoever makes links.
    pub(super) trials: TurnMutex<Trials>,
    pub(super) introduction: Introduction,
    pub(super) ticket: Mutex<Ticket>,
}

/// What an attempt came to.
enum Attempt {
    Resumed,
    /// There is no link, or not for long.
    Failed,
    /// The session is over.
    Over,
}

/// Tries until the session has a link, or has ended.
pub(super) async fn redial(shared: Arc<Shared>) {
    let Some(redial) = &shared.redial else { return };
    let over = observe(&shared, |state| (!state.waits_for_link()).then_some(()));
    let trying = async {
        let mut trials = redial.trials.lock().await;
        // Without a link nothing is carried: the number stays what it is.
        let carried = shared.lock().session.carried();
        trials.lost(&redial.backoff, carried);
        loop {
            trials.turn(&redial.backoff).await;
            match redial.attempt(&shared).await {
                Attempt::Resumed => return trials.made(carried),
                Attempt::Over => return,
                Attempt::Failed => trials.failed(&redial.backoff),
            }
        }
    };
    tokio::select! {
        biased;
        () = trying => {}
        () = over => {}
    }
}

impl Redial {
    async fn attempt(&self, shared: &Shared) -> Attempt {
        let bound = shared.limits.handshake_timeout;
        let metadata = match self.introduction.make(bound).await {
            Ok(metadata) => metadata,
            Err(error) => return Attempt::failed(&error),
        };
        // Without a link nothing is received: the number stays what it is.
        let received = shared.lock().session.received();
        let ticket = self.ticket.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let resume = Resume { versions: (VERSION, VERSION), ticket, received, metadata };
        let resuming = Resuming { resume, limits: &shared.limits, is_lost: AtomicBool::new(false) };
        match dial(&*self.reach, bound, &resuming).await {
            Ok((link, resumed)) => match tokio::time::timeout(bound, self.confirm(shared, link, resumed)).await {
                Ok(attempt) => attempt,
                Err(_) => Attempt::failed(&ConnectError::timeout(bound)),
            },
            Err(_) if resuming.is_lost.into_inner() => {
                shared.change(|state| state.session.lost("the peer does not know it any more"));
                Attempt::Over
            }
            Err(Failure::NoLink(error)) => Attempt::failed(&error),
            Err(Failure::Greeting(error)) => Attempt::failed(&error),
        }
    }

    async fn confirm(&self, shared: &Shared, mut link: Link, resumed: Resumed) -> Attempt {
        let continues = shared.change(|state| state.session.continues_from(resumed.received));
        if !continues {
            let refusal = Refusal::new(RefusalCode::SessionLost, "the streams do not fit together");
            let _ = say(&mut link, &Greeting::Rejected(refusal)).await;
            return Attempt::Over;
        }
        // Good from now on, whether or not the confirmation arrives.
        self.ticket.lock().unwrap_or_else(PoisonError::into_inner).secret = resumed.secret;
        if let Err(error) = say(&mut link, &Greeting::Confirm).await {
            return Attempt::failed(&error);
        }
        match shared.attach(link, resumed.received, || true) {
            Ok(()) => Attempt::Resumed,
            Err(_) => Attempt::Over,
        }
    }
}

impl Attempt {
    fn failed(error: &impl std::fmt::Display) -> Self {
        tracing::debug!(%error, "no new link");
        Self::Failed
    }
}

/// Asks whoever answers for the session.
struct Resuming<'a> {
    resume: Resume,
    limits: &'a Limits,
    /// A peer does not know the session. One at another address of the same name may.
    is_lost: AtomicBool,
}

impl Greeter for Resuming<'_> {
    type Met = (Link, Resumed);
    type Error = ConnectError;

    async fn greet(&self, mut link: Link) -> Result<(Link, Resumed), ConnectError> {
        let address = link.address().to_owned();
        let answer = async {
            say(&mut link, &Greeting::Resume(self.resume.clone())).await?;
            hear(&mut link.read, self.limits).await
        };
        match answer.await.map_err(|error| error.at(&address))? {
            Greeting::Resumed(resumed) => Ok((link, resumed)),
            Greeting::Rejected(refusal) => {
                if refusal.code == RefusalCode::SessionLost {
                    self.is_lost.store(true, Ordering::Relaxed);
                }
                Err(ConnectError::refused(refusal).at(&address))
            }
            Greeting::Hello(_) | Greeting::Welcome(_) | Greeting::Resume(_) | Greeting::Confirm => {
                Err(ConnectError::handshake("the peer did not say what it should have answered").at(&address))
            }
        }
    }

    fn is_final(&self, _error: &ConnectError) -> bool {
        false
    }
}
