//! Warns about calls that wait for a limit to make room, so that none waits in silence.
//!
//! A task that begins to wait says for what, under the session's lock (`State::begin_wait`), and says so when it waits no more
//! (`State::end_wait`). One that has waited for [`PATIENCE`] is logged, once, when the session's task keeps the time, and those that wait
//! for the same make one line. The error that a wait ends with says the same words (`State::waits_for`).

use std::fmt;
use std::time::{Duration, Instant};

use super::channel_warnings::{PATIENCE, Uploads};
use crate::proto::{IdTable, Obstacle};

/// From one log of those who wait to the next, so that many that began one after the other make one line. With [`PATIENCE`] it is no more
/// than the 5 seconds within which a wait is told.
const PAUSE: Duration = Duration::from_secs(1);

/// Those who wait, by numbers that only grow. All have the same patience, so the first loses it first.
#[derive(Default)]
pub(super) struct Patience {
    pub(super) waits: IdTable<Wait>,
    /// No later than the next of them is to be logged. Where it waits no more, this is looked at again then.
    due: Option<Instant>,
    /// The last that was logged.
    logged: u64,
    /// How calls are looked after that came with channels to send on.
    pub(super) uploads: Uploads,
}

/// One that waits.
#[derive(Debug, Clone)]
pub(super) struct Wait {
    /// `None`: never.
    pub(super) due: Option<Instant>,
    pub(super) what: Waiting,
}

/// What waits, and for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) service: &'static str,
    /// `None`: what waits is no call.
    pub(crate) method: Option<&'static str>,
    pub(crate) obstacle: Obstacle,
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.method {
            Some(method) => write!(f, "`{}.{method}` waits for {}", self.service, self.obstacle),
            None => write!(f, "`{}` waits for {}", self.service, self.obstacle),
        }
    }
}

impl Patience {
    /// When the next of those who wait is to be logged, or looked for.
    #[inline]
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Somebody begins to wait, or goes on.
    pub(super) fn begin(&mut self, number: u64, due: Option<Instant>, what: Waiting) {
        if let Some(wait) = self.waits.get_mut(number) {
            wait.what = what;
            return;
        }
        self.due = self.due.or(due);
        self.waits.push(number, Wait { due, what });
    }

    /// It waits no more.
    pub(super) fn end(&mut self, number: u64) {
        self.waits.remove(number);
        if self.waits.is_empty() {
            self.due = None;
        }
    }

    /// If one of them would be logged: from now on all wait who were not.
    pub(super) fn begin_anew(&mut self, now: Instant) {
        if self.due.is_none_or(|due| due > now) {
            return;
        }
        self.due = now.checked_add(PATIENCE);
        let Self { waits, due, logged, .. } = self;
        waits.iter_mut().filter(|(number, _)| number > logged).for_each(|(_, wait)| wait.due = *due);
    }

    /// Takes out what has been waited for for long, each once, and how many wait for it.
    pub(super) fn lost(&mut self, now: Instant) -> Vec<(Waiting, usize)> {
        let (mut lost, logged) = (Vec::<(Waiting, usize)>::new(), self.logged);
        if self.due.is_none_or(|due| due > now) {
            return lost;
        }
        let next = self.waits.iter().filter(|(number, _)| *number > logged).find_map(|(number, wait)| {
            if wait.due.is_none_or(|due| due > now) {
                return Some(wait.due);
            }
            self.logged = number;
            match lost.iter_mut().find(|(what, _)| *what == wait.what) {
                Some((_, count)) => *count += 1,
                None => lost.push((wait.what.clone(), 1)),
            }
            None
        });
        self.due = next.flatten().map(|next| next.max(now + PAUSE));
        lost
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn waiting(limit: u64) -> Waiting {
        Waiting { service: "Lab", method: Some("gate"), obstacle: Obstacle::Calls { limit } }
    }

    #[test]
    fn each_is_logged_once_and_only_while_it_waits() {
        let (mut patience, start) = (Patience::default(), Instant::now());
        for number in 1..=3 {
            let due = start.checked_add(PATIENCE + Duration::from_secs(number));
            patience.begin(number, due, waiting(number));
        }
        patience.end(2);
        assert_eq!(patience.due(), Some(start + PATIENCE + Duration::from_secs(1)));
        assert!(patience.lost(start + PATIENCE).is_empty());
        assert_eq!(patience.lost(start + PATIENCE + Duration::from_secs(2)), [(waiting(1), 1)]);
        assert_eq!(patience.lost(start + PATIENCE + Duration::from_secs(9)), [(waiting(3), 1)]);
        assert_eq!((patience.due(), patience.lost(start + PATIENCE * 9)), (None, vec![]));
        patience.begin(4, start.checked_add(PATIENCE), waiting(4));
        assert_eq!(patience.due(), Some(start + PATIENCE));
        patience.end(4);
        assert_eq!(
            (patience.lost(start + PATIENCE), patience.due()),
            (vec![], None),
            "it is looked for once, and not found"
        );
    }
    #[test]
    fn those_that_wait_for_the_same_make_one_line() {
        let (mut patience, start) = (Patience::default(), Instant::now());
        for number in 1..=129 {
            let due = start.checked_add(PATIENCE + Duration::from_millis(number));
            patience.begin(number, due, waiting(number % 2));
        }
        assert_eq!(patience.lost(start + PATIENCE + Duration::from_millis(1)), [(waiting(1), 1)]);
        let next = start + PATIENCE + Duration::from_millis(1001);
        assert_eq!(patience.due(), Some(next), "the others are gathered");
        assert_eq!(patience.lost(next), [(waiting(0), 64), (waiting(1), 64)]);
        assert_eq!(patience.due(), None);
    }
}
