//! The watchdog: one thread of the process that finds sessions whose thread is blocked in user code.
//!
//! A handler is polled first in its session's own task, so user code that blocks holds up the session: its reading, writing and
//! time. Before a thread runs user code of a session it marks its [`Post`]; the watchdog looks at all posts now and then ([`Rounds`]).
//! A thread that is still in the same user code at the next look is held up. Then the session gets another task, on another
//! thread of its runtime, which is in charge from then on ([`Relievable::relieve`]). The task that was held up hands over what it knows
//! of methods' paces and ends.
//!
//! The spawn from outside wakes a worker of the runtime as well: tokio polls sockets and timers on a worker that has nothing
//! else to do, and where the blocked one was that worker, nobody would.
//!
//! What a thread has woken just before it is held up would wait with it, for tokio keeps that task for that thread alone. So a task that does
//! nothing takes its place before user code runs (`share_woken`).
//!
//! On a runtime with one thread nothing can help, so nothing is marked there. The watchdog sleeps while no post is used.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, Thread};
use std::time::Duration;

use crate::catch_panic::catch_panic;

/// Between two looks while nothing blocks. Each look takes the processor from busy workers, which costs a call of a few µs some percent
/// when there are 500 looks a second.
const CALM: Duration = Duration::from_millis(20);
/// Between a look that finds a thread in user code and the next. Code that both find counts as blocking.
const CLOSE: Duration = Duration::from_millis(2);
/// How many looks stay close after one that found blocking code: where one call blocks, others will.
const CLOSE_LOOKS: u32 = 128;
/// After so many looks that found nothing new the watchdog sleeps until a post is marked.
const IDLE_LOOKS: u32 = 8;

static WATCHDOG: Watchdog = Watchdog {
    asleep: AtomicBool::new(false),
    table: Mutex::new(PostTable { posts: Vec::new(), sessions: BTreeMap::new(), thread: None }),
};

struct Watchdog {
    /// One that marks a post has to wake the watchdog.
    asleep: AtomicBool,
    table: Mutex<PostTable>,
}

struct PostTable {
    /// One for each thread that runs user code of sessions, so a few.
    posts: Vec<Watched>,
    /// The sessions that can get another task, by their numbers.
    pub(super) sessions: BTreeMap<u64, Weak<dyn Relievable>>,
    pub(super) thread: Option<Thread>,
}

/// A session that can get another task.
pub(super) trait Relievable: Send + Sync {
    /// How many turns its tasks have had.
    fn turns(&self) -> u64;

    /// A thread is held up in user code of this session. If that is the session's own task, or one that kept it from being
    /// run, another takes over. Called for the first time in this stay in user code, or again because the session has had no
    /// turn since.
    fn relieve(self: Arc<Self>, is_first: bool);
}

/// What one thread says of itself.
#[derive(Default)]
struct Post {
    /// Which of the thread's visits to user code this is. [`NOWHERE`]: it is in none.
    visit: AtomicU64,
    /// The session whose user code it is.
    session: AtomicU64,
    /// How many visits there were. Only its thread writes this.
    visits: AtomicU64,
}

const NOWHERE: u64 = 0;

/// A post, and what the watchdog saw last.
struct Watched {
    post: Weak<Post>,
    visit: u64,
    visits: u64,
    /// The session has been seen to in this visit, and had had so many turns at the last look.
    seen_to: Option<u64>,
}

thread_local! {
    static POST: Arc<Post> = WATCHDOG.new_post();
}

thread_local! {
    /// In this turn of a session this thread has woken a task.
    pub(super) static HAS_WOKEN: Cell<bool> = const { Cell::new(false) };
}

/// This thread has woken a task; or a turn begins in which it has woken none.
#[inline]
pub(super) fn has_woken(has_woken: bool) {
    let _ = HAS_WOKEN.try_with(|cell| cell.set(has_woken));
}

/// From now on the watchdog sees to this session.
pub(super) fn look_after(number: u64, session: Weak<dyn Relievable>) {
    let mut table = WATCHDOG.table();
    table.sessions.insert(number, session);
    if table.thread.is_none() {
        match thread::Builder::new().name("vox-watchdog".to_owned()).spawn(|| WATCHDOG.run()) {
            Ok(started) => table.thread = Some(started.thread().clone()),
            Err(error) => {
                catch_panic(
                    || tracing::warn!(%error, "no thread to look out for blocked handlers: they hold up their sessions"),
                );
            }
        }
    }
}

/// The session is gone.
pub(super) fn forget(number: u64) {
    // Dropped once the lock is free.
    let _gone = WATCHDOG.table().sessions.remove(&number);
}

/// Runs user code of a session where the watchdog sees it. `None`: nobody looks.
#[inline]
pub(super) fn in_user_code<R>(session: Option<u64>, run: impl FnOnce() -> R) -> R {
    match session {
        None => run(),
        Some(session) => in_sight(session, run),
    }
}

