//! How long to wait before trying again.

use std::time::{Duration, Instant};

use super::writer::now;

/// While a call waits, the next attempt is made no later than this after the last one began.
const SOON: Duration = Duration::from_secs(1);

/// Waits between attempts to reach a peer: they grow by a factor up to a bound, and each is a random part of that ("full
/// jitter"), so that many clients do not come back at once. The first attempt is made at once. A link that is lost before it has
/// carried anything counts as a failure, unless it stood for `most`.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(clippy::exhaustive_structs, reason = "users write it with ..Default::default()")]
pub struct Backoff {
    /// The bound of the first wait.
    pub first: Duration,
    /// By how much the bound grows with every failure.
    pub factor: f64,
    /// The largest bound.
    pub most: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_millis(20), factor: 1.6, most: Duration::from_secs(30) }
    }
}

impl Backoff {
    /// The longest that is waited after so many failures in a row.
    pub(crate) fn bound(&self, failures: u32) -> Duration {
        if failures == 0 {
            return Duration::ZERO;
        }
        let grown = self.first.as_secs_f64() * self.factor.max(1.0).powi(failures.min(1000) as i32 - 1);
        Duration::try_from_secs_f64(grown).unwrap_or(self.most).min(self.most)
    }

    /// A random part of the bound.
    pub(crate) fn delay(&self, failures: u32) -> Duration {
        let bound = self.bound(failures);
        if bound.is_zero() {
            return bound;
        }
        // Where the system has no random numbers, a plain wait is better than none.
        let random = getrandom::u32().unwrap_or(u32::MAX);
        bound.mul_f64(f64::from(random) / f64::from(u32::MAX))
    }
}

/// The attempts in a row that came to nothing: to no link, or to one that was lost before it had carried anything. So a peer
/// that takes links only to cut them is asked no more often than one that takes none.
#[derive(Debug, Default)]
pub(crate) struct Trials {
    failures: u32,
    /// Before this no further one is made, unless somebody waits.
    not_before: Option<Instant>,
    /// When the last one began.
    began: Option<Instant>,
    /// What the last one came to: since when it is there, and what had been carried before it.
    standing: Option<(Instant, u64)>,
}

impl Trials {
    /// When the next attempt may be made; `None`: at once. While somebody waits for it, that is soon, however long the backoff.
    pub(crate) fn due(&self, is_waited_for: bool) -> Option<Instant> {
        let soon = self.began.filter(|_| is_waited_for).and_then(|began| began.checked_add(SOON));
        match (self.not_before, soon) {
            (Some(at), Some(soon)) => Some(at.min(soon)),
            (at, _) => at,
        }
    }

    /// An attempt is made. It counts as failed until it is known to be otherwise.
    pub(crate) fn begin(&mut self, backoff: &Backoff) {
        self.began = Some(now());
        self.failures = self.failures.saturating_add(1);
        self.failed(backoff);
    }

    /// The attempt has failed only now: the wait for the next begins.
    pub(crate) fn failed(&mut self, backoff: &Backoff) {
        self.not_before = now().checked_add(backoff.delay(self.failures));
    }

    /// The attempt came to a link, or a session. Until now so much was carried.
    pub(crate) fn made(&mut self, carried: u64) {
        self.standing = Some((now(), carried));
    }

    /// What the last attempt came to is lost; so much was carried until now. `true`: it was good for something, so that what
    /// follows starts anew.
    pub(crate) fn lost(&mut self, backoff: &Backoff, carried: u64) -> bool {
        let Some((since, before)) = self.standing.take() else { return false };
        // A link that nobody needed is no failure either, if it would have been made anew as rarely as any.
        let useful = carried > before || now().saturating_duration_since(since) >= backoff.most;
        if useful {
            *self = Self { began: self.began, ..Self::default() };
        }
        useful
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_their_bound_and_are_a_part_of_it() {
        let backoff = Backoff::default();
        let bounds: Vec<u128> = (0..4).map(|failures| backoff.bound(failures).as_millis()).collect();
        assert_eq!(bounds, [0, 20, 32, 51]);
        assert_eq!(backoff.bound(u32::MAX), Duration::from_secs(30));
        for failures in 0..200 {
            assert!(backoff.delay(failures) <= backoff.bound(failures));
        }
        let waits: std::collections::BTreeSet<Duration> = (0..20).map(|_| backoff.delay(9)).collect();
        assert!(waits.len() > 10, "they are not random");
    }

    #[test]
    fn a_factor_that_makes_no_sense_is_harmless() {
        for factor in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let backoff = Backoff { factor, ..Backoff::default() };
            assert!(backoff.delay(7) <= backoff.most);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_came_to_something_starts_the_waits_anew() {
        let backoff = Backoff::default();
        let mut trials = Trials::default();
        assert_eq!(trials.due(false), None, "the first is made at once");
        trials.begin(&backoff);
        for failures in 1..5 {
            trials.made(7);
            assert!(!trials.lost(&backoff, 7), "nothing was carried");
            assert_eq!(trials.failures, failures);
            trials.begin(&backoff);
        }
        trials.made(7);
        assert!(trials.lost(&backoff, 8));
        assert_eq!((trials.failures, trials.not_before), (0, None));
        trials.begin(&backoff);
        trials.made(8);
        tokio::time::advance(backoff.most).await;
        assert!(trials.lost(&backoff, 8), "it stood for long");
    }

    #[tokio::test(start_paused = true)]
    async fn while_somebody_waits_the_next_attempt_is_soon_and_no_sooner() {
        let backoff = Backoff { first: Duration::from_secs(3600), ..Backoff::default() };
        let backoff = Backoff { most: backoff.first, ..backoff };
        let mut trials = Trials::default();
        for _ in 0..10 {
            trials.begin(&backoff);
            trials.not_before = now().checked_add(backoff.bound(1));
            assert_eq!(trials.due(true), now().checked_add(SOON));
            assert_eq!(trials.due(false), trials.not_before);
            tokio::time::advance(SOON).await;
        }
        trials.not_before = Some(now());
        trials.began = Some(now());
        assert_eq!(trials.due(true), Some(now()), "nor later than the backoff says");
    }
}
