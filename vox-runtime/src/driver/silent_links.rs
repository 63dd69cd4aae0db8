//! Links that have not sent a whole first message, and which of them gives way when others come.
//!
//! The peer that has the most loses one, and of its links the one that had its time first. So many links of few addresses cost only each
//! other their places, and a slow hello of an address that has no other is heard.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::transport::Party;

/// When a link has had its time, and its number.
type Due = (Instant, u64);

/// What each peer has. Links of which nothing is known count as one peer's.
#[derive(Default)]
pub(super) struct HalfOpen {
    of: BTreeMap<Option<Party>, BTreeMap<Due, CancellationToken>>,
    /// How many each has, and its first, so that the last of these is who makes way. Follows from the other.
    ranks: BTreeSet<(usize, Reverse<Due>, Option<Party>)>,
    numbers: u64,
}

/// Finds a link again.
pub(super) struct Place {
    party: Option<Party>,
    due: Due,
}

impl HalfOpen {
    /// One more, which has until then. The token is cancelled when it is to make way.
    pub(super) fn put(&mut self, party: Option<Party>, until: Instant, ends: CancellationToken) -> Place {
        self.numbers += 1;
        let due = (until, self.numbers);
        self.change(&party, |links| {
            links.insert(due, ends);
        });
        Place { party, due }
    }

    /// One less. It may be gone.
    pub(super) fn remove(&mut self, place: &Place) {
        self.change(&place.party, |links| {
            links.remove(&place.due);
        });
    }

    /// When the next that makes way has had its time.
    pub(super) fn due(&self) -> Option<Instant> {
        self.ranks.last().map(|(_, Reverse((due, _)), _)| *due)
    }

    /// The next makes way, if it has had its time.
    pub(super) fn send_away(&mut self, now: Instant) {
        let Some((_, Reverse(due), party)) = self.ranks.last().filter(|(_, Reverse((due, _)), _)| *due <= now) else {
            return;
        };
        let (due, party) = (*due, party.clone());
        self.change(&party, |links| {
            if let Some(ends) = links.remove(&due) {
                ends.cancel();
            }
        });
    }

    fn change(&mut self, party: &Option<Party>, change: impl FnOnce(&mut BTreeMap<Due, CancellationToken>)) {
        let links = self.of.entry(party.clone()).or_default();
        let rank = |links: &BTreeMap<Due, CancellationToken>| {
            links.first_key_value().map(|(first, _)| (links.len(), Reverse(*first), party.clone()))
        };
        if let Some(before) = rank(links) {
            self.ranks.remove(&before);
        }
        change(links);
        match rank(links) {
            Some(after) => drop(self.ranks.insert(after)),
            None => drop(self.of.remove(party)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn party(name: &str) -> Option<Party> {
        Some(Party::named(name))
    }

    /// Puts one link of each of these names, a second apart, and says whose make way, in their order.
    fn check(names: &str, leave: &[usize], order: &str) {
        let (mut half_open, start) = (HalfOpen::default(), Instant::now());
        let mut links: Vec<_> = (0..)
            .zip(names.chars())
            .map(|(second, name)| {
                let (ends, until) = (CancellationToken::new(), start + Duration::from_secs(second));
                let place = half_open.put(party(&name.to_string()), until, ends.clone());
                (name, ends, place)
            })
            .collect();
        for left in leave {
            half_open.remove(&links.remove(*left).2);
        }
        let end = start + Duration::from_secs(names.len() as u64);
        let mut found = String::new();
        while half_open.due().is_some() {
            half_open.send_away(end);
            let gone = links.iter().position(|(_, ends, _)| ends.is_cancelled()).expect("one makes way");
            let (name, _, place) = links.remove(gone);
            // As its handshake does when it ends.
            half_open.remove(&place);
            found.push(name);
        }
        assert_eq!((found.as_str(), links.len()), (order, 0), "{names}");
        assert!(half_open.of.is_empty() && half_open.ranks.is_empty());
    }

    #[test]
    fn the_oldest_of_the_peer_that_has_the_most_makes_way() {
        check("abbb", &[], "bbab");
        check("abbbcc", &[], "bbcabc");
        check("abcd", &[], "abcd");
        check("aabb", &[0], "bab");
        check("abbb", &[1, 1], "ab");
    }

    #[test]
    fn nobody_makes_way_before_its_time() {
        let (mut half_open, start) = (HalfOpen::default(), Instant::now());
        let ends = CancellationToken::new();
        let until = start + Duration::from_secs(1);
        let _place = half_open.put(None, until, ends.clone());
        half_open.send_away(start);
        assert!(!ends.is_cancelled() && half_open.due() == Some(until));
        half_open.send_away(until);
        assert!(ends.is_cancelled());
    }
}
