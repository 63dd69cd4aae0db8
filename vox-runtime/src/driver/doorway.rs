//! Where links are that are in their handshake: how many there may be, and how those get in that only want their session back.
//!
//! There are so many places in the *room*, and on the *step* before it an eighth as many more. Who comes when the room is full is
//! listened to on the step. One that resumes a session goes on from there, so that no handshake of a stranger keeps it waiting; one that
//! wants a new session waits for its place in the room. When the step is full too, the one that has said nothing for longest is sent away, once it
//! has had time for a word.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::error::{Refusal, RefusalCode};

/// How long one that has come may be silent, when others wait for its place: its first word comes with it, or right behind.
const A_WORD: Duration = Duration::from_millis(100);

/// The room and the step of one server.
pub(crate) struct Doorway {
    most: usize,
    room: Arc<Semaphore>,
    step: Arc<Semaphore>,
    /// How many that have said hello may yet wait for the room.
    queue: Arc<Semaphore>,
    silent: Arc<Silent>,
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
        Self { most, room: semaphore(most), step, queue: semaphore(most), silent: Arc::default() }
    }

    /// The right to be in a handshake, once there is a place.
    pub(crate) async fn enter(&self) -> Entrance {
        if let Ok(place) = Arc::clone(&self.room).try_acquire_owned() {
            return Entrance(Way::Room { place });
        }
        if let Ok(place) = Arc::clone(&self.step).try_acquire_owned() {
            return self.step(place);
        }
        let (mut room, mut step) =
            (pin!(Arc::clone(&self.room).acquire_owned()), pin!(Arc::clone(&self.step).acquire_owned()));
        let closed = "nobody closes it";
        loop {
            let due = self.silent.longest().map_or_else(|| Instant::now() + A_WORD, |since| since + A_WORD);
            tokio::select! {
                biased;
                place = &mut room => return Entrance(Way::Room { place: place.expect(closed) }),
                place = &mut step => return self.step(place.expect(closed)),
                () = tokio::time::sleep_until(due) => self.silent.send_away_before(Instant::now() - A_WORD),
            }
        }
    }

    fn step(&self, place: OwnedSemaphorePermit) -> Entrance {
        let (room, queue, most) = (Arc::clone(&self.room), Arc::clone(&self.queue), self.most);
        Entrance(Way::Step(Box::new(OnStep { place, silence: self.silent.one(), room, queue, most })))
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
        let OnStep { place, silence, room, queue, most } = *step;
        drop((place, silence));
        let Ok(_waits) = queue.try_acquire_owned() else {
            let why = format!("{most} links are in their handshake and as many wait (`max_pending_handshakes`)");
            return Err(Refusal::new(RefusalCode::Busy, why));
        };
        Ok(Some(room.acquire_owned().await.expect("nobody closes it")))
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
}
