//! Links in their handshake: how many there may be, whose they are, and which gives way to another.
//!
//! A link comes onto the *step*, where it is listened to. One that shows the secret of a session goes on from there, and so does one that shows
//! another: it is refused. One that wants a new session
//! goes on into the *room*, in which it is asked who it is and what serves it; it leaves the step to the next, and waits in a queue where the room
//! is full. So links that say nothing take no place of one that speaks. When the step is full, one of those that have said nothing makes way, once it
//! has had time for a word: [`HalfOpen`] says which.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::peer_shares::{Account, HandshakeOf};
use super::silent_links::{HalfOpen, Place};
use crate::error::{Refusal, RefusalCode};
use crate::transport::Party;

/// How long one that has come may be silent, when others wait for its place: its first word comes with it, or right behind.
const A_WORD: Duration = Duration::from_millis(100);

/// The step, the queue and the room of one server, with as many places each.
pub(crate) struct Doorway(Arc<Floor>);

struct Floor {
    most: usize,
    step: Arc<Semaphore>,
    queue: Arc<Semaphore>,
    room: Arc<Semaphore>,
    /// Those on the step that are waited for.
    half_open: Mutex<HalfOpen>,
}

/// The right to be in a handshake. `None`: nobody counts. Apart, because few are here and the tasks of all sessions would be larger by it.
pub(crate) struct Entrance(Option<Box<OnStep>>);

struct OnStep {
    place: OwnedSemaphorePermit,
    waited_for: Option<WaitedFor>,
    floor: Arc<Floor>,
}

/// A link on the step that is to say something.
struct WaitedFor {
    place: Place,
    ends: CancellationToken,
    floor: Arc<Floor>,
}

/// A place in the room, and one among those of its peer.
pub(super) struct InRoom {
    _place: Option<OwnedSemaphorePermit>,
    _share: Option<HandshakeOf>,
}

impl Drop for WaitedFor {
    fn drop(&mut self) {
        self.floor.half_open().remove(&self.place);
    }
}

impl Doorway {
    pub(crate) fn new(most: usize) -> Self {
        let most = most.min(Semaphore::MAX_PERMITS);
        let places = || Arc::new(Semaphore::new(most));
        Self(Arc::new(Floor { most, step: places(), queue: places(), room: places(), half_open: Mutex::default() }))
    }

    /// The right to be in a handshake, of a link that has come, once there is a place.
    pub(crate) async fn enter(&self) -> Entrance {
        let place = self.0.place().await;
        Entrance(Some(Box::new(OnStep { place, waited_for: None, floor: Arc::clone(&self.0) })))
    }

    /// What comes next, and the right to be in a handshake. It is asked for nothing while there is no place for it.
    pub(crate) async fn next<T>(&self, next: impl Future<Output = T>) -> (T, Entrance) {
        let entrance = self.enter().await;
        (next.await, entrance)
    }
}

impl Floor {
    fn half_open(&self) -> MutexGuard<'_, HalfOpen> {
        self.half_open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place on the step. Where there is none, one after the other makes way.
    async fn place(&self) -> OwnedSemaphorePermit {
        let mut place = pin!(Arc::clone(&self.step).acquire_owned());
        let mut soonest = Instant::now();
        loop {
            let due = self.half_open().due().unwrap_or_else(|| Instant::now() + A_WORD);
            tokio::select! {
                biased;
                place = &mut place => return place.expect("nobody closes it"),
                () = tokio::time::sleep_until(due.max(soonest)) => {
                    let now = Instant::now();
                    self.half_open().send_away(now);
                    // Before another goes, this one has had time to leave.
                    soonest = now + A_WORD;
                }
            }
        }
    }

    /// A share of the room for one more of this peer's links: no more than so many, and no more than there are places left, so that few peers
    /// do not fill it. One it always has.
    fn share(&self, account: &Arc<Account>, most: usize) -> Result<HandshakeOf, Refusal> {
        let left = self.room.available_permits().max(1);
        account.take_handshake(most.min(left)).ok_or_else(|| {
            let whose = account.key.as_ref().map(ToString::to_string).unwrap_or_default();
            let why = match left < most {
                true => format!("{whose} has a link in its handshake for each of the {left} places that are left of {} (`max_pending_handshakes`)", self.most),
                false => format!("{whose} has {most} of {most} links in their handshake (`max_peer_handshakes`)"),
            };
            Refusal::new(RefusalCode::Busy, why)
        })
    }
}

