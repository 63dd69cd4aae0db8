//! The link between the ends: cut at any byte, noticed sooner or later, replaced by another.

use std::collections::VecDeque;

use super::super::Batch;
use super::world::World;
use crate::error::EndReason;

/// The link that there is now. Of those before it nothing is left but what an end has not noticed.
#[derive(Debug)]
pub(super) struct Link {
    /// Bytes on their way, by the end that wrote them.
    pub(super) pipes: [VecDeque<u8>; 2],
    /// Whether each end still holds its half.
    pub(super) attached: [bool; 2],
    /// Whether what each end writes goes nowhere.
    void: [bool; 2],
}

impl Default for Link {
    fn default() -> Self {
        Self { pipes: Default::default(), attached: [true; 2], void: [false; 2] }
    }
}

impl Link {
    pub(super) fn is_cut(&self) -> bool {
        self.attached != [true; 2] || self.void != [false; 2]
    }

    pub(super) fn write(&mut self, e: usize, bytes: &[u8]) {
        if !self.void[e] {
            self.pipes[e].extend(bytes);
        }
    }
}

impl World {
    /// The link is cut: of what is on it a part still arrives, of what is written from now on nothing.
    pub(super) fn cut(&mut self) {
        for e in 0..2 {
            let there = self.link.pipes[e].len();
            let left = if self.rng.percent(50) { self.rng.below(there + 1) } else { 0 };
            self.link.pipes[e].truncate(left);
            self.link.void[e] = true;
            self.note(e, "cut", &[left as u64]);
        }
        let e = self.rng.below(2);
        self.notice(e);
    }

    /// An end hears that its link is gone.
    pub(super) fn notice(&mut self, e: usize) {
        if self.link.attached[e] && self.link.void[e] {
            self.note(e, "link lost", &[]);
            self.lose_link(e);
        }
    }

    fn lose_link(&mut self, e: usize) {
        self.link.attached[e] = false;
        if !self.ends[e].resumes {
            self.lose(None);
        }
        self.ends[e].session.link_lost(self.now, EndReason::LinkLost("cut".into()));
        self.drain(e);
    }

    /// What an end drops with its link.
    pub(super) fn detach(&mut self, e: usize) {
        self.link.attached[e] = false;
        self.link.void[1 - e] = true;
        self.link.pipes[1 - e].clear();
        let end = &mut self.ends[e];
        end.batch = Batch::default();
        end.unreported = 0;
        end.leaving = 0;
        end.incoming.clear();
        end.held_off = None;
        if let Some((_, lent)) = end.part.take() {
            end.session.take_back(lent);
        }
        assert!(!end.session.has_output(), "something is to be written without a link");
        self.note(e, "detached", &[]);
    }

    /// The initiator tries to resume. Anything may be lost on the way.
    pub(super) fn reconnect(&mut self) {
        let ready = |world: &Self| world.ends.iter().all(|end| end.ended.is_none() && end.resumes);
        if !ready(self) || !self.ends[0].session.is_detached() {
            return;
        }
        let stage = if self.rng.percent(60) { 3 } else { self.rng.below(3) };
        self.resume(stage);
    }

    /// `0`: the question is lost, `1`: the answer, `2`: the confirmation, `3`: nothing is.
    fn resume(&mut self, stage: usize) {
        let asked = self.ends[0].session.received();
        self.note(0, "resume", &[asked, stage as u64]);
        if stage == 0 {
            return;
        }
        if !self.ends[1].session.is_detached() {
            // Its link may be half open, and late bytes on it: from here on it counts for nothing.
            self.lose_link(1);
        }
        let answered = self.ends[1].session.received();
        if stage == 1 {
            return;
        }
        if self.rng.percent(3) {
            return self.lie(asked);
        }
        self.link = Link { attached: [true, stage == 3], void: [stage == 2, stage == 2], ..Link::default() };
        self.ends[0].session.resume(self.now, answered).expect("the acceptor says what it has");
        self.drain(0);
        if stage == 3 {
            self.ends[1].session.resume(self.now, asked).expect("the initiator says what it has");
            self.drain(1);
            self.resumed += 1;
        }
    }

    /// Says to have received what it cannot have, or has long acknowledged: nothing goes on from there.
    fn lie(&mut self, asked: u64) {
        self.lose(None);
        let sent = self.ends[0].session.outbox().end();
        let false_claim = sent + 1 + self.rng.below(100) as u64;
        assert!(self.ends[0].session.resume(self.now, false_claim).is_err(), "a claim past the end is believed");
        self.note(0, "lie", &[asked, false_claim]);
        self.drain(0);
        assert!(matches!(self.ends[0].ended, Some(EndReason::Lost(_))));
        self.ends[1].session.lost("the peer says so");
        self.drain(1);
    }

    /// A link that holds, if the session can still have one. `false`: it cannot.
    pub(super) fn mend(&mut self) -> bool {
        if self.ends.iter().any(|end| end.ended.is_some()) {
            return false;
        }
        if !self.link.is_cut() {
            return true;
        }
        for e in 0..2 {
            self.notice(e);
        }
        if self.ends.iter().any(|end| end.ended.is_some()) {
            return false;
        }
        if !self.ends[0].session.is_detached() {
            self.lose_link(0);
        }
        while self.link.is_cut() && self.ends.iter().all(|end| end.ended.is_none()) {
            self.resume(3);
        }
        self.ends.iter().all(|end| end.ended.is_none())
    }

    /// The link goes and none follows.
    pub(super) fn cut_for_good(&mut self) {
        self.lose(None);
        self.link.void = [true; 2];
        for e in 0..2 {
            self.lose_link(e);
            while self.ends[e].ended.is_none() {
                let at = self.ends[e].session.poll_timeout().expect("the wait for a link ends");
                self.now = self.now.max(at);
                self.ends[e].session.handle_timeout(self.now);
                self.drain(e);
            }
        }
    }
}
