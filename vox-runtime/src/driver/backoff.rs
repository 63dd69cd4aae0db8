//! The backoff: how long to wait before the next attempt to connect.

use std::time::{Duration, Instant};

use super::clock::now;

/// While a call waits, the next attempt is made no later than this after the last one began.
const SOON: Duration = Duration::from_secs(1);
/// While a call waits and there was no link to be had, the next attempt is made no later than this after the last one failed, at first.
const AT_FIRST: Duration = Duration::from_millis(8);
/// An outage of this length makes waits as long, and others waits that grow with the square of theirs: 8 ms after a tenth of a second.
const GROWTH: Duration = Duration::from_millis(1250);

/// Waits between attempts to reach a peer: they grow by a factor up to a bound, and each is a random part of that ("full
/// jitter"), so that many clients do not come back at once. The first attempt is made at once. A link that is lost before it has
/// carried anything counts as a failure, unless it stood for `most`.
///
/// While a call waits for the link, attempts are made beside these: see the guide.
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
        if bound.is_zero() { bound } else { bound.mul_f64(random()) }
    }
}

/// The longest that is waited, `age` after the outage began, while a call waits and there is no link to be had. It grows with the square of the
/// age: a short outage is hardly longer for it, and soon after a second everyone in a crowd has spread out as far as `SOON` lets them.
fn briskly(age: Duration) -> Duration {
    let grown = age.as_secs_f64().powi(2) / GROWTH.as_secs_f64();
    Duration::try_from_secs_f64(grown).unwrap_or(SOON).clamp(AT_FIRST, SOON)
}

/// Between 0 and 1.
fn random() -> f64 {
    // Where the system has no random numbers, a plain wait is better than none.
    f64::from(getrandom::u32().unwrap_or(u32::MAX)) / f64::from(u32::MAX)
}

/// The attempts in a row that came to nothing: to no link, or to one that was lost before it had carried anything. So a peer
/// that takes links only to cut them is asked no more often than one that takes none.
#[derive(Debug, Default)]
pub(crate) struct ConnectAttempts {
    /// Those that were made in turn: the backoff grows by them. What is made early because somebody waits does not lengthen it.
    failures: u32,
    /// Before this no further one is made, unless somebody waits.
    not_before: Option<Instant>,
    /// The same while somebody waits, where there was no link to be had.
    briskly: Option<Instant>,
    /// When the first of them began.
    since: Option<Instant>,
    /// When the last one began, and whether it was in turn.
    began: Option<Instant>,
    in_turn: bool,
    /// What the last one came to: since when it is there, and what had been carried before it.
    standing: Option<(Instant, u64)>,
}

impl ConnectAttempts {
    /// When the next attempt may be made; `None`: at once. While somebody waits for it, that is soon, however long the backoff.
    pub(crate) fn due(&self, is_waited_for: bool) -> Option<Instant> {
        let not_before = self.not_before?;
        if !is_waited_for {
            return Some(not_before);
        }
        let soon = self.began.and_then(|began| began.checked_add(SOON));
        [soon, self.briskly].into_iter().flatten().chain([not_before]).min()
    }

    /// An attempt is made. It counts as failed until it is known to be otherwise.
    pub(crate) fn begin(&mut self, backoff: &Backoff) {
        let now = now();
        self.since.get_or_insert(now);
        (self.began, self.briskly) = (Some(now), None);
        self.in_turn = self.not_before.is_none_or(|at| at <= now);
        if self.in_turn {
            self.wait_for_turn(backoff, 1);
        }
    }

    /// The attempt has failed only now: the wait for the next begins.
    pub(crate) fn failed(&mut self, backoff: &Backoff, why: Missed) {
        let now = now();
        if self.in_turn {
            self.wait_for_turn(backoff, 0);
        } else if self.not_before.is_none_or(|at| at <= now) {
            self.wait_for_turn(backoff, 1);
        }
        // Who is there and turns links down has work with each of them.
        let most = match why {
            Missed::NoLink => briskly(self.since.map_or(SOON, |since| now.saturating_duration_since(since))),
            Missed::NoSession => SOON,
        };
        self.briskly = if most < SOON { now.checked_add(most.mul_f64(0.5 + random() / 2.0)) } else { None };
    }

