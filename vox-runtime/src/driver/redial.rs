//! The end that connected gets its session a new link: again and again, until it has one or the session is over.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Mutex as TurnMutex;

use super::backoff::{Backoff, Trials};
use super::connect::{hear, say};
use super::observe::observe;
use super::shared::Shared;
use crate::error::{Refusal, RefusalCode};
use crate::metadata::Metadata;
use crate::transport::{Link, Reach};
use crate::wire::{Greeting, Resume, Resumed, Ticket, VERSION};

/// What it takes to give a session a new link.
pub(crate) struct Redial {
    pub(super) reach: Arc<dyn Reach>,
    pub(super) backoff: Backoff,
    /// Held by whoever makes links.
    pub(super) trials: TurnMutex<Trials>,
    pub(super) metadata: Metadata,
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
            match tokio::time::timeout(shared.limits.handshake_timeout, redial.attempt(&shared)).await {
                Ok(Attempt::Resumed) => return trials.made(carried),
                Ok(Attempt::Over) => return,
                Ok(Attempt::Failed) | Err(_) => trials.failed(&redial.backoff),
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
        let mut link = match self.reach.link().await {
            Ok(link) => link,
            Err(error) => {
                tracing::debug!(%error, "no new link");
                return Attempt::Failed;
            }
        };
        // Without a link nothing is received: the number stays what it is.
        let received = shared.lock().session.received();
        let ticket = self.ticket.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let resume = Resume { versions: (VERSION, VERSION), ticket, received, metadata: self.metadata.clone() };
        if say(&mut link, &Greeting::Resume(resume)).await.is_err() {
            return Attempt::Failed;
        }
        match hear(&mut link.read, &shared.limits).await {
            Ok(Greeting::Resumed(resumed)) => self.confirm(shared, link, resumed).await,
            Ok(Greeting::Rejected(refusal)) if refusal.code == RefusalCode::SessionLost => {
                shared.change(|state| state.session.lost("the peer does not know it any more"));
                Attempt::Over
            }
            Ok(_) | Err(_) => Attempt::Failed,
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
        if say(&mut link, &Greeting::Confirm).await.is_err() {
            return Attempt::Failed;
        }
        match shared.attach(link, resumed.received, || true) {
            Ok(()) => Attempt::Resumed,
            Err(_) => Attempt::Over,
        }
    }
}
