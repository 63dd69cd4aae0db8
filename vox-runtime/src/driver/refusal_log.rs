//! Counts and logs what a session refused.

use std::time::{Duration, Instant};

use crate::limits::{Refusals, Refused};

/// How long after a line in the log the next may follow.
const QUIET: Duration = Duration::from_secs(60);

/// The counts of one session. Most sessions have none.
#[derive(Debug, Default)]
pub(super) struct Refusing(Option<Box<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    refusals: Refusals,
    logged: Option<Instant>,
}

impl Refusing {
    pub(super) fn get(&self) -> Refusals {
        self.0.as_ref().map(|counts| counts.refusals).unwrap_or_default()
    }

    /// Counts it. `true`: it is to be logged.
    pub(super) fn add(&mut self, what: Refused, now: Instant) -> bool {
        let counts = self.0.get_or_insert_default();
        counts.refusals.add(what);
        let logs = what.words().is_some() && counts.logged.is_none_or(|before| now >= before + QUIET);
        if logs {
            counts.logged = Some(now);
        }
        logs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_counted_and_one_a_minute_is_logged() {
        let (mut refusing, start) = (Refusing::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(refusing.get(), Refusals::default());
        assert!(!refusing.add(Refused::Reading, at(0)), "nobody loses anything");
        assert!(refusing.add(Refused::Call, at(0)));
        assert!(!refusing.add(Refused::Call, at(59)) && !refusing.add(Refused::Reply, at(59)));
        assert!(refusing.add(Refused::Channel, at(60)));
        assert!(!refusing.add(Refused::Call, at(119)) && !refusing.add(Refused::Handlers, at(120)));
        assert!(refusing.add(Refused::Call, at(121)));
        refusing.add(Refused::Session, at(121));
        assert_eq!(refusing.get(), Refusals::from([4, 1, 1, 1, 1, 1, 0]));
    }
}
