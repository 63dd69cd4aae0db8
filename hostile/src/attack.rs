//! An attack that is frames: what is sent, and what it did to the server.

use std::time::Duration;

use crate::answer::{Answer, hear, ping};
use crate::raw::{self, Frame, Raw, WELCOME};
use crate::victim::Victim;

/// What one peer sends.
#[derive(Debug, Clone)]
pub(crate) struct Attack {
    /// Its first message.
    pub(crate) hello: Vec<u8>,
    /// What makes the state that is attacked, step by step, and how many replies each gets: it is answered before the next.
    pub(crate) setup: Vec<(Vec<u8>, usize)>,
    /// The attack itself, and how many frames it is.
    pub(crate) bytes: Vec<u8>,
    pub(crate) frames: u32,
    /// How many replies it gets, those to the setup left out.
    pub(crate) replies: usize,
    /// At its end all that was received is acknowledged.
    pub(crate) acknowledges: bool,
}

impl Attack {
    pub(crate) fn of(frames: impl IntoIterator<Item = Frame>) -> Self {
        let mut attack =
            Self { hello: hello(), setup: Vec::new(), bytes: Vec::new(), frames: 0, replies: 0, acknowledges: false };
        for frame in frames {
            attack.bytes.extend(frame.wire());
            attack.frames += 1;
        }
        attack
    }

    pub(crate) fn bytes(bytes: Vec<u8>) -> Self {
        Self { bytes, frames: 1, ..Self::of([]) }
    }

    pub(crate) fn after(self, frames: impl IntoIterator<Item = Frame>) -> Self {
        self.after_answers(0, frames)
    }

    /// As [`after`](Self::after), and so many of the calls are answered before.
    pub(crate) fn after_answers(mut self, replies: usize, frames: impl IntoIterator<Item = Frame>) -> Self {
        self.setup.push((frames.into_iter().flat_map(|frame| frame.wire()).collect(), replies));
        self
    }

    /// The last frame acknowledges all that was received.
    pub(crate) fn acknowledging(mut self) -> Self {
        self.acknowledges = true;
        self.frames += 1;
        self
    }

    pub(crate) fn answered(mut self, replies: usize) -> Self {
        self.replies = replies;
        self
    }
}

fn hello() -> Vec<u8> {
    raw::hello(Some("Prey"), raw::LIMITS).wire()
}

/// What an attack did.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) answer: Answer,
    /// The most bytes that the server had more than before.
    pub(crate) memory: isize,
    /// The server's processor time for one of its frames.
    pub(crate) cpu: Duration,
    /// The longest that its thread had no time for anything else, where that was watched.
    pub(crate) held: Option<Duration>,
}

/// Plays an attack against a server.
pub(crate) async fn play(victim: &Victim, attack: &Attack) -> Seen {
    let begun = victim.meter.mark();
    let mut raw = Raw::new(victim.stream().await);
    let mut seen = Seen { answer: Answer::Fine, memory: 0, cpu: Duration::ZERO, held: None };
    let before = victim.meter.cpu();
    raw.try_write(&attack.hello).await;
    match raw.read().await {
        Some(read) if read.kind == WELCOME => {}
        Some(read) => seen.answer = Answer::Rejected(*read.body.get(4).unwrap_or(&0)),
        None => seen.answer = Answer::Closed,
    }
    raw.received = 0;
    for (step, replies) in &attack.setup {
        if seen.answer == Answer::Fine {
            raw.try_write(&[&step[..], &ping()].concat()).await;
            seen.answer = hear(&mut raw, *replies).await;
        }
    }
    if seen.answer == Answer::Fine {
        let idle = ping_costs(victim, &mut raw).await;
        let mut bytes = attack.bytes.clone();
        if attack.acknowledges {
            bytes.extend(raw::frame(raw::ACK).var(raw.received).wire());
        }
        bytes.extend(ping());
        let before = victim.meter.cpu();
        victim.watch.begin();
        raw.try_write(&bytes).await;
        seen.answer = hear(&mut raw, attack.replies).await;
        seen.held = victim.watch.end().await;
        seen.cpu = (victim.meter.cpu() - before).saturating_sub(idle) / attack.frames.max(1);
    } else {
        seen.cpu = victim.meter.cpu() - before;
    }
    seen.memory = victim.meter.peak() - begun;
    // Whatever it was, nothing is left of it.
    raw.try_write(&raw::frame(raw::GOODBYE).text("").wire()).await;
    seen
}

/// What the server spends on a ping that is alone: what an attack is measured with.
async fn ping_costs(victim: &Victim, raw: &mut Raw) -> Duration {
    let mut least = Duration::MAX;
    for _ in 0..5 {
        let before = victim.meter.cpu();
        raw.try_write(&ping()).await;
        if hear(raw, 0).await != Answer::Fine {
            break;
        }
        least = least.min(victim.meter.cpu() - before);
    }
    if least == Duration::MAX { Duration::ZERO } else { least }
}
