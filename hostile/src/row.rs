//! A row of the table: a limit or a threat, attacked from both sides.

use std::pin::Pin;
use std::time::Duration;

use crate::answer::Answer;
use crate::attack::{Attack, Seen};
use crate::victim::{Setting, Victim};

pub(crate) type Local<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// How a row is attacked, with a number that stands before, at or behind its bound.
#[derive(Clone, Copy)]
pub(crate) enum Play {
    /// One peer sends frames.
    Frames(fn(u64) -> Attack),
    /// Several peers, or one that does more than to send.
    Scene(for<'a> fn(&'a Victim, u64) -> Local<'a, Seen>),
    /// On a paused clock and a link of memory, so that hours pass at once and nothing depends on the machine.
    Paused(fn(u64) -> Local<'static, Answer>),
}

/// One attack of a row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    pub(crate) place: &'static str,
    pub(crate) n: u64,
    pub(crate) expected: Answer,
}

#[derive(Clone)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// What is sent; `{n}` stands for the case's number.
    pub(crate) sends: &'static str,
    pub(crate) setting: Setting,
    pub(crate) play: Play,
    pub(crate) cases: Vec<Case>,
    /// The most bytes that the server may have more than before.
    pub(crate) memory: isize,
    /// The most bytes that it may have more once the attack is over.
    pub(crate) left: isize,
    /// The most processor time that a frame of it may cost the server, where there is a bound.
    pub(crate) cost: Option<Duration>,
    /// The longest that its thread may have no time for anything else, where there is a bound.
    pub(crate) held: Option<Duration>,
    /// Why an honest client may have to wait here, where it may: a long decode that is bounded by its size.
    pub(crate) slow: Option<&'static str>,
}

/// What one client may make a server keep.
pub(crate) const SHARE: isize = 64 << 20;

/// What a server keeps of buffers.
const BUFFERS: isize = 256 << 10;

/// What a process with sessions keeps of memory for long messages to come.
pub(crate) const STOCK: isize = 8 << 20;

impl Row {
    fn new(name: &'static str, sends: &'static str, play: Play) -> Self {
        Self {
            name,
            sends,
            setting: Setting::default(),
            play,
            cases: Vec::new(),
            memory: SHARE,
            left: BUFFERS,
            cost: None,
            held: None,
            slow: None,
        }
    }

    pub(crate) fn frames(name: &'static str, sends: &'static str, attack: fn(u64) -> Attack) -> Self {
        Self::new(name, sends, Play::Frames(attack))
    }

    pub(crate) fn scene(
        name: &'static str,
        sends: &'static str,
        scene: for<'a> fn(&'a Victim, u64) -> Local<'a, Seen>,
    ) -> Self {
        Self::new(name, sends, Play::Scene(scene))
    }

    pub(crate) fn paused(name: &'static str, sends: &'static str, play: fn(u64) -> Local<'static, Answer>) -> Self {
        Self::new(name, sends, Play::Paused(play))
    }

    /// All is well up to `most`, and one more is answered so.
    pub(crate) fn bound(self, most: u64, past: Answer) -> Self {
        self.case("under", most - 1, Answer::Fine).case("at", most, Answer::Fine).case("over", most + 1, past)
    }

    pub(crate) fn case(mut self, place: &'static str, n: u64, expected: Answer) -> Self {
        self.cases.push(Case { place, n, expected });
        self
    }

    pub(crate) fn with(mut self, setting: impl FnOnce(&mut Setting)) -> Self {
        setting(&mut self.setting);
        self
    }

    pub(crate) fn memory(mut self, bytes: isize) -> Self {
        self.memory = bytes;
        self
    }

    pub(crate) fn leaves(mut self, bytes: isize) -> Self {
        self.left = bytes + BUFFERS;
        self
    }

    pub(crate) fn costs(mut self, most: Duration) -> Self {
        self.cost = Some(most);
        self
    }

    pub(crate) fn holds(mut self, most: Duration) -> Self {
        self.held = Some(most);
        self
    }

    pub(crate) fn slow(mut self, why: &'static str) -> Self {
        self.slow = Some(why);
        self
    }
}
