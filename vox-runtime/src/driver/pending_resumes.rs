//! Links that have shown the secret of a session and do not have it yet. They have no place at the door: each session has places of its own,
//! few, and the link that came first makes way for one too many. So nobody else's handshake keeps a session from its next link.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::wire::SessionId;

/// How many links may ask for one session at once: its client dials several addresses, and what was lost is noticed late.
const AT_ONCE: usize = 4;

/// The links that ask for the sessions of one server.
#[derive(Clone, Default)]
pub(super) struct Claimants(Arc<Mutex<Table>>);

#[derive(Default)]
struct Table {
    /// In the order in which they came.
    of: BTreeMap<SessionId, VecDeque<(u64, CancellationToken)>>,
    numbers: u64,
}

/// A link's place among those that ask for its session.
pub(super) struct Claimant {
    session: SessionId,
    number: u64,
    ends: CancellationToken,
    all: Claimants,
}

impl Claimants {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more.
    pub(super) fn enter(&self, session: SessionId) -> Claimant {
        let ends = CancellationToken::new();
        let mut table = self.lock();
        table.numbers += 1;
        let number = table.numbers;
        let of_session = table.of.entry(session).or_default();
        of_session.push_back((number, ends.clone()));
        let first = if of_session.len() > AT_ONCE { of_session.pop_front() } else { None };
        drop(table);
        if let Some((_, ends)) = first {
            ends.cancel();
        }
        Claimant { session, number, ends, all: self.clone() }
    }
}

impl Claimant {
    /// Waits until others have come for the session, so that this one makes way.
    pub(super) async fn sent_away(&self) {
        self.ends.cancelled().await;
    }
}

impl Drop for Claimant {
    fn drop(&mut self) {
        let mut table = self.all.lock();
        if let Some(of_session) = table.of.get_mut(&self.session) {
            of_session.retain(|(number, _)| *number != self.number);
            if of_session.is_empty() {
                table.of.remove(&self.session);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_makes_way_for_one_too_many_and_nothing_is_left_of_those_that_are_gone() {
        let claimants = Claimants::default();
        let ours: Vec<_> = (0..6).map(|_| claimants.enter(SessionId([1; 16]))).collect();
        let other = claimants.enter(SessionId([2; 16]));
        let is_sent_away = |claimant: &Claimant| claimant.ends.is_cancelled();
        assert_eq!(ours.iter().map(is_sent_away).collect::<Vec<_>>(), [true, true, false, false, false, false]);
        assert!(!is_sent_away(&other), "each session has places of its own");
        drop((ours, other));
        assert!(claimants.lock().of.is_empty());
    }
}