impl Entrance {
    /// Of a link that is served alone.
    pub(crate) fn open() -> Self {
        Self(None)
    }

    /// The link, which is this peer's, is to say its first word.
    pub(super) fn waits_for_word(&mut self, party: Option<&Party>) {
        let Some(step) = &mut self.0 else { return };
        let (ends, floor) = (CancellationToken::new(), Arc::clone(&step.floor));
        let place = floor.half_open().put(party.cloned(), Instant::now() + A_WORD, ends.clone());
        step.waited_for = Some(WaitedFor { place, ends, floor });
    }

    /// The link has spoken, and is not sent away any more.
    pub(super) fn has_spoken(&mut self) {
        if let Some(step) = &mut self.0 {
            step.waited_for = None;
        }
    }

    /// Waits until this link is sent away, because it has said nothing and others come.
    pub(super) async fn sent_away(&self) {
        match self.0.as_ref().and_then(|step| step.waited_for.as_ref()) {
            Some(waited_for) => waited_for.ends.cancelled().await,
            None => std::future::pending().await,
        }
    }

    /// The link wants a new session, so it needs a place in the room, and of those that its peer may have, which are so many at most.
    pub(super) async fn wants_session(self, account: Option<Arc<Account>>, most: usize) -> Result<InRoom, Refusal> {
        let Some(step) = self.0 else { return Ok(InRoom { _place: None, _share: None }) };
        let OnStep { place, waited_for, floor } = *step;
        drop(waited_for);
        let share = account.map(|account| floor.share(&account, most)).transpose()?;
        let room = Arc::clone(&floor.room);
        let in_room = match Arc::clone(&room).try_acquire_owned() {
            Ok(in_room) => in_room,
            Err(_) => {
                let Ok(_waits) = Arc::clone(&floor.queue).try_acquire_owned() else {
                    let most = floor.most;
                    let why =
                        format!("{most} links are in their handshake and as many wait (`max_pending_handshakes`)");
                    return Err(Refusal::new(RefusalCode::Busy, why));
                };
                drop(place);
                room.acquire_owned().await.expect("nobody closes it")
            }
        };
        Ok(InRoom { _place: Some(in_room), _share: share })
    }
}

#[cfg(test)]
mod tests {
    use super::super::peer_shares::Accounts;
    use super::*;
    use crate::operation::Principal;

    fn party(name: &str) -> Option<Party> {
        Some(Party::named(name))
    }

    /// A link of this peer's that says nothing yet.
    async fn silent(doorway: &Doorway, name: &str) -> Entrance {
        let mut entrance = doorway.enter().await;
        entrance.waits_for_word(party(name).as_ref());
        entrance
    }

    async fn is_sent_away(entrance: &Entrance) -> bool {
        tokio::time::timeout(Duration::ZERO, entrance.sent_away()).await.is_ok()
    }

