//! How long to wait before trying again.

use std::time::Duration;

/// Waits between attempts to reach a peer: they grow by a factor up to a bound, and each is a random part of that ("full
/// jitter"), so that many clients do not come back at once. The first attempt is made at once.
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
        Self { first: Duration::from_millis(100), factor: 1.6, most: Duration::from_secs(30) }
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

    /// Waits before the next attempt. Not at all before the first: a timer of no length takes a millisecond.
    pub(crate) async fn wait(&self, failures: u32) {
        let delay = self.delay(failures);
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_their_bound_and_are_a_part_of_it() {
        let backoff = Backoff::default();
        let bounds: Vec<u128> = (0..4).map(|failures| backoff.bound(failures).as_millis()).collect();
        assert_eq!(bounds, [0, 100, 160, 256]);
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
}