    fn wait_for_turn(&mut self, backoff: &Backoff, failures: u32) {
        self.failures = self.failures.saturating_add(failures);
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

/// What an attempt that failed came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missed {
    /// There was no link to be had.
    NoLink,
    /// There was a link, and no session over it.
    NoSession,
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
        let mut attempts = ConnectAttempts::default();
        assert_eq!(attempts.due(false), None, "the first is made at once");
        attempts.begin(&backoff);
        for failures in 1..5 {
            attempts.made(7);
            assert!(!attempts.lost(&backoff, 7), "nothing was carried");
            assert_eq!(attempts.failures, failures);
            tokio::time::advance(backoff.bound(failures)).await;
            attempts.begin(&backoff);
        }
        attempts.made(7);
        assert!(attempts.lost(&backoff, 8));
        assert_eq!((attempts.failures, attempts.due(true)), (0, None));
        attempts.begin(&backoff);
        attempts.made(8);
        tokio::time::advance(backoff.most).await;
        assert!(attempts.lost(&backoff, 8), "it stood for long");
    }

    #[tokio::test(start_paused = true)]
    async fn while_somebody_waits_the_next_attempt_is_soon_and_no_sooner() {
        let backoff = Backoff { first: Duration::from_secs(3600), ..Backoff::default() };
        let backoff = Backoff { most: backoff.first, ..backoff };
        let mut attempts = ConnectAttempts::default();
        for _ in 0..10 {
            attempts.begin(&backoff);
            attempts.not_before = now().checked_add(backoff.bound(1));
            assert_eq!(attempts.due(true), now().checked_add(SOON));
            assert_eq!(attempts.due(false), attempts.not_before);
            tokio::time::advance(SOON).await;
        }
        attempts.not_before = Some(now());
        attempts.began = Some(now());
        assert_eq!(attempts.due(true), Some(now()), "nor later than the backoff says");
    }

    #[test]
    fn at_first_waits_are_short_and_then_a_small_part_of_the_outage() {
        let waits = [0, 50, 100, 200, 500, 999, 5000].map(|age| briskly(Duration::from_millis(age)).as_millis());
        assert_eq!(waits, [8, 8, 8, 32, 200, 798, 1000]);
        assert_eq!(briskly(Duration::MAX), SOON);
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_there_and_turns_links_down_is_asked_no_sooner_for_those_who_wait() {
        let (backoff, mut attempts) = (Backoff::default(), ConnectAttempts::default());
        for why in [Missed::NoSession, Missed::NoLink] {
            attempts.begin(&backoff);
            attempts.not_before = now().checked_add(SOON / 2);
            attempts.in_turn = false;
            attempts.failed(&backoff, why);
            assert_eq!(attempts.due(true) == attempts.not_before, why == Missed::NoSession);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_made_early_for_those_who_wait_lengthen_no_later_wait() {
        let backoff = Backoff { first: Duration::from_secs(1), factor: 10.0, most: Duration::from_secs(1000) };
        let mut attempts = ConnectAttempts::default();
        attempts.begin(&backoff);
        attempts.not_before = now().checked_add(SOON);
        let turn = attempts.not_before;
        while attempts.due(true) < turn {
            tokio::time::advance(Duration::from_millis(1)).await;
            if attempts.due(true).is_some_and(|at| at <= now()) {
                attempts.begin(&backoff);
                attempts.failed(&backoff, Missed::NoLink);
            }
        }
        assert_eq!((attempts.failures, attempts.not_before), (1, turn));
    }

    /// A server goes down under a crowd of clients whose callers all wait.
    #[tokio::test(start_paused = true)]
    async fn a_crowd_is_spread_out_within_a_second() {
        const CLIENTS: usize = 500;
        const SECONDS: usize = 5;
        let backoff = Backoff::default();
        let mut crowd: Vec<ConnectAttempts> = (0..CLIENTS).map(|_| ConnectAttempts::default()).collect();
        let mut slots = vec![0; SECONDS * 100];
        for slot in &mut slots {
            for _ in 0..10 {
                for attempts in &mut crowd {
                    if attempts.due(true).is_none_or(|at| at <= now()) {
                        attempts.begin(&backoff);
                        attempts.failed(&backoff, Missed::NoLink);
                        *slot += 1;
                    }
                }
                tokio::time::advance(Duration::from_millis(1)).await;
            }
        }
        let second = |n: usize| slots[n * 100..(n + 1) * 100].iter().sum::<usize>() / CLIENTS;
        assert!(second(0) <= 40, "{} attempts of each in the first second", second(0));
        for n in 1..SECONDS {
            assert!(second(n) <= 3, "{} attempts of each in second {n}", second(n));
        }
        // A server that is back after a second meets so many in a hundredth of one.
        let most = slots[100..].iter().max().copied().unwrap_or_default();
        assert!(most <= CLIENTS / 12, "{most} of {CLIENTS} at once");
    }
}
