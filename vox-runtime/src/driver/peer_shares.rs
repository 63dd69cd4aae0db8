//! The share of a server that each peer takes. No peer takes more than its share.
//!
//! A peer is a principal where the server asks who its peers are, and else whatever their links have in common: an address, a
//! user of this host, a name. Links of which nothing is known have no account.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::OwnedSemaphorePermit;

use crate::operation::{PeerKey, Principal};
use crate::transport::Party;

/// The accounts of one server. There is one for each peer that has a session, and for as many more as there were others since the
/// table was last tidied.
#[derive(Default)]
pub(crate) struct Accounts {
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    of: BTreeMap<Whose, Weak<Account>>,
    /// When it is this long, those that are gone are taken out.
    tidy_at: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Whose {
    Principal(Principal),
    Party(Party),
}

/// What one peer takes.
pub(crate) struct Account {
    /// Tells it from the others.
    pub(crate) number: u64,
    /// What its records in a store count for. `None` of a principal, which has a share of its own there.
    pub(super) key: Option<PeerKey>,
    sessions: AtomicUsize,
    /// Links that are in their handshake.
    handshakes: AtomicUsize,
    /// Handlers that run on without their callers.
    detached: AtomicUsize,
}

static NUMBERS: AtomicU64 = AtomicU64::new(1);

/// The least number of accounts that are tidied.
const FEW: usize = 64;

impl Accounts {
    /// The account of a peer, if it has one.
    pub(super) fn of(&self, principal: &Principal, party: Option<&Party>) -> Option<Arc<Account>> {
        let whose = match (principal.is_anonymous(), party) {
            (false, _) => Whose::Principal(principal.clone()),
            (true, Some(party)) => Whose::Party(party.clone()),
            (true, None) => return None,
        };
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(account) = table.of.get(&whose).and_then(Weak::upgrade) {
            return Some(account);
        }
        if table.of.len() >= table.tidy_at {
            table.of.retain(|_, account| account.strong_count() > 0);
            table.tidy_at = 2 * table.of.len() + FEW;
        }
        let key = match &whose {
            Whose::Principal(_) => None,
            Whose::Party(party) => Some(PeerKey::new(party.to_string())),
        };
        let account = Arc::new(Account {
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
            key,
            sessions: AtomicUsize::new(0),
            handshakes: AtomicUsize::new(0),
            detached: AtomicUsize::new(0),
        });
        table.of.insert(whose, Arc::downgrade(&account));
        Some(account)
    }
}

impl Account {
    /// A place for a session, if the peer has fewer than `most`.
    pub(super) fn take_session(self: &Arc<Self>, most: usize) -> Option<SessionOf> {
        // Counted first: of two that come at once, one is too many.
        let of = SessionOf(Arc::clone(self));
        (self.sessions.fetch_add(1, Ordering::Relaxed) < most).then_some(of)
    }

    /// A place for a link in its handshake, if the peer has fewer than `most`.
    pub(super) fn take_handshake(self: &Arc<Self>, most: usize) -> Option<HandshakeOf> {
        let of = HandshakeOf(Arc::clone(self));
        (self.handshakes.fetch_add(1, Ordering::Relaxed) < most).then_some(of)
    }

    /// How many handlers run on without their callers.
    pub(super) fn detached(&self) -> usize {
        self.detached.load(Ordering::Relaxed)
    }

    /// Counts one more handler that runs on.
    pub(super) fn take_detached(self: &Arc<Self>) -> DetachedOf {
        self.detached.fetch_add(1, Ordering::Relaxed);
        DetachedOf(Arc::clone(self))
    }
}

/// A session's place among those of a server, and among those of its peer.
pub(crate) struct Seat {
    pub(super) _of_server: OwnedSemaphorePermit,
    pub(super) _of_peer: Option<SessionOf>,
}

/// A session, as it counts for its peer.
pub(super) struct SessionOf(Arc<Account>);

impl Drop for SessionOf {
    fn drop(&mut self) {
        self.0.sessions.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A link in its handshake, as it counts for its peer.
pub(super) struct HandshakeOf(Arc<Account>);

impl Drop for HandshakeOf {
    fn drop(&mut self) {
        self.0.handshakes.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A handler that runs on, as it counts for its peer.
pub(super) struct DetachedOf(Arc<Account>);

impl Drop for DetachedOf {
    fn drop(&mut self) {
        self.0.detached.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Account({})", self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_has_one_account_while_it_has_anything_and_the_table_does_not_grow() {
        let accounts = Accounts::default();
        let party = |n: u32| Party::V4(n.to_be_bytes());
        let anonymous = Principal::anonymous();
        let first = accounts.of(&anonymous, Some(&party(1))).expect("an account");
        let again = accounts.of(&anonymous, Some(&party(1))).expect("an account");
        assert_eq!(first.number, again.number);
        let acme = accounts.of(&Principal::new("acme"), Some(&party(1))).expect("an account");
        assert_ne!(first.number, acme.number, "who is known counts for itself, wherever it comes from");
        let elsewhere = accounts.of(&Principal::new("acme"), Some(&party(2))).expect("an account");
        assert_eq!(acme.number, elsewhere.number);
        assert!(accounts.of(&anonymous, None).is_none());
        for n in 0..100_000 {
            accounts.of(&anonymous, Some(&party(n + 10)));
        }
        assert!(accounts.table.lock().expect("no panic").of.len() <= 2 * FEW + 4);
        assert_eq!(accounts.of(&anonymous, Some(&party(1))).expect("an account").number, first.number);
    }

    #[test]
    fn a_place_that_is_refused_takes_none() {
        let accounts = Accounts::default();
        let account = accounts.of(&Principal::new("acme"), None).expect("an account");
        let places = [account.take_session(2), account.take_session(2)];
        assert!(places.iter().all(Option::is_some));
        for _ in 0..3 {
            assert!(account.take_session(2).is_none());
        }
        drop(places);
        assert!(account.take_session(1).is_some());
    }
}
