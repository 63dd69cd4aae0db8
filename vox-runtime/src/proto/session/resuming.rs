//! A session outlives its links: it counts what was received, acknowledges it, and waits for the next link.

use std::time::{Duration, Instant};

use super::Session;
use crate::error::{EndReason, ProtocolViolation, Rule};
use crate::wire::{Frame, Kind, LENGTH_BYTES};

/// How much is received before an acknowledgement goes along with whatever is written next.
const ACK_ALONG: u64 = 8 << 10;
/// How much is received before one is written by itself.
const ACK_ALONE: u64 = 16 << 10;
/// The same, while a long message comes, which is nobody's before it is whole.
const ACK_PARTS: u64 = 1 << 20;

const NO_CONTINUITY: &str = "the peer says to have received less than it had acknowledged, or more than was sent";

/// What a session that can be resumed knows of its stream.
#[derive(Debug)]
pub(super) struct Resuming {
    /// How long the session waits for a new link.
    window: Duration,
    /// Bytes of whole frames, lengths included, that arrived and were handled.
    received: u64,
    /// How much of it the peer was told.
    told: u64,
    /// What the peer's last acknowledgement said.
    heard: u64,
    /// There is no link. Most sessions have one most of the time, so this takes little room in them.
    detached: Option<Box<Detached>>,
}

#[derive(Debug)]
struct Detached {
    /// `None`: a window past the end of time.
    until: Option<Instant>,
    why: EndReason,
}

/// The two ends do not agree on what was received: the session is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Discontinuity;

impl Session {
    /// From now on the session can be resumed, within this window. Right after the handshake, by agreement of both ends.
    pub(crate) fn resumes(&mut self, window: Duration) {
        self.fx.outbox.keep();
        self.resuming = Some(Resuming { window, received: 0, told: 0, heard: 0, detached: None });
    }

    /// Whether the session waits for a new link.
    pub(crate) fn is_detached(&self) -> bool {
        self.resuming.as_ref().is_some_and(|resuming| resuming.detached.is_some())
    }

    /// What became of the link, while the session waits for another.
    pub(crate) fn detached_by(&self) -> Option<&EndReason> {
        Some(&self.resuming.as_ref()?.detached.as_ref()?.why)
    }

    /// How much of the peer's stream this end has. While there is no link it does not change.
    pub(crate) fn received(&self) -> u64 {
        self.resuming.as_ref().map_or(0, |resuming| resuming.received)
    }

    /// The link is gone. A session that can be resumed waits for another; any other ends.
    pub(crate) fn link_lost(&mut self, now: Instant, why: EndReason) {
        if self.ended.is_some() {
            return;
        }
        if std::mem::take(&mut self.growing) > 0 {
            self.settle_lease();
        }
        let Some(resuming) = &mut self.resuming else { return self.end(why) };
        if resuming.detached.is_none() {
            let until = now.checked_add(resuming.window);
            resuming.detached = Some(Box::new(Detached { until, why: why.clone() }));
            self.probed = None;
            self.fx.emit(super::Output::LinkDown(why));
        }
    }

    /// There is a new link, whose other end has received this much of this end's stream. It goes on from there; where that
    /// cannot be, the session is lost.
    pub(crate) fn resume(&mut self, now: Instant, peer_received: u64) -> Result<(), Discontinuity> {
        let Some(resuming) = &mut self.resuming else { return Err(Discontinuity) };
        if self.ended.is_some() || resuming.detached.is_none() {
            return Err(Discontinuity);
        }
        if self.fx.outbox.rewind(peer_received).is_err() {
            self.lost(NO_CONTINUITY);
            return Err(Discontinuity);
        }
        resuming.detached = None;
        resuming.told = resuming.received;
        self.last_heard = now;
        // Calls have waited for the link.
        self.fx.emit(super::Output::Room);
        Ok(())
    }

    /// Whether a peer that has received so much can be given the rest. If not, the session is lost.
    pub(crate) fn continues_from(&mut self, peer_received: u64) -> bool {
        let continues = self.ended.is_none() && self.fx.outbox.reaches(peer_received);
        if !continues {
            self.lost(NO_CONTINUITY);
        }
        continues
    }

    /// The session cannot be resumed: it is over.
    pub(crate) fn lost(&mut self, why: &str) {
        self.end(EndReason::Lost(why.into()));
    }

    /// There will be no other link, and this one is gone.
    pub(crate) fn abandoned(&mut self, why: EndReason) {
        self.end(why);
    }

    // ---- time ----

    /// When the wait for a new link is over, if this end waits for one.
    pub(super) fn given_up_at(&self) -> Option<Instant> {
        self.resuming.as_ref()?.detached.as_ref()?.until
    }

    pub(super) fn give_up(&mut self) {
        let detached = self.resuming.as_mut().and_then(|resuming| resuming.detached.as_deref());
        if let Some(Detached { why, .. }) = detached {
            let why = format!("no new link within the window (`Limits::resume_window`) after {why}");
            self.lost(&why);
        }
    }

    // ---- acknowledgements ----

    pub(super) fn count_received(&mut self, body: usize) {
        if let Some(resuming) = &mut self.resuming {
            resuming.received += (LENGTH_BYTES + body) as u64;
        }
    }

    /// A frame was handled. A long one the peer can let go of before it takes in what comes of it.
    #[inline]
    pub(super) fn acknowledge_if_long(&mut self, body: usize) {
        if body as u64 >= ACK_ALONE && !self.reassembly.has_begun() {
            self.acknowledge();
        }
    }

    /// Whether so much was received that the peer is told, though there is nothing else to write.
    pub(super) fn must_acknowledge(&self) -> bool {
        self.resuming.as_ref().is_some_and(|resuming| {
            let untold = resuming.received - resuming.told;
            untold >= ACK_ALONE && (untold >= ACK_PARTS || !self.reassembly.has_begun())
        }) && self.ended.is_none()
    }

    pub(super) fn acknowledge(&mut self) {
        if let Some(resuming) = &mut self.resuming
            && resuming.received - resuming.told >= ACK_ALONG
            && self.ended.is_none()
        {
            resuming.told = resuming.received;
            self.fx.send(&Frame::Ack { received: resuming.received });
        }
    }

    /// Whether nothing waits to be written but an acknowledgement. That may wait a little: what the peer sent may soon be answered.
    #[inline]
    pub(crate) fn owes_an_ack_alone(&self) -> bool {
        let outbox = &self.fx.outbox;
        (outbox.is_empty() || outbox.lone_kind() == Some(Kind::Ack as u8)) && !outbox.has_long()
    }

    pub(super) fn on_ack(&mut self, received: u64) -> Result<(), ProtocolViolation> {
        let false_ack = |why: String| Err(ProtocolViolation::new(Rule::FalseAck, why));
        let Some(resuming) = &mut self.resuming else {
            return false_ack("an acknowledgement in a session that is not resumed".to_owned());
        };
        let taken = self.fx.outbox.taken();
        if received > taken {
            return false_ack(format!("{received} bytes acknowledged, of {taken} sent"));
        }
        if received < resuming.heard {
            return false_ack(format!("{received} bytes acknowledged, after {}", resuming.heard));
        }
        resuming.heard = received;
        self.fx.outbox.trim(received);
        Ok(())
    }
}
