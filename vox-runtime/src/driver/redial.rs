//! The end that connected gets its session a new link. The client's reconnector decides when to try.

use std::sync::{Mutex, PoisonError};

use super::backoff::Missed;
use super::connect_error::ConnectError;
use super::handshake_io::{read_handshake, write_handshake};
use super::shared::Shared;
use crate::error::{Refusal, RefusalCode};
use crate::limits::Limits;
use crate::metadata::Metadata;
use crate::transport::{DialTarget, Failure, Greeter, Link, dial};
use crate::wire::{Greeting, Resume, Resumed, Ticket, VERSION};

/// What an attempt to resume came to.
pub(crate) enum Resumption {
    Resumed,
    /// The session is over.
    Over,
    /// There is no link; says why.
    Failed(String, Missed),
}

/// Dials once for a session that waits for a link.
pub(crate) async fn resume(shared: &Shared, target: &dyn DialTarget, metadata: Metadata) -> Resumption {
    let Some(kept) = &shared.ticket else { return Resumption::Over };
    let bound = shared.limits.handshake_timeout;
    // Without a link nothing is received: the number stays what it is.
    let received = shared.lock().session.received();
    let ticket = kept.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let (versions, time) = ((VERSION, VERSION), shared.router.millis());
    let resume = Resume { versions, ticket, received, time, metadata };
    let resuming = Resuming { resume, limits: &shared.limits, refusal: Mutex::default() };
    match dial(target, bound, &resuming).await {
        Ok((link, resumed)) => match tokio::time::timeout(bound, confirm(shared, kept, link, resumed)).await {
            Ok(resumption) => resumption,
            Err(_) => Resumption::failed(&ConnectError::timeout(bound).at(&target.name())),
        },
        Err(failure) => match (resuming.refusal.into_inner().unwrap_or_else(PoisonError::into_inner), failure) {
            (Some(refusal), _) => {
                shared.change(|state| state.session.lost(&not_resumed(&refusal)));
                Resumption::Over
            }
            (None, Failure::NoLink(error)) => Resumption::Failed(error.to_string(), Missed::NoLink),
            (None, Failure::Greeting(error)) => Resumption::failed(&error),
        },
    }
}

/// Why a session whose resume was refused for good is lost.
fn not_resumed(refusal: &Refusal) -> String {
    match refusal.code {
        RefusalCode::SessionLost => "the peer does not know it any more".to_owned(),
        _ => format!("the peer refused to resume it: {refusal}"),
    }
}

/// Goes on over a link whose other end has the session.
async fn confirm(shared: &Shared, ticket: &Mutex<Ticket>, mut link: Link, resumed: Resumed) -> Resumption {
    let continues = shared.change(|state| state.session.continues_from(resumed.received));
    if !continues {
        let refusal = Refusal::new(RefusalCode::SessionLost, "the streams do not fit together");
        let _ = write_handshake(&mut link, &Greeting::Rejected(refusal)).await;
        return Resumption::Over;
    }
    shared.hear_time(resumed.time);
    // Good from now on, whether or not the confirmation arrives.
    ticket.lock().unwrap_or_else(PoisonError::into_inner).secret = resumed.secret;
    if let Err(error) = write_handshake(&mut link, &Greeting::Confirm).await {
        return Resumption::failed(&error.at(link.address()));
    }
    match shared.attach(link, resumed.received, || true) {
        Ok(()) => Resumption::Resumed,
        Err(_) => Resumption::Over,
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
    /// A peer refused for good. One at another address of the same name may not.
    refusal: Mutex<Option<Refusal>>,
}

impl Greeter for Resuming<'_> {
    type Met = (Link, Resumed);
    type Error = ConnectError;

    async fn greet(&self, mut link: Link) -> Result<(Link, Resumed), ConnectError> {
        let address = link.address().to_owned();
        let answer = async {
            write_handshake(&mut link, &Greeting::Resume(self.resume.clone())).await?;
            read_handshake(&mut link.read, self.limits).await
        };
        match answer.await.map_err(|error| error.at(&address))? {
            Greeting::Resumed(resumed) => Ok((link, resumed)),
            Greeting::Rejected(refusal) => {
                let error = ConnectError::refused(refusal.clone()).at(&address);
                if !error.passes() {
                    *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some(refusal);
                }
                Err(error)
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
