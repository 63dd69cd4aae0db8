//! The end that connected gets its session a new link. When that is tried, the client's keeper decides.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use super::backoff::Missed;
use super::connect::{hear, say};
use super::shared::Shared;
use crate::client::{ConnectError, Introduction};
use crate::error::{Refusal, RefusalCode};
use crate::limits::Limits;
use crate::transport::{Failure, Greeter, Link, Reach, dial};
use crate::wire::{Greeting, Resume, Resumed, Ticket, VERSION};

/// What it takes to give a session a new link.
pub(crate) struct Redial {
    ticket: Mutex<Ticket>,
}

/// What an attempt to resume came to.
pub(crate) enum Resumption {
    Resumed,
    /// The session is over.
    Over,
    /// There is no link; says why.
    Failed(String, Missed),
}

/// Dials once for a session that waits for a link.
pub(crate) async fn resume(shared: &Shared, reach: &dyn Reach, introduction: &Introduction) -> Resumption {
    let Some(redial) = &shared.redial else { return Resumption::Over };
    let bound = shared.limits.handshake_timeout;
    let metadata = match introduction.make(bound).await {
        Ok(metadata) => metadata,
        Err(error) => return Resumption::failed(&error.at(&reach.name())),
    };
    // Without a link nothing is received: the number stays what it is.
    let received = shared.lock().session.received();
    let ticket = redial.ticket.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let (versions, time) = ((VERSION, VERSION), shared.router.millis());
    let resume = Resume { versions, ticket, received, time, metadata };
    let resuming = Resuming { resume, limits: &shared.limits, is_lost: AtomicBool::new(false) };
    match dial(reach, bound, &resuming).await {
        Ok((link, resumed)) => match tokio::time::timeout(bound, redial.confirm(shared, link, resumed)).await {
            Ok(resumption) => resumption,
            Err(_) => Resumption::failed(&ConnectError::timeout(bound).at(&reach.name())),
        },
        Err(_) if resuming.is_lost.into_inner() => {
            shared.change(|state| state.session.lost("the peer does not know it any more"));
            Resumption::Over
        }
        Err(Failure::NoLink(error)) => Resumption::Failed(error.to_string(), Missed::NoLink),
        Err(Failure::Greeting(error)) => Resumption::failed(&error),
    }
}

impl Redial {
    pub(super) fn new(ticket: Ticket) -> Self {
        Self { ticket: Mutex::new(ticket) }
    }

    async fn confirm(&self, shared: &Shared, mut link: Link, resumed: Resumed) -> Resumption {
        let continues = shared.change(|state| state.session.continues_from(resumed.received));
        if !continues {
            let refusal = Refusal::new(RefusalCode::SessionLost, "the streams do not fit together");
            let _ = say(&mut link, &Greeting::Rejected(refusal)).await;
            return Resumption::Over;
        }
        shared.hear_time(resumed.time);
        // Good from now on, whether or not the confirmation arrives.
        self.ticket.lock().unwrap_or_else(PoisonError::into_inner).secret = resumed.secret;
        if let Err(error) = say(&mut link, &Greeting::Confirm).await {
            return Resumption::failed(&error.at(link.address()));
        }
        match shared.attach(link, resumed.received, || true) {
            Ok(()) => Resumption::Resumed,
            Err(_) => Resumption::Over,
        }
    }
}

impl Resumption {
    fn failed(error: &impl std::fmt::Display) -> Self {
        Self::Failed(error.to_string(), Missed::NoSession)
    }
}

/// Asks the peer that answers for the session.
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