#[inline]
fn in_sight<R>(session: u64, run: impl FnOnce() -> R) -> R {
    let mut run = Some(run);
    let mut once = || run.take().map(|run| run());
    let ran = POST.try_with(|post| {
        let _visit = post.enter(session);
        once()
    });
    // Where the thread ends just now, it has no post any more.
    ran.ok().flatten().or_else(once).expect("it runs once")
}

impl Post {
    #[inline]
    fn enter(&self, session: u64) -> Visit<'_> {
        let before = (self.visit.load(Ordering::Relaxed), self.session.load(Ordering::Relaxed));
        let visit = self.visits.load(Ordering::Relaxed) + 1;
        self.visits.store(visit, Ordering::Relaxed);
        self.session.store(session, Ordering::Relaxed);
        // In one order with `asleep`: either the watchdog sees the visit before it sleeps, or this sees that it sleeps.
        self.visit.store(visit, Ordering::SeqCst);
        if WATCHDOG.asleep.load(Ordering::SeqCst) {
            WATCHDOG.wake();
        }
        Visit { post: self, before }
    }
}

/// A visit to user code, until it is dropped. Then the one around it goes on, if there is one.
struct Visit<'a> {
    post: &'a Post,
    before: (u64, u64),
}

impl Drop for Visit<'_> {
    #[inline]
    fn drop(&mut self) {
        self.post.session.store(self.before.1, Ordering::Relaxed);
        self.post.visit.store(self.before.0, Ordering::Release);
    }
}

impl Watchdog {
    pub(super) fn table(&self) -> MutexGuard<'_, PostTable> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn new_post(&self) -> Arc<Post> {
        let post = Arc::new(Post::default());
        self.table().posts.push(Watched { post: Arc::downgrade(&post), visit: NOWHERE, visits: 0, seen_to: None });
        post
    }

    #[cold]
    fn wake(&self) {
        if self.asleep.swap(false, Ordering::SeqCst)
            && let Some(thread) = &self.table().thread
        {
            thread.unpark();
        }
    }

    pub(super) fn run(&self) {
        let mut rounds = Rounds::default();
        loop {
            thread::sleep(rounds.pause());
            if !rounds.note(self.look()) {
                continue;
            }
            self.asleep.store(true, Ordering::SeqCst);
            if self.look() == Seen::default() {
                while self.asleep.load(Ordering::SeqCst) {
                    thread::park();
                }
            }
            self.asleep.store(false, Ordering::SeqCst);
            rounds = Rounds::default();
        }
    }

    /// Looks at every post, and sees to the sessions whose threads are held up.
    fn look(&self) -> Seen {
        let mut seen = Seen::default();
        let mut held_up = Vec::new();
        let mut table = self.table();
        let PostTable { posts, sessions, .. } = &mut *table;
        posts.retain_mut(|watched| {
            let Some(post) = watched.post.upgrade() else { return false };
            let (at_post, session) = watched.look(&post);
            seen.add(at_post);
            if let Some(shared) = session.and_then(|session| sessions.get(&session)).and_then(Weak::upgrade) {
                let turns = shared.turns();
                // Kept until the lock is free, for it may be the last that is left of the session.
                held_up.push((shared, watched.seen_to.replace(turns), turns));
            }
            true
        });
        drop(table);
        for (shared, before, turns) in held_up {
            let is_first = before.is_none();
            catch_panic(move || {
                if is_first || before == Some(turns) {
                    shared.relieve(is_first);
                }
            });
        }
        seen
    }
}

/// What a look found, at one post or at all.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Seen {
    /// User code ran since the look before.
    is_new: bool,
    /// A thread is in user code.
    is_inside: bool,
    /// A thread is in the user code that it was in at the look before.
    is_held_up: bool,
}

impl Seen {
    fn add(&mut self, other: Self) {
        self.is_new |= other.is_new;
        self.is_inside |= other.is_inside;
        self.is_held_up |= other.is_held_up;
    }
}

/// When the watchdog looks. Code that blocks for `CALM + CLOSE` is always found; the first that runs after a sleep, and all that runs
/// soon after some that blocked, in twice `CLOSE`.
#[derive(Default)]
struct Rounds {
    is_begun: bool,
    is_inside: bool,
    /// How many more looks are close.
    close: u32,
    /// How many looks in a row found nothing new.
    idle: u32,
}

impl Rounds {
    /// How long until the next look.
    fn pause(&self) -> Duration {
        if self.is_begun && !self.is_inside && self.close == 0 { CALM } else { CLOSE }
    }

    /// Takes up what a look found. `true`: the watchdog may sleep.
    fn note(&mut self, seen: Seen) -> bool {
        self.is_begun = true;
        // One second look tells what blocks. Code that is new at each look is quick.
        self.is_inside = seen.is_inside && !self.is_inside;
        self.close = if seen.is_held_up { CLOSE_LOOKS } else { self.close.saturating_sub(1) };
        self.idle = if seen == Seen::default() { self.idle + 1 } else { 0 };
        self.idle >= IDLE_LOOKS
    }
}

