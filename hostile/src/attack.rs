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
    /// What makes the state that is attacked, step by step: each is answered before the next.
    pub(crate) setup: Vec<Vec<u8>>,
    /// The attack itself, and how many frames it is.
    pub(crate) bytes: Vec<u8>,
    pub(crate) frames: u32,
    /// How many replies it gets, those to the setup left out.
    pub(crate) replies: usize,
}

impl Attack {
    pub(crate) fn of(frames: impl IntoIterator<Item = Frame>) -> Self {
        let mut attack = Self { hello: hello(), setup: Vec::new(), bytes: Vec::new(), frames: 0, replies: 0 };
        for frame in frames {
            attack.bytes.extend(frame.wire());
            attack.frames += 1;
        }
        attack
    }

    pub(crate) fn bytes(bytes: Vec<u8>) -> Self {
        Self { bytes, frames: 1, ..Self::of([]) }
    }

    pub(crate) fn after(mut self, frames: impl IntoIterator<Item = Frame>) -> Self {
        self.setup.push(frames.into_iter().flat_map(|frame| frame.wire()).collect());
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
}

/// Plays an attack against a server.
pub(crate) async fn play(victim: &Victim, attack: &Attack) -> Seen {
    let begun = victim.meter.mark();
    let mut raw = Raw::new(victim.stream().await);
    let mut seen = Seen { answer: Answer::Fine, memory: 0, cpu: Duration::ZERO };
    let before = victim.meter.cpu();
    raw.try_write(&attack.hello).await;
    match raw.read().await {
        Some(read) if read.kind == WELCOME => {}
        Some(read) => seen.answer = Answer::Rejected(*read.body.get(4).unwrap_or(&0)),
        None => seen.answer = Answer::Closed,
    }
    for step in &attack.setup {
        if seen.answer == Answer::Fine {
            raw.try_write(&[&step[..], &ping()].concat()).await;
            seen.answer = hear(&mut raw, 0).await;
        }
    }
    if seen.answer == Answer::Fine {
        let idle = ping_costs(victim, &mut raw).await;
        let before = victim.meter.cpu();
        raw.try_write(&[&attack.bytes[..], &ping()].concat()).await;
        seen.answer = hear(&mut raw, attack.replies).await;
        seen.cpu = (victim.meter.cpu() - before).saturating_sub(idle) / attack.frames.max(1);
    } else {
        seen.cpu = victim.meter.cpu() - before;
    }
    seen.memory = victim.meter.peak() - begun;
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
