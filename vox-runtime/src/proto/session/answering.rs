//! Answers of vox itself to the peer, and how many of them it may ask for.

use std::collections::VecDeque;

use super::Session;
use crate::error::{ProtocolViolation, Rule};
use crate::wire::Frame;

/// Answers to control messages (pongs, refusals) that may wait unread before the peer counts as flooding.
pub(in super::super) const MAX_UNREAD_ANSWERS: usize = 1024;

/// The bytes of such answers that may. An honest peer asks for no more connections at once than it may have.
pub(in super::super) const MAX_UNREAD_BYTES: usize = 256 << 10;

/// Answers that are not written yet, by where in the stream they end and how long they are.
#[derive(Debug, Default)]
pub(super) struct Unread {
    answers: VecDeque<(u64, usize)>,
    bytes: usize,
}

impl Unread {
    fn put(&mut self, start: u64, end: u64) {
        let len = (end - start) as usize;
        self.answers.push_back((end, len));
        self.bytes += len;
    }

    /// All before this offset is written.
    fn forget(&mut self, written: u64) {
        while let Some(&(end, len)) = self.answers.front()
            && end <= written
        {
            self.bytes -= len;
            self.answers.pop_front();
        }
    }

    /// Whether there are too many once all before this offset is written.
    fn are_too_many_past(&mut self, written: u64) -> bool {
        self.forget(written);
        self.answers.len() >= MAX_UNREAD_ANSWERS || self.bytes >= MAX_UNREAD_BYTES
    }
}

impl Session {
    pub(super) fn on_ping(&mut self, nonce: u64) -> Result<(), ProtocolViolation> {
        self.answer_allowed()?;
        self.answer(&Frame::Pong { nonce });
        Ok(())
    }

    /// Sends what the peer asked for by a control message.
    pub(super) fn answer(&mut self, frame: &Frame) {
        let before = self.fx.outbox.end();
        self.fx.send(frame);
        self.unread_answers.get_or_insert_default().put(before, self.fx.outbox.end());
        self.fx.note_answer();
    }

    pub(super) fn answer_allowed(&mut self) -> Result<(), ProtocolViolation> {
        let written = self.fx.outbox.written();
        if let Some(unread) = &mut self.unread_answers
            && unread.are_too_many_past(written)
        {
            let why = format!(
                "{MAX_UNREAD_ANSWERS} answers to pings and opens wait unread, or {MAX_UNREAD_BYTES} bytes of them"
            );
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
