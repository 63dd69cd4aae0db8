//! A bounded wait for memory.

use std::time::{Duration, Instant};

/// How long nothing may be given back before the wait is over.
const QUIET: Duration = Duration::from_secs(1);

/// Whether something waits until less is kept.
#[derive(Debug, Default)]
pub(super) enum Pause {
    #[default]
    Off,
    /// It waits. Most sessions never do.
    On(Box<Waiting>),
    /// It has waited long enough. It does not wait again before there is room.
    Over,
}

/// At the begin of the wait, or when the time was last looked at, so much was kept. It goes on until `due`, then again if less is kept by
/// then, and no longer than until `end`.
#[derive(Debug)]
pub(super) struct Waiting {
    kept: usize,
    due: Instant,
    end: Instant,
}

impl Pause {
    /// Whether it waits now, for `most` in all. `is_over`: so much is kept that it is to.
    pub(super) fn look(&mut self, is_over: bool, kept: usize, most: Duration, now: Instant) -> bool {
        *self = match std::mem::take(self) {
            _ if !is_over => Self::Off,
            Self::Off => Self::On(Box::new(Waiting { kept, due: now + QUIET, end: now + most })),
            Self::On(waiting) if now >= waiting.due => match kept < waiting.kept && now < waiting.end {
                true => Self::On(Box::new(Waiting { kept, due: waiting.end.min(now + QUIET), end: waiting.end })),
                false => Self::Over,
            },
            same => same,
        };
        self.is_on()
    }

    #[inline]
    pub(super) fn is_on(&self) -> bool {
        matches!(self, Self::On(_))
    }

    /// When to look again, if nothing is given back until then.
    #[inline]
    pub(super) fn due(&self) -> Option<Instant> {
        match self {
            Self::On(waiting) => Some(waiting.due),
            Self::Off | Self::Over => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: Duration = Duration::from_secs(5);

    fn after(start: Instant, seconds: f64) -> Instant {
        start + Duration::from_secs_f64(seconds)
    }

    #[test]
    fn a_pause_ends_when_there_is_room() {
        let (mut pause, start) = (Pause::default(), Instant::now());
        assert!(!pause.look(false, 10, MOST, start) && pause.due().is_none());
        assert!(pause.look(true, 10, MOST, start));
        assert_eq!(pause.due(), Some(after(start, 1.0)));
        assert!(pause.look(true, 9, MOST, after(start, 0.5)));
        assert!(!pause.look(false, 2, MOST, after(start, 0.6)));
        assert!(pause.look(true, 10, MOST, after(start, 0.7)), "and another may begin");
    }

    // proves: memory.wait
    #[test]
    fn a_pause_ends_when_nothing_is_given_back_for_a_second_and_there_is_no_other_before_there_is_room() {
        let (mut pause, start) = (Pause::default(), Instant::now());
        assert!(pause.look(true, 10, MOST, start));
        assert!(pause.look(true, 10, MOST, after(start, 0.999)));
        assert!(!pause.look(true, 10, MOST, after(start, 1.0)) && pause.due().is_none());
        assert!(!pause.look(true, 5, MOST, after(start, 1.1)));
        assert!(!pause.look(false, 1, MOST, after(start, 1.2)));
        assert!(pause.look(true, 10, MOST, after(start, 1.3)));
    }

    #[test]
    fn a_pause_goes_on_while_something_is_given_back_and_ends_all_the_same() {
        let (mut pause, start) = (Pause::default(), Instant::now());
        for (tenths, kept) in (0..50).zip((0..100).rev()) {
            assert!(pause.look(true, kept, MOST, after(start, f64::from(tenths) / 10.0)), "{tenths}");
        }
        assert!(!pause.look(true, 1, MOST, after(start, 5.0)));
    }
}
