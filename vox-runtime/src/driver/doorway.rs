//! Where links are that are in their handshake: how many there may be, and how those get in that only want their session back.
//!
//! There are so many places in the *room*, and on the *step* before it an eighth as many more. Who comes when the room is full is
//! listened to on the step. One that resumes a session goes on from there, so that no handshake of a stranger keeps it waiting; one that
//! wants a new session waits for its place in the room. When the step is full too, the one that has said nothing for longest is sent away, once it
//! has had time for a word.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::error::{Refusal, RefusalCode};

/// How long one that has come may be silent, when others wait for its place: its first word comes with it, or right behind.
pub(super) const A_WORD: Duration = Duration::from_millis(100);

/// The room and the step of one server.
pub(crate) struct Doorway {
    most: usize,
    room: Arc<Semaphore>,
    step: Arc<Semaphore>,
    /// How many that have said hello may yet wait for the room.
    queue: Arc<Semaphore>,
    /// Tells those who have a place and no link yet that a link waits for the room.
    wanted: Arc<Notify>,
    silent: Arc<Silent>,
}

/// A place, before it is known whose.
enum Place {
    Room(OwnedSemaphorePermit),
    Step(OwnedSemaphorePermit),
}

/// Those on the step that have said nothing yet, in the order in which they came.
#[derive(Default)]
struct Silent(Mutex<(u64, BTreeMap<u64, Waiter>)>);

/// Since when one of them is there, and what ends its handshake.
type Waiter = (Instant, CancellationToken);

/// The right to be in a handshake.
pub(crate) struct Entrance(Way);

enum Way {
    /// Nobody counts.
    Open,
    Room {
        place: OwnedSemaphorePermit,
    },
    /// Apart, because few are here and the tasks of all sessions would be larger by it.
    Step(Box<OnStep>),
}

struct OnStep {
    place: OwnedSemaphorePermit,
    silence: Silence,
    room: Arc<Semaphore>,
    queue: Arc<Semaphore>,
    wanted: Arc<Notify>,
    most: usize,
}

/// One on the step that has said nothing yet.
struct Silence {
    number: u64,
    ends: CancellationToken,
    silent: Arc<Silent>,
}

impl Drop for Silence {
    fn drop(&mut self) {
        self.silent.0.lock().unwrap_or_else(PoisonError::into_inner).1.remove(&self.number);
    }
}

impl Doorway {
    pub(crate) fn new(most: usize) -> Self {
        let most = most.min(Semaphore::MAX_PERMITS);
        let semaphore = |places| Arc::new(Semaphore::new(places));
        let step = semaphore((most / 8).max(1));
        let (room, queue, wanted) = (semaphore(most), semaphore(most), Arc::default());
        Self { most, room, step, queue, wanted, silent: Arc::default() }
    }

    /// The right to be in a handshake, of a link that has come, once there is a place.
    pub(crate) async fn enter(&self) -> Entrance {
        let place = self.place().await;
        self.entrance(place)
    }

    /// What comes next, and the right to be in a handshake. It is asked for nothing while there is no place for it; a place in the room
    /// that nothing has come for is given up for a link that is here.
    pub(crate) async fn next<T>(&self, next: impl Future<Output = T>) -> (T, Entrance) {
        let mut next = pin!(next);
        loop {
            // Who waits by now has been given a place before this one.
            let mut wanted = pin!(self.wanted.notified());
            wanted.as_mut().enable();
            let place = self.place().await;
            tokio::select! {
                biased;
                next = &mut next => return (next, self.entrance(place)),
                () = wanted, if matches!(place, Place::Room(_)) => {}
            }
        }
    }

    async fn place(&self) -> Place {
        if let Ok(place) = Arc::clone(&self.room).try_acquire_owned() {
            return Place::Room(place);
        }
        if let Ok(place) = Arc::clone(&self.step).try_acquire_owned() {
            return Place::Step(place);
        }
        let (mut room, mut step) =
            (pin!(Arc::clone(&self.room).acquire_owned()), pin!(Arc::clone(&self.step).acquire_owned()));
        let closed = "nobody closes it";
        loop {
            let due = self.silent.longest().map_or_else(|| Instant::now() + A_WORD, |since| since + A_WORD);
            tokio::select! {
                biased;
                place = &mut room => return Place::Room(place.expect(closed)),
                place = &mut step => return Place::Step(place.expect(closed)),
                () = tokio::time::sleep_until(due) => self.silent.send_away_before(Instant::now() - A_WORD),
            }
        }
    }

    /// The place is a link's, which has come now.
    fn entrance(&self, place: Place) -> Entrance {
        let place = match place {
            Place::Room(place) => return Entrance(Way::Room { place }),
            Place::Step(place) => place,
        };
        let (room, queue, wanted) = (Arc::clone(&self.room), Arc::clone(&self.queue), Arc::clone(&self.wanted));
        let (silence, most) = (self.silent.one(), self.most);
        Entrance(Way::Step(Box::new(OnStep { place, silence, room, queue, wanted, most })))
    }
}

impl Silent {
    fn one(self: &Arc<Self>) -> Silence {
        let ends = CancellationToken::new();
        let mut silent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        silent.0 += 1;
        let number = silent.0;
        silent.1.insert(number, (Instant::now(), ends.clone()));
        Silence { number, ends, silent: Arc::clone(self) }
    }

