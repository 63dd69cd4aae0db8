//! What was promised: the calls and channels of a run, as both ends together should see them.

use std::time::Instant;

use super::super::{CallEnd, ChannelEnd};
use crate::error::EndReason;
use crate::ids::{ChannelId, ConnectionId, RequestId};
use crate::limits::Limits;
use crate::metadata::Metadata;
use crate::wire::{ChannelDirection, Failure, Reset, WHOLE};

/// A call, from before it is sent to after it is answered.
#[derive(Debug)]
pub(super) struct CallModel {
    /// Which end made it.
    pub(super) by: usize,
    pub(super) connection: ConnectionId,
    pub(super) request: RequestId,
    pub(super) persist: bool,
    pub(super) deadline: Option<Instant>,
    pub(super) payload: Vec<u8>,
    pub(super) channels: Vec<usize>,
    pub(super) handler: HandlerModel,
    pub(super) abandoned: bool,
    /// It was abandoned before its last part had left: it never runs.
    pub(super) taken_back: bool,
    /// Of a short one: how many bytes of parts had been put into the stream before it was.
    pub(super) parts_before: Option<u64>,
    /// Its deadline is moved on while something of it moves.
    pub(super) patient: bool,
    pub(super) end: Option<CallEnd>,
    /// As much was kept of the caller, when the handler ended, that its reply need not be.
    pub(super) unkept: bool,
    pub(super) replies_seen: u32,
}

/// What became of a call at the end that serves it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum HandlerModel {
    NotDispatched,
    Running,
    /// It ended by itself, and this should be the reply.
    Ended(Vec<u8>),
    /// It ended after it was told to.
    Aborted,
}

impl CallModel {
    /// Checks an end that the caller was given.
    pub(super) fn finish(&mut self, end: CallEnd, now: Instant) {
        assert!(!self.abandoned, "an abandoned call was ended: {end:?}");
        assert_eq!(self.end, None, "a call was ended twice, with {end:?}");
        match &end {
            CallEnd::Reply(payload) => self.check_reply(payload),
            CallEnd::DeadlineExceeded => assert!(self.deadline.is_some_and(|deadline| deadline <= now)),
            CallEnd::NeverLeft(_) | CallEnd::NeverLeftInTime => {
                let in_time = end != CallEnd::NeverLeftInTime || self.deadline.is_some_and(|deadline| deadline <= now);
                assert!(in_time, "a call's time is said to be over");
                assert_eq!(self.handler, HandlerModel::NotDispatched, "a call that ran is said to have never left");
            }
            CallEnd::Indeterminate => {}
        }
        self.end = Some(end);
    }

    fn check_reply(&self, payload: &[u8]) {
        let stopped = || [failure(&Failure::Cancelled), failure(&Failure::DeadlineExceeded)];
        match &self.handler {
            HandlerModel::NotDispatched => {
                let Ok(Failure::Busy(short)) = Failure::read(&payload[1..]) else {
                    panic!("{payload:?} is answered without a handler")
                };
                assert!(short.of().is_some() && short.needed > short.limit, "busy, though {short}");
            }
            HandlerModel::Ended(expected) if payload == expected.as_slice() => {}
            HandlerModel::Ended(_) if self.unkept && is_of_memory(payload) => {}
            HandlerModel::Aborted => assert!(stopped().iter().any(|p| p == payload), "{payload:?} after an abort"),
            HandlerModel::Running | HandlerModel::Ended(_) => {
                assert!(
                    self.persist && stopped().iter().any(|p| p == payload),
                    "{payload:?} is not the handler's reply"
                );
            }
        }
    }

    /// A reply is on its way, and it does not matter who waits for it.
    pub(super) fn reply_arrives(&mut self) {
        self.replies_seen += 1;
        assert_eq!(self.replies_seen, 1, "a second reply");
        assert!(self.persist || self.handler != HandlerModel::Running, "a reply before the handler has ended");
    }

    pub(super) fn dispatch(&mut self) {
        assert_eq!(self.handler, HandlerModel::NotDispatched, "a call was dispatched twice");
        let never_left = matches!(self.end, Some(CallEnd::NeverLeft(_) | CallEnd::NeverLeftInTime));
        assert!(!never_left && !self.taken_back, "a call that never left was dispatched");
        self.handler = HandlerModel::Running;
    }
}

/// So many bytes, which tell which message they are and, where it is long, where in it they stand.
pub(super) fn bytes(fill: u8, len: usize) -> Vec<u8> {
    match len > WHOLE {
        false => vec![fill; len],
        true => (0..len).map(|at| fill.wrapping_add((at / 5) as u8).wrapping_add((at / 1021) as u8)).collect(),
    }
}

