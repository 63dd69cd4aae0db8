//! The memory that all sessions of a server share.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use crate::limits::{Purse, Refusals, Refused};

/// What is taken of it. Sessions ask rarely, and for much at a time.
#[derive(Debug)]
pub(super) struct ServerMemory {
    limit: usize,
    taken: AtomicUsize,
    /// The tasks of sessions that wait for others to give something back.
    line: Mutex<Line>,
    /// What its sessions turned down.
    refused: [AtomicU64; Refused::COUNT],
}

/// By their tickets, in the order in which they came.
#[derive(Debug, Default)]
struct Line {
    waiting: BTreeMap<u64, Waker>,
    last: u64,
}

impl ServerMemory {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, taken: AtomicUsize::new(0), line: Mutex::default(), refused: Default::default() }
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Purse for ServerMemory {
    fn take(&self, bytes: usize, at_any_rate: bool) -> bool {
        let more = |taken: usize| taken.checked_add(bytes).filter(|sum| at_any_rate || *sum <= self.limit);
        self.taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).is_ok()
    }

    fn give_back(&self, bytes: usize) {
        let before = self.taken.fetch_sub(bytes, Ordering::AcqRel);
        debug_assert!(bytes <= before, "{bytes} bytes are given back, of {before}");
        self.call_next();
    }

    fn wait(&self, ticket: Option<u64>, waker: &Waker) -> u64 {
        let mut line = self.line();
        let ticket = ticket.unwrap_or_else(|| {
            line.last += 1;
            line.last
        });
        line.waiting.insert(ticket, waker.clone());
        drop(line);
        // What was given back before that woke nobody.
        self.call_next();
        ticket
    }

    fn leave(&self, ticket: u64) -> bool {
        self.line().waiting.remove(&ticket).is_some()
    }

    fn call_next(&self) {
        if self.is_low() {
            return;
        }
        let next = self.line().waiting.pop_first();
        if let Some((_, waker)) = next {
            // A task of tokio's, whose wake takes no lock of ours.
            waker.wake();
        }
    }

    fn is_low(&self) -> bool {
        self.taken.load(Ordering::Relaxed) > self.limit - self.limit / 16
    }

    fn sums(&self) -> (usize, usize) {
        (self.taken.load(Ordering::Acquire), self.limit)
    }

    fn note(&self, what: Refused) {
        self.refused[what as usize].fetch_add(1, Ordering::Relaxed);
    }

    fn refusals(&self) -> Refusals {
        std::array::from_fn(|what| self.refused[what].load(Ordering::Relaxed)).into()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::Wake;

    use super::*;

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Bell(AtomicU64);

    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn rung(bells: &[Arc<Bell>]) -> Vec<u64> {
        bells.iter().map(|bell| bell.0.load(Ordering::Relaxed)).collect()
    }

    #[test]
    fn who_waits_is_woken_in_turn_and_one_at_a_time() {
        let memory = ServerMemory::new(1600);
        assert!(memory.take(1600, false));
        let bells: Vec<_> = (0..4).map(|_| Arc::new(Bell::default())).collect();
        let tickets: Vec<_> = bells.iter().map(|bell| memory.wait(None, &bell.clone().into())).collect();
        memory.give_back(50);
        assert_eq!(rung(&bells), [0, 0, 0, 0], "it is still low");
        memory.give_back(50);
        assert_eq!(rung(&bells), [1, 0, 0, 0], "one for what is given back");
        assert!(!memory.leave(tickets[0]), "it was woken");
        // It takes some, and there is more: it calls the next, which has left. So the one after that is woken.
        assert!(memory.leave(tickets[1]));
        memory.call_next();
        assert_eq!(rung(&bells), [1, 0, 1, 0]);
        // That one finds that others were faster, and keeps its place before those who came later.
        assert!(memory.take(100, false));
        assert_eq!(memory.wait(Some(tickets[2]), &bells[2].clone().into()), tickets[2]);
        memory.call_next();
        memory.give_back(100);
        assert_eq!(rung(&bells), [1, 0, 2, 0]);
        // Who comes when there is room already is woken at once.
        assert!(memory.leave(tickets[3]));
        memory.wait(None, &bells[0].clone().into());
        assert_eq!(rung(&bells), [2, 0, 2, 0]);
    }
}
