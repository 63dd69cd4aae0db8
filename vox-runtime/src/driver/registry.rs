//! The sessions that a server would give a new link, and what their peers must show for it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use blake3::Hash;

use super::pending_resumes::{Claimant, Claimants};
use super::shared::Shared;
use crate::operation::Principal;
use crate::proto::{ClaimRound, Secrets};
use crate::wire::{Secret, SessionId, Ticket};

/// The sessions of one server that can be resumed. As many as the server has sessions.
#[derive(Default)]
pub(crate) struct Registry {
    entries: Mutex<BTreeMap<SessionId, Entry>>,
    claimants: Claimants,
}

struct Entry {
    shared: Arc<Shared>,
    /// Hashes of what the peer may hold. They compare in constant time.
    secrets: Secrets<Hash>,
}

/// A session whose peer has shown that it is its own, and is told how to go on.
pub(super) struct Claim {
    pub(super) shared: Arc<Shared>,
    pub(super) secret: Secret,
    session: SessionId,
    /// Another link may be confirmed in between.
    round: ClaimRound,
}

impl Registry {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<SessionId, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers a session under the ticket that its peer was given.
    pub(super) fn insert(&self, ticket: &Ticket, shared: &Arc<Shared>) {
        let entry = Entry { shared: Arc::clone(shared), secrets: Secrets::new(ticket.secret.hash()) };
        self.lock().insert(ticket.session, entry);
    }

    /// Forgets a session.
    pub(crate) fn remove(&self, session: SessionId) {
        self.lock().remove(&session);
    }

    /// A place for a link whose peer shows this ticket. `None`, whatever is wrong with the ticket: nobody else is asked about who the peer is.
    pub(super) fn come(&self, ticket: &Ticket) -> Option<Claimant> {
        // Hashed in any case.
        let shown = ticket.secret.hash();
        let is_known = self.lock().get(&ticket.session).is_some_and(|entry| entry.secrets.knows(&shown));
        is_known.then(|| self.claimants.enter(ticket.session))
    }

    /// Claims a session. `None`, whatever is wrong with the ticket or with who shows it.
    pub(super) fn claim(&self, ticket: &Ticket, principal: &Principal) -> Option<Claim> {
        let secret = new_secret()?;
        // Hashed in any case.
        let shown = ticket.secret.hash();
        let mut entries = self.lock();
        let entry = entries.get_mut(&ticket.session)?;
        if entry.shared.peer.principal() != principal {
            return None;
        }
        let round = entry.secrets.claim(shown, secret.hash())?;
        Some(Claim { shared: Arc::clone(&entry.shared), secret, session: ticket.session, round })
    }

    /// Whether the link of this claim may still become the session's.
    pub(super) fn stands(&self, claim: &Claim) -> bool {
        self.lock().get(&claim.session).is_some_and(|entry| entry.secrets.stands(claim.round))
    }

    /// The peer has the next secret, so all before are spent. `false`: another link was confirmed first, or is asked for.
    pub(super) fn confirm(&self, claim: &Claim) -> bool {
        let mut entries = self.lock();
        let Some(entry) = entries.get_mut(&claim.session) else { return false };
        entry.secrets.confirm(claim.secret.hash(), claim.round)
    }
}

/// A ticket for a new session. `None` where the system has no random numbers.
pub(super) fn new_ticket() -> Option<Ticket> {
    let mut session = [0; 16];
    getrandom::fill(&mut session).ok()?;
    Some(Ticket { session: SessionId(session), secret: new_secret()? })
}

fn new_secret() -> Option<Secret> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).ok()?;
    Some(Secret(secret))
}
