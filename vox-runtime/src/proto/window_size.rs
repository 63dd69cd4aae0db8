//! How large a receive window should be, by how fast the sender uses its credit.
//!
//! A round begins with a grant and ends with the first item that the sender could not have sent without it. Where the sender waits for credit
//! that is the link's round trip, and longer by what stands in a queue on the way. What comes between two pauses says how fast the link is.
//! The two together are what the link holds: a window of that and a little more keeps it busy, and a larger one only makes a queue, in which
//! everything else waits.

use std::time::{Duration, Instant};

/// A round trip that is shorter counts as this: a queue of that is no harm, and processes take as long to wake each other.
const SHORTEST: Duration = Duration::from_micros(500);
/// Over the shortest round by half: something waits in a queue, or the sender has nothing to send.
const FULL: f64 = 1.5;
/// A window has a quarter more than the link holds, for grants come in steps.
const SPARE: f64 = 1.25;
/// The most that a window grows at once, and where what came does not say how fast the link is.
const LEAP: i64 = 16;
const STEP: i64 = 4;
/// A pause of more than this part of a round is the sender's wait for credit.
const PAUSE: f64 = 0.25;

/// How many bytes the window should have. It grows only while its reader keeps up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Grow(i64),
    Shrink(i64),
}

/// What a channel's receiver knows of the way to its sender.
#[derive(Debug)]
pub(super) struct Rounds {
    /// The shortest round yet.
    least: Option<Duration>,
    /// When something came last.
    last: Instant,
    round: Option<Round>,
    verdict: Option<Verdict>,
}

#[derive(Debug)]
struct Round {
    began: Instant,
    /// What the sender may send without the grant, in items and bytes.
    before: (i64, i64),
    /// How much came. An item weighs what it takes of the window.
    came: i64,
    /// The longest pause, and the weight of what ended it.
    pause: (Duration, i64),
}

impl Rounds {
    pub(super) fn new(now: Instant) -> Self {
        Self { least: None, last: now, round: None, verdict: None }
    }

    /// Credit was granted to a sender that had so much left.
    pub(super) fn granted(&mut self, now: Instant, left: (i64, i64)) {
        if self.round.is_none() {
            self.last = now;
            self.round = Some(Round { began: now, before: left, came: 0, pause: (Duration::ZERO, 0) });
        }
    }

    /// What the last round says. Who reads only when all has come long ago has no use for more.
    pub(super) fn verdict(&self, now: Instant) -> Option<Verdict> {
        let is_prompt = now.saturating_duration_since(self.last) <= self.round_trip();
        self.verdict.filter(|verdict| is_prompt || matches!(verdict, Verdict::Shrink(_)))
    }

    /// That is done, or is not to be done.
    pub(super) fn settle(&mut self) {
        self.verdict = None;
    }

    fn round_trip(&self) -> Duration {
        self.least.unwrap_or_default().max(SHORTEST)
    }

    /// So much came to a window of so many bytes, the last item of which had so many.
    pub(super) fn note(&mut self, now: Instant, (items, bytes): (i64, i64), last: i64, weight: i64, window: i64) {
        let Some(round) = &mut self.round else { return };
        let pause = now.saturating_duration_since(self.last);
        self.last = now;
        round.came += weight;
        round.before.0 -= items;
        round.before.1 -= bytes;
        if pause > round.pause.0 {
            round.pause = (pause, weight);
        }
        // An item takes its bytes from what was left before it, and may overdraw that.
        if round.before.0 < 0 || round.before.1 + last <= 0 {
            let (took, came) = (now.saturating_duration_since(round.began), round.came);
            let speed = round.speed(took);
            self.round = None;
            self.end(took, came, weight, speed, window);
        }
    }

    fn end(&mut self, took: Duration, came: i64, last: i64, speed: Option<f64>, window: i64) {
        // The item that ends the round takes its own time to come.
        let arriving = speed.map_or(0.0, |speed| last as f64 / speed);
        let took = took.saturating_sub(Duration::from_secs_f64(arriving.min(took.as_secs_f64() / 2.0)));
        self.least = Some(self.least.map_or(took, |least| least.min(took)));
        let round_trip = self.round_trip().as_secs_f64();
        let took = took.as_secs_f64();
        self.verdict = Some(if took > FULL * round_trip {
            Verdict::Shrink((SPARE * came as f64 / took * round_trip) as i64)
        } else {
            let fits = speed.map_or(STEP * window, |speed| (SPARE * speed * round_trip) as i64);
            Verdict::Grow(fits.clamp(window, LEAP * window))
        });
    }
}

impl Round {
    /// What came in a second while something came. `None`: all of it at once.
    fn speed(&self, took: Duration) -> Option<f64> {
        let (pause, after) = self.pause;
        let (busy, came) = match pause > took.mul_f64(PAUSE) {
            true => (took.saturating_sub(pause), self.came - after),
            false => (took, self.came),
        };
        (came > 0 && busy > Duration::ZERO).then(|| came as f64 / busy.as_secs_f64())
    }
}
