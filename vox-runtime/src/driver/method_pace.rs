//! How quick the handlers of each method of a session are, and memory for their futures.

use std::time::Duration;

use tokio_util::sync::ReusableBoxFuture;

use crate::ids::{MethodId, ServiceIndex};

/// A first poll that takes longer than this is too long to be had on the connection's own task.
const SLOW_POLL: Duration = Duration::from_micros(200);
/// How many polls in a row are too long before the method counts as slow: the processor may have been taken away
/// during one.
const SLOW_POLLS: u32 = 3;
/// How many calls of a slow method go straight to tasks before one is tried in place again.
const SLOW_CALLS: u32 = 256;
/// Of so many polls in place one is timed, until one was too long: the clock is not free.
const TIMED: u32 = 8;
/// How many futures' memory is kept per method.
pub(super) const KEPT_FUTURES: usize = 8;

/// The memory and the life of a handler's future.
pub(crate) type ReusableFuture = ReusableBoxFuture<'static, ()>;

/// What is known of the methods of one session that are called.
#[derive(Default)]
pub(crate) struct Handlers {
    /// Every handler gets a task at once: what is known of the methods another has, who is held up.
    pub(super) spawns: bool,
    /// Whose handler was polled in place last.
    pub(super) polled: Option<(ServiceIndex, MethodId)>,
    /// In the order of their keys.
    pub(super) methods: Vec<((ServiceIndex, MethodId), MethodPace)>,
}

#[derive(Default)]
pub(super) struct MethodPace {
    pub(super) kept: Vec<ReusableFuture>,
    /// How many polls in place in a row took too long.
    strikes: u32,
    /// How many further calls go straight to tasks.
    slow: u32,
    /// How many polls in place come before one that is timed.
    untimed: u32,
}

impl Handlers {
    /// Hosts in the stead of a task that is held up.
    pub(super) fn in_stead() -> Self {
        Self { spawns: true, ..Self::default() }
    }

    /// Whether this knows nothing of the methods until another hands over what it knows.
    pub(super) fn is_in_stead(&self) -> bool {
        self.spawns
    }

    /// The handler that was polled in place last took so long that another task has the session: the next ones of its method get
    /// tasks of their own at once.
    pub(super) fn note_held_up(&mut self) {
        let Some(method) = self.polled.take() else { return };
        let place = self.methods.binary_search_by_key(&method, |(method, _)| *method);
        self.pace(place, method).slow_down();
    }
}

impl Handlers {
    /// The pace of a method, which is where it was found, or is put where it was missed.
    #[inline]
    pub(super) fn pace(&mut self, place: Result<usize, usize>, method: (ServiceIndex, MethodId)) -> &mut MethodPace {
        let at = place.unwrap_or_else(|at| {
            if self.methods.is_empty() {
                self.methods.reserve_exact(1);
            }
            self.methods.insert(at, (method, MethodPace::default()));
            at
        });
        &mut self.methods[at].1
    }
}

impl MethodPace {
    /// Takes up how long a poll in place took.
    pub(super) fn note(&mut self, took: Duration) {
        if took <= SLOW_POLL {
            self.strikes = 0;
            return;
        }
        self.strikes += 1;
        if self.strikes >= SLOW_POLLS {
            self.slow_down();
        }
    }

    fn slow_down(&mut self) {
        // The next one in place is a probe, and its word is enough.
        self.strikes = SLOW_POLLS - 1;
        self.slow = SLOW_CALLS;
    }

    /// Whether the next poll in place is timed: one now and then, and every one after one that took too long.
    pub(super) fn is_timed(&mut self) -> bool {
        if self.strikes == 0 && self.untimed > 0 {
            self.untimed -= 1;
            return false;
        }
        self.untimed = TIMED - 1;
        true
    }

    pub(super) fn in_place(&mut self) -> bool {
        if self.slow == 0 {
            return true;
        }
        self.slow -= 1;
        false
    }
}