impl Watched {
    /// What is seen at the post, and the session that is held up there.
    fn look(&mut self, post: &Post) -> (Seen, Option<u64>) {
        let visit = post.visit.load(Ordering::SeqCst);
        let (session, visits) = (post.session.load(Ordering::Relaxed), post.visits.load(Ordering::Relaxed));
        if visit != self.visit || visit == NOWHERE {
            let is_new = visit != self.visit || visits != self.visits;
            (self.visit, self.visits, self.seen_to) = (visit, visits, None);
            return (Seen { is_new, is_inside: visit != NOWHERE, is_held_up: false }, None);
        }
        (Seen { is_new: false, is_inside: true, is_held_up: true }, Some(session))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watched(post: &Arc<Post>) -> Watched {
        Watched { post: Arc::downgrade(post), visit: NOWHERE, visits: 0, seen_to: None }
    }

    const NOTHING: Seen = Seen { is_new: false, is_inside: false, is_held_up: false };
    const GONE: Seen = Seen { is_new: true, ..NOTHING };
    const INSIDE: Seen = Seen { is_new: true, is_inside: true, is_held_up: false };
    const HELD_UP: Seen = Seen { is_new: false, is_inside: true, is_held_up: true };

    #[test]
    fn a_visit_that_two_looks_find_is_held_up() {
        let post = Arc::new(Post::default());
        let mut watched = watched(&post);
        assert_eq!(watched.look(&post), (NOTHING, None));
        let visit = post.enter(7);
        assert_eq!(watched.look(&post), (INSIDE, None), "it may be quick");
        assert_eq!(watched.look(&post), (HELD_UP, Some(7)));
        assert_eq!(watched.look(&post), (HELD_UP, Some(7)));
        drop(visit);
        assert_eq!(watched.look(&post), (GONE, None));
        assert_eq!(watched.look(&post), (NOTHING, None), "nobody is there");
    }

    #[test]
    fn quick_visits_are_never_held_up_and_keep_the_lookout_awake() {
        let post = Arc::new(Post::default());
        let mut watched = watched(&post);
        for session in 0..10 {
            let visit = post.enter(session);
            assert_eq!(watched.look(&post), (INSIDE, None));
            drop(visit);
            drop(post.enter(session));
            assert_eq!(watched.look(&post), (GONE, None));
        }
    }

    #[test]
    fn a_visit_within_a_visit_gives_way_to_the_one_around_it() {
        let post = Arc::new(Post::default());
        let mut watched = watched(&post);
        let outer = post.enter(1);
        watched.look(&post);
        let inner = post.enter(2);
        assert_eq!(watched.look(&post), (INSIDE, None));
        assert_eq!(watched.look(&post), (HELD_UP, Some(2)));
        drop(inner);
        assert_eq!(watched.look(&post), (INSIDE, None));
        assert_eq!(watched.look(&post), (HELD_UP, Some(1)));
        drop(outer);
    }

    /// The pauses before the looks that find these.
    fn pauses(seen: &[Seen]) -> Vec<Duration> {
        let mut rounds = Rounds::default();
        let pause = |seen: &Seen| {
            let pause = rounds.pause();
            assert!(!rounds.note(*seen));
            pause
        };
        seen.iter().map(pause).collect()
    }

    #[test]
    fn what_blocks_after_a_sleep_is_found_by_two_close_looks() {
        assert_eq!(pauses(&[INSIDE, HELD_UP]), [CLOSE, CLOSE]);
    }

    #[test]
    fn a_thread_in_user_code_is_looked_at_again_soon_and_once() {
        assert_eq!(pauses(&[GONE, INSIDE, HELD_UP]), [CLOSE, CALM, CLOSE]);
        assert_eq!(
            pauses(&[GONE, INSIDE, INSIDE, INSIDE, GONE]),
            [CLOSE, CALM, CLOSE, CALM, CLOSE],
            "it is busy, and quick"
        );
    }

    #[test]
    fn looks_stay_close_for_a_while_after_one_that_found_what_blocks() {
        let mut rounds = Rounds::default();
        assert!(!rounds.note(INSIDE));
        assert!(!rounds.note(HELD_UP));
        for _ in 0..CLOSE_LOOKS {
            assert_eq!(rounds.pause(), CLOSE);
            assert!(!rounds.note(GONE));
        }
        assert_eq!(rounds.pause(), CALM);
    }

    #[test]
    fn the_lookout_sleeps_when_enough_looks_found_nothing() {
        let mut rounds = Rounds::default();
        let mut looks = |count| (0..count).map(|_| rounds.note(NOTHING)).collect::<Vec<_>>();
        assert!(!looks(IDLE_LOOKS - 1).contains(&true));
        assert_eq!(looks(1), [true]);
    }
}
