//! The peer's clock. Each handshake tells it, and from then on this end counts by a clock that nobody sets.
//!
//! The peer judges an operation's id by its own clock. So ids are made by that clock, and neither end's clock need be right.

use std::time::{Duration, Instant};

/// The last time that an operation's id can say: it has 48 bits of milliseconds since 1970.
const LAST: Duration = Duration::from_millis((1 << 48) - 1);

/// The peer's clock, as it was told last.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PeerClock {
    /// Milliseconds since 1970.
    told: u64,
    at: Instant,
}

impl PeerClock {
    /// The peer says at `now` that so many milliseconds have passed since 1970.
    pub(crate) fn told(millis: u64, now: Instant) -> Self {
        Self { told: millis, at: now }
    }

    /// How long it is since 1970, by the peer's clock. A little less, by the time that the peer's word was under way, and no more than
    /// an id can say, whatever the peer said.
    pub(crate) fn since_epoch(&self, now: Instant) -> Duration {
        Duration::from_millis(self.told).saturating_add(now.saturating_duration_since(self.at)).min(LAST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peers_time_goes_on_from_what_it_said() {
        let start = Instant::now();
        let clock = PeerClock::told(1_000, start);
        assert_eq!(clock.since_epoch(start), Duration::from_millis(1_000));
        assert_eq!(clock.since_epoch(start + Duration::from_secs(3)), Duration::from_millis(4_000));
        let never = PeerClock::told(u64::MAX, start);
        assert_eq!(never.since_epoch(start + Duration::from_secs(3)), LAST);
    }
}
