//! What the peer is answered without anybody's doing, and how much of that it may ask for.

use super::Session;
use crate::error::{ProtocolViolation, Rule};
use crate::wire::Frame;

/// Answers to control messages (pongs, refusals) that may wait unread before the peer counts as flooding.
pub(in super::super) const MAX_UNREAD_ANSWERS: usize = 1024;

impl Session {
    pub(super) fn on_ping(&mut self, nonce: u64) -> Result<(), ProtocolViolation> {
        self.answer_allowed()?;
        self.fx.send(&Frame::Pong { nonce });
        self.unread_answers.push_back(self.fx.outbox.end());
        self.fx.note_answer();
        Ok(())
    }

    pub(super) fn answer_allowed(&mut self) -> Result<(), ProtocolViolation> {
        while self.unread_answers.front().is_some_and(|end| *end <= self.fx.outbox.written()) {
            self.unread_answers.pop_front();
        }
        if self.unread_answers.len() >= MAX_UNREAD_ANSWERS {
            let why = format!("{MAX_UNREAD_ANSWERS} answers to pings and opens wait unread");
            return Err(ProtocolViolation::new(Rule::Flood, why));
        }
        self.acknowledges()
    }

    /// What is kept until it is acknowledged must not grow by what the peer asks for.
    pub(super) fn acknowledges(&mut self) -> Result<(), ProtocolViolation> {
        match self.fx.keeps_too_many_answers() {
            true => Err(ProtocolViolation::new(Rule::Flood, "answers are read, and never acknowledged")),
            false => Ok(()),
        }
    }
}