/// The whole payload of a reply that the runtime makes.
pub(super) fn failure(failure: &Failure) -> Vec<u8> {
    let mut payload = Vec::new();
    failure.put(&mut payload);
    payload
}

/// Whether this reply says that the other could not be kept.
fn is_of_memory(payload: &[u8]) -> bool {
    matches!(Failure::read(&payload[1..]), Ok(Failure::InvalidResponse(why)) if why.contains("_memory`)"))
}

/// A channel, both halves of it.
#[derive(Debug)]
pub(super) struct ChannelModel {
    pub(super) call: usize,
    pub(super) id: ChannelId,
    pub(super) direction: ChannelDirection,
    /// Which end sends.
    pub(super) sender: usize,
    /// What the receiver lets the sender have under way.
    pub(super) window: (usize, usize),
    pub(super) sent: Vec<usize>,
    pub(super) delivered: usize,
    pub(super) consumed: usize,
    pub(super) closed: Option<Metadata>,
    /// How the sender's holder gave it up, if not by a close.
    pub(super) given_up: Option<Reset>,
    /// The receiver was dropped by its holder.
    pub(super) left: bool,
    /// The handler's end took it up.
    pub(super) bound: bool,
    /// The connection or the session ended on either side.
    pub(super) lost: bool,
    /// The receiving end may have no memory for what comes.
    pub(super) full: bool,
}

impl ChannelModel {
    /// The byte that an item is made of.
    pub(super) fn fill(&self, index: usize) -> u8 {
        (self.call * 31 + self.id.0 as usize * 7 + index) as u8
    }

    /// An item went out: the window must have had room for it.
    pub(super) fn send(&mut self, len: usize) {
        let under_way = &self.sent[self.consumed..];
        assert!(
            under_way.len() < self.window.0,
            "{} items under way in a window of {:?}",
            under_way.len(),
            self.window
        );
        let bytes: usize = under_way.iter().sum();
        assert!(bytes < self.window.1, "{bytes} bytes under way in a window of {:?}", self.window);
        self.sent.push(len);
    }

    pub(super) fn deliver(&mut self, item: &[u8]) {
        assert!(self.delivered < self.sent.len(), "an item that was never sent");
        assert_eq!(item.len(), self.sent[self.delivered], "item {} of {}", self.delivered, self.id);
        let expected = bytes(self.fill(self.delivered), item.len());
        assert!(item == expected, "item {} of {} has other bytes", self.delivered, self.id);
        self.delivered += 1;
    }

    /// What the receiver hears last.
    pub(super) fn receiver_ended(&self, end: &ChannelEnd) {
        match end {
            ChannelEnd::Closed(metadata) => {
                assert_eq!(Some(metadata), self.closed.as_ref(), "a clean end that the sender did not make");
                assert_eq!(self.delivered, self.sent.len(), "a clean end before the last item");
            }
            ChannelEnd::Reset(Reset::Full(_)) => assert!(self.full, "a reset for want of memory where there is enough"),
            ChannelEnd::Reset(why) if self.given_up.is_some() => {
                assert_eq!(Some(why), self.given_up.as_ref(), "another reset than the sender's");
                assert_eq!(
                    self.delivered,
                    self.sent.len(),
                    "the sender gave up, and that came before what it had sent"
                );
            }
            ChannelEnd::Reset(why) => {
                assert!(!self.bound, "a reset that nobody made");
                assert_eq!(*why, Reset::Gone);
            }
            ChannelEnd::Lost(EndReason::KeepaliveTimeout | EndReason::Lost(_)) => {}
            ChannelEnd::Lost(_) => assert!(self.lost, "lost while the connection is open"),
        }
    }

    /// What the sender hears last.
    pub(super) fn sender_ended(&self, end: &ChannelEnd) {
        match end {
            ChannelEnd::Closed(_) => panic!("a sender was told that it closed"),
            ChannelEnd::Reset(Reset::Full(_)) => assert!(self.full, "a reset for want of memory where there is enough"),
            ChannelEnd::Reset(_) => assert!(self.left || !self.bound, "a reset that nobody made"),
            ChannelEnd::Lost(EndReason::KeepaliveTimeout | EndReason::Lost(_)) => {}
            ChannelEnd::Lost(_) => assert!(self.lost, "lost while the connection is open"),
        }
    }
}

/// The most items and bytes that may be under way on a channel to an end with these limits, however its window grows.
pub(super) fn widest(limits: &Limits) -> (usize, usize) {
    let (items, bytes) = (limits.channel_items as usize, limits.channel_bytes as usize);
    let most = bytes.max(limits.max_channel_bytes as usize);
    ((items * most / bytes).max(items), most)
}
