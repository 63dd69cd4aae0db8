//! The secrets that resume a session.
//!
//! Every answer to a peer that asks to resume carries a new secret, and any answer may be lost: until a link is confirmed the
//! peer may hold the one that it showed, or any that it was sent since. What it shows next tells which, and spends all others.
//! It tells as well that the peer has given up every link that it asked for before, however late their last words arrive.

use std::collections::VecDeque;

/// How many answers may be lost in a row. The peer of whom more are is not known any more.
const MAX_SENT: usize = 16;

/// The secrets of one session, or what is kept of them.
#[derive(Debug)]
pub(crate) struct Secrets<S> {
    /// The last that the peer is known to have held.
    held: S,
    /// Those that it was sent since, and may hold instead.
    sent: VecDeque<S>,
    round: Round,
}

/// Which confirmation counts: one that was asked for in an earlier round does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Round(u64);

impl<S: PartialEq> Secrets<S> {
    pub(crate) fn new(held: S) -> Self {
        Self { held, sent: VecDeque::new(), round: Round(0) }
    }

    /// Whether the peer may hold this secret.
    pub(crate) fn knows(&self, shown: &S) -> bool {
        // All are compared, whichever it is.
        self.sent.iter().fold(self.held == *shown, |known, sent| known | (*sent == *shown))
    }

    /// Somebody shows a secret. `None` if the peer cannot hold it; otherwise it is to be sent `next`.
    pub(crate) fn claim(&mut self, shown: S, next: S) -> Option<Round> {
        // All are compared, whichever it is.
        let place =
            self.sent.iter().enumerate().fold(None, |place, (at, sent)| if *sent == shown { Some(at) } else { place });
        let is_held = self.held == shown;
        if place.is_some() {
            self.held = shown;
            self.sent.clear();
            self.round.0 += 1;
        } else if !is_held {
            return None;
        }
        if self.sent.len() >= MAX_SENT {
            self.sent.pop_front();
        }
        self.sent.push_back(next);
        Some(self.round)
    }

    /// Whether a link that was asked for in this round may still be the peer's next: none was confirmed since, or given up.
    pub(crate) fn stands(&self, round: Round) -> bool {
        self.round == round
    }

    /// The peer has the secret that it was sent with the answer of this round. `false`: it has given that link up, or another
    /// was confirmed.
    pub(crate) fn confirm(&mut self, secret: S, round: Round) -> bool {
        if !self.stands(round) {
            return false;
        }
        *self = Self { held: secret, sent: VecDeque::new(), round: Round(round.0 + 1) };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // proves: secret.once
    #[test]
    fn a_secret_is_good_once() {
        let mut secrets = Secrets::new(1);
        assert_eq!(secrets.claim(9, 0), None);
        let round = secrets.claim(1, 2).expect("its own");
        assert!(secrets.confirm(2, round));
        assert_eq!(secrets.claim(1, 3), None, "it is spent");
        assert!(secrets.claim(2, 3).is_some());
    }

    // proves: secret.answers-lost
    #[test]
    fn whichever_answers_are_lost_the_peer_is_known() {
        let mut secrets = Secrets::new(1);
        for next in 2..6 {
            assert!(secrets.claim(1, next).is_some(), "the answer was lost, or late");
        }
        assert!(secrets.claim(3, 10).is_some(), "it had the second after all");
        assert_eq!(secrets.claim(1, 11), None);
        assert_eq!(secrets.claim(5, 11), None);
        let round = secrets.claim(10, 11).expect("and then the answer to that");
        assert!(secrets.confirm(11, round));
    }

    // proves: resume.two
    #[test]
    fn of_two_links_one_is_confirmed_and_none_that_was_given_up() {
        let mut secrets = Secrets::new(1);
        let (first, second) = (secrets.claim(1, 2).expect("known"), secrets.claim(1, 3).expect("known"));
        assert!(secrets.stands(first));
        assert!(secrets.confirm(3, second));
        assert!(!secrets.stands(first));
        assert!(!secrets.confirm(2, first));

        let given_up = secrets.claim(3, 4).expect("known");
        let next = secrets.claim(4, 5).expect("it confirmed that link, and lost it");
        assert!(!secrets.confirm(4, given_up), "its confirmation comes late");
        assert!(secrets.confirm(5, next));
    }
}