    /// How long it takes until a link gets in, while every one leaves that is sent away.
    async fn gets_in(doorway: &Doorway, silent: &mut Vec<Entrance>) -> Duration {
        let came = Instant::now();
        let mut enters = pin!(doorway.enter());
        loop {
            if tokio::time::timeout(Duration::from_millis(1), &mut enters).await.is_ok() {
                return came.elapsed();
            }
            let mut stay = Vec::new();
            for entrance in silent.drain(..) {
                if !is_sent_away(&entrance).await {
                    stay.push(entrance);
                }
            }
            *silent = stay;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_silent_makes_way_once_it_has_had_time_for_a_word_and_who_has_spoken_does_not() {
        let doorway = Doorway::new(4);
        let mut spoke = silent(&doorway, "a").await;
        let mut links = Vec::new();
        for _ in 0..3 {
            links.push(silent(&doorway, "a").await);
        }
        spoke.has_spoken();
        let waited = gets_in(&doorway, &mut links).await;
        assert!(waited >= A_WORD && waited <= A_WORD * 2, "{waited:?}");
        assert_eq!(links.len(), 2);
        assert!(!is_sent_away(&spoke).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_hello_is_heard_while_three_addresses_fill_every_place() {
        let doorway = Doorway::new(16);
        let slow = silent(&doorway, "honest").await;
        let mut links = Vec::new();
        for n in 0..15 {
            links.push(silent(&doorway, ["x", "y", "z"][n % 3]).await);
        }
        tokio::time::sleep(A_WORD).await;
        for n in 0..12 {
            let waited = gets_in(&doorway, &mut links).await;
            assert!(waited <= Duration::from_millis(2), "all have had their time: {waited:?}");
            links.push(silent(&doorway, ["x", "y", "z"][n % 3]).await);
            tokio::time::sleep(A_WORD).await;
        }
        assert!(!is_sent_away(&slow).await, "others have more than its one");
    }

    #[tokio::test(start_paused = true)]
    async fn who_speaks_takes_no_place_of_those_that_are_silent_and_leaves_its_own() {
        let doorway = Doorway::new(2);
        let _silent = silent(&doorway, "a").await;
        let mut rooms = Vec::new();
        for _ in 0..2 {
            rooms.push(silent(&doorway, "b").await.wants_session(None, 1).await.expect("a place"));
        }
        // The room is full: two wait, and the next is refused. The step is free for those that resume.
        let mut waiting = Vec::new();
        for _ in 0..2 {
            let mut waits = Box::pin(silent(&doorway, "b").await.wants_session(None, 1));
            let in_time = tokio::time::timeout(Duration::from_secs(60), &mut waits).await;
            assert!(in_time.is_err(), "the room is full");
            waiting.push(waits);
        }
        let refused = silent(&doorway, "b").await.wants_session(None, 1).await.err().expect("the queue is full");
        assert!(refused.reason.contains("`max_pending_handshakes`"), "{refused}");
        drop(silent(&doorway, "c").await);
        rooms.pop();
        assert!(waiting.swap_remove(0).await.is_ok());
    }

    /// Half for one, a third each for two, a quarter for three.
    #[tokio::test]
    async fn the_share_of_a_peer_shrinks_as_places_get_scarce_and_is_never_none() {
        let (doorway, accounts) = (Doorway::new(12), Accounts::default());
        let mut rooms = Vec::new();
        let mut come = async |name: &str, expected: usize| {
            let account = accounts.of(&Principal::anonymous(), party(name).as_ref());
            let mut found = 0;
            loop {
                let wants = silent(&doorway, name).await.wants_session(account.clone(), 512);
                let Ok(Ok(in_room)) = tokio::time::timeout(Duration::ZERO, wants).await else { break };
                rooms.push(in_room);
                found += 1;
            }
            assert_eq!(found, expected, "{name}");
        };
        come("a", 6).await;
        come("b", 3).await;
        come("c", 2).await;
        come("d", 1).await;
        let account = accounts.of(&Principal::anonymous(), party("e").as_ref());
        let mut waits = Box::pin(silent(&doorway, "e").await.wants_session(account, 512));
        assert!(tokio::time::timeout(Duration::ZERO, &mut waits).await.is_err(), "it waits, and is not refused");
        rooms.pop();
        assert!(waits.await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_after_a_long_quiet_has_time_for_a_word() {
        let doorway = Arc::new(Doorway::new(2));
        let _spoke = doorway.enter().await;
        let (comes, next) = tokio::sync::oneshot::channel::<()>();
        let waits = tokio::spawn({
            let doorway = Arc::clone(&doorway);
            async move { doorway.next(next).await }
        });
        tokio::time::sleep(Duration::from_secs(60)).await;
        comes.send(()).expect("it waits");
        let (_, mut came) = waits.await.expect("no panic");
        came.waits_for_word(None);
        let waited = gets_in(&doorway, &mut vec![came]).await;
        assert!(waited >= A_WORD, "{waited:?}");
    }
}