    /// Since when the one waits that has said nothing for longest.
    fn longest(&self) -> Option<Instant> {
        let silent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        silent.1.first_key_value().map(|(_, (since, _))| *since)
    }

    /// Sends the one away that has said nothing for longest, if it came by then.
    fn send_away_before(&self, then: Instant) {
        let mut silent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(first) = silent.1.first_entry()
            && first.get().0 <= then
        {
            first.remove().1.cancel();
        }
    }
}

impl Entrance {
    /// Of a link that is served alone.
    pub(crate) fn open() -> Self {
        Self(Way::Open)
    }

    /// Waits until this link is sent away, because it has said nothing and others come.
    pub(super) async fn sent_away(&self) {
        match &self.0 {
            Way::Step(step) => step.silence.ends.cancelled().await,
            Way::Open | Way::Room { .. } => std::future::pending().await,
        }
    }

    /// The link wants a session that there is, so it stays where it is. It has spoken, and is not sent away any more.
    pub(super) fn resumes(self) -> Option<OwnedSemaphorePermit> {
        match self.0 {
            Way::Step(step) => Some(step.place),
            Way::Room { place } => Some(place),
            Way::Open => None,
        }
    }

    /// The link wants a new session, so it needs a place in the room.
    pub(super) async fn wants_more(self) -> Result<Option<OwnedSemaphorePermit>, Refusal> {
        let Way::Step(step) = self.0 else { return Ok(self.resumes()) };
        let OnStep { place, silence, room, queue, wanted, most } = *step;
        drop((place, silence));
        if let Ok(place) = Arc::clone(&room).try_acquire_owned() {
            return Ok(Some(place));
        }
        let Ok(_waits) = queue.try_acquire_owned() else {
            let why = format!("{most} links are in their handshake and as many wait (`max_pending_handshakes`)");
            return Err(Refusal::new(RefusalCode::Busy, why));
        };
        let mut place = pin!(room.acquire_owned());
        // It is in the queue first, so that what is given up comes to it.
        if let Poll::Ready(place) = poll_fn(|cx| Poll::Ready(place.as_mut().poll(cx))).await {
            return Ok(Some(place.expect("nobody closes it")));
        }
        wanted.notify_waiters();
        Ok(Some(place.await.expect("nobody closes it")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_on_the_step(entrance: &Entrance) -> bool {
        matches!(entrance.0, Way::Step(_))
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_silent_for_longest_makes_way_and_who_has_spoken_does_not() {
        let doorway = Doorway::new(16);
        let mut in_room = Vec::new();
        for _ in 0..16 {
            in_room.push(doorway.enter().await);
        }
        assert!(!in_room.iter().any(is_on_the_step));
        let (first, second) = (doorway.enter().await, doorway.enter().await);
        assert!(is_on_the_step(&first) && is_on_the_step(&second));
        let spoke = first.resumes();
        let (came, third) = (Instant::now(), doorway.enter());
        let away = async {
            second.sent_away().await;
            drop(second);
        };
        let (third, ()) = tokio::join!(third, away);
        assert!(is_on_the_step(&third));
        assert!(came.elapsed() >= A_WORD, "it had time for a word");
        drop(spoke);
        // One that wants more than the step gives waits for the room.
        let mut waits = Box::pin(third.wants_more());
        let in_time = tokio::time::timeout(Duration::from_secs(1), &mut waits).await;
        assert!(in_time.is_err(), "the room is full");
        in_room.pop();
        assert!(waits.await.is_ok_and(|place| place.is_some()));
    }
    #[tokio::test(start_paused = true)]
    async fn a_place_that_no_link_has_come_for_is_given_to_one_that_is_here() {
        let doorway = Arc::new(Doorway::new(1));
        let first = doorway.enter().await;
        let second = doorway.enter().await;
        assert!(is_on_the_step(&second) && !is_on_the_step(&first));
        // As the task does that waits for links.
        let (comes, next) = tokio::sync::oneshot::channel::<&str>();
        let waits = tokio::spawn({
            let doorway = Arc::clone(&doorway);
            async move { doorway.next(next).await }
        });
        tokio::task::yield_now().await;
        drop(first);
        tokio::task::yield_now().await;
        let place = tokio::time::timeout(Duration::from_millis(1), second.wants_more()).await;
        assert!(place.is_ok_and(|place| place.is_ok()), "nobody is in the room");
        comes.send("the next").expect("it waits");
        assert_eq!(waits.await.expect("no panic").0, Ok("the next"));
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_after_a_long_quiet_has_time_for_a_word() {
        let doorway = Arc::new(Doorway::new(1));
        let _in_room = doorway.enter().await;
        let (comes, next) = tokio::sync::oneshot::channel::<()>();
        let waits = tokio::spawn({
            let doorway = Arc::clone(&doorway);
            async move { doorway.next(next).await }
        });
        tokio::time::sleep(Duration::from_secs(60)).await;
        comes.send(()).expect("it waits");
        let (_, on_step) = waits.await.expect("no panic");
        assert!(is_on_the_step(&on_step));
        let came = Instant::now();
        let away = async {
            on_step.sent_away().await;
            came.elapsed()
        };
        tokio::select! {
            after = away => assert!(after >= A_WORD, "sent away after {after:?}"),
            _ = doorway.enter() => unreachable!("both places are taken"),
        }
    }
}
