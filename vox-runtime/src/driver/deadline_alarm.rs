//! Wakes calls whose deadline has passed and which are polled outside of their session's runtime.
//!
//! The session's task keeps the deadlines of its calls. A call that is awaited in another runtime, or in none, cannot rely on that: the
//! session's runtime may stand still meanwhile. So it sets an alarm as well: one thread of the process, started when the first alarm
//! is set, wakes the one that has set it. It ends when it finds that none is set. There are as many alarms as calls that wait so.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::thread;
use std::time::Instant;

use crate::catch_panic::{catch_panic, wake_all};

static CLOCK: Clock = Clock {
    table: Mutex::new(AlarmTable { alarms: BTreeMap::new(), next: 0, sleeps_until: None }),
    changed: Condvar::new(),
};

struct Clock {
    table: Mutex<AlarmTable>,
    changed: Condvar,
}

struct AlarmTable {
    alarms: BTreeMap<(Instant, u64), Waker>,
    next: u64,
    /// Until when the thread sleeps. `None`: there is no thread.
    sleeps_until: Option<Instant>,
}

/// An alarm that is set. Dropped, it is set no more.
#[derive(Debug)]
pub(crate) struct Alarm {
    key: (Instant, u64),
}

impl Alarm {
    /// Wakes `waker` at this time.
    pub(crate) fn set(at: Instant, waker: &Waker) -> Self {
        let waker = waker.clone();
        let mut table = CLOCK.table();
        table.next += 1;
        let key = (at, table.next);
        table.alarms.insert(key, waker);
        match table.sleeps_until {
            None => {
                let started = thread::Builder::new().name("vox-alarms".to_owned()).spawn(|| CLOCK.run());
                match started {
                    Ok(_) => table.sleeps_until = Some(at),
                    Err(error) => {
                        drop(table);
                        catch_panic(|| {
                            tracing::warn!(%error, "no thread for the deadlines of calls that are awaited outside of their session's runtime");
                        });
                    }
                }
            }
            Some(until) if at < until => {
                table.sleeps_until = Some(at);
                drop(table);
                CLOCK.changed.notify_one();
            }
            Some(_) => {}
        }
        Self { key }
    }

    /// From now on it wakes this one. `false`: its time has come.
    pub(crate) fn wakes(&self, waker: &Waker) -> bool {
        let mut table = CLOCK.table();
        let Some(known) = table.alarms.get_mut(&self.key) else { return false };
        if known.will_wake(waker) {
            return true;
        }
        // What a waker does when it is let go of is its own affair, and so not done under the lock.
        let before = std::mem::replace(known, waker.clone());
        drop(table);
        drop(before);
        true
    }

    /// Whether its time has come.
    pub(crate) fn has_rung(&self) -> bool {
        !CLOCK.table().alarms.contains_key(&self.key)
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        let _waker = CLOCK.table().alarms.remove(&self.key);
    }
}

impl Clock {
    fn table(&self) -> MutexGuard<'_, AlarmTable> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut table = self.table();
        loop {
            let now = Instant::now();
            let later = table.alarms.split_off(&(now, u64::MAX));
            let due = std::mem::replace(&mut table.alarms, later);
            if !due.is_empty() {
                drop(table);
                wake_all(due.into_values());
                table = self.table();
                continue;
            }
            let Some((&(next, _), _)) = table.alarms.first_key_value() else {
                table.sleeps_until = None;
                return;
            };
            table.sleeps_until = Some(next);
            table = match self.changed.wait_timeout(table, next.saturating_duration_since(now)) {
                Ok((table, _)) => table,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc::{Sender, channel};
    use std::task::Wake;
    use std::time::Duration;

    use super::*;

    struct Tell(Sender<u32>, u32);

    impl Wake for Tell {
        fn wake(self: Arc<Self>) {
            let _ = self.0.send(self.1);
        }
    }

    #[test]
    fn alarms_ring_in_the_order_of_their_times_unless_they_are_dropped() {
        let (sender, rung) = channel();
        let waker = |n| Waker::from(Arc::new(Tell(sender.clone(), n)));
        let now = Instant::now();
        let after = |millis| now + Duration::from_millis(millis);
        let late = Alarm::set(after(60), &waker(3));
        let dropped = Alarm::set(after(20), &waker(9));
        let early = Alarm::set(after(30), &waker(1));
        let moved = Alarm::set(after(40), &waker(9));
        assert!(moved.wakes(&waker(2)));
        drop(dropped);
        assert_eq!((rung.recv(), rung.recv(), rung.recv()), (Ok(1), Ok(2), Ok(3)));
        assert!(early.has_rung() && moved.has_rung() && late.has_rung());
        assert!(!late.wakes(&waker(9)));
        // The thread may have ended meanwhile: another is started.
        let again = Alarm::set(Instant::now(), &waker(4));
        assert_eq!(rung.recv(), Ok(4));
        assert!(again.has_rung());
    }
}
