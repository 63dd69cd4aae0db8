//! One end: its session, and what its driver would keep.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::super::{Batch, PartMemory, Session, Token};
use super::Rng;
use crate::error::EndReason;
use crate::ids::{ConnectionId, RequestId, Role};
use crate::limits::Limits;
use crate::schema::Heard;
use crate::wire::{PartHead, WHOLE};

/// One end of the link.
#[derive(Debug)]
pub(super) struct End {
    pub(super) session: Session,
    pub(super) limits: Limits,
    /// The other end's limits.
    pub(super) peer: Limits,
    /// On its way into the link.
    pub(super) batch: Batch,
    /// Written, and not yet reported to the session.
    pub(super) unreported: usize,
    /// The bytes of parts among what was taken since the batch was last empty.
    pub(super) leaving: usize,
    /// Read from the link, not yet whole frames.
    pub(super) incoming: Vec<u8>,
    /// A part that is read straight into the memory of its message.
    pub(super) part: Option<(PartHead, PartMemory)>,
    /// Bytes of parts that were put into the stream, and that were handled.
    pub(super) parts_put: u64,
    pub(super) parts_handled: u64,
    next_token: u64,
    /// Whether the service asked for exists.
    pub(super) opening: BTreeMap<Token, bool>,
    /// The contracts that the other end told.
    pub(super) heard: Heard,
    /// What its session has in common with others is little.
    pub(super) tight: bool,
    /// So much of what was read into is not free.
    pub(super) pinned: usize,
    /// What was read is left for later, and since when.
    pub(super) held_off: Option<Instant>,
    /// Connections of this end that are open, and of the peer that this end serves.
    pub(super) calling: BTreeSet<ConnectionId>,
    pub(super) serving: BTreeSet<ConnectionId>,
    /// Calls that wait for their end, by the model's index.
    pub(super) calls: BTreeMap<Token, usize>,
    pub(super) handlers: BTreeMap<(ConnectionId, RequestId), Handler>,
    /// How many were dispatched.
    pub(super) dispatched: u64,
    pub(super) halves: BTreeMap<Token, Half>,
    /// Halves that were let go of while the session had something to say, which may be of them.
    pub(super) let_go: BTreeSet<Token>,
    /// A call with so many channels waits for room on this connection.
    pub(super) waits: Option<(ConnectionId, usize)>,
    pub(super) ended: Option<EndReason>,
    /// The session can be resumed.
    pub(super) resumes: bool,
}

/// A handler that runs.
#[derive(Debug)]
pub(super) struct Handler {
    pub(super) call: usize,
    /// Which dispatch it was.
    pub(super) nth: u64,
    /// Channels of the call that it may yet take up, by the model's index.
    pub(super) unbound: Vec<usize>,
    pub(super) deadline: Option<Instant>,
    pub(super) aborted: bool,
}

/// A channel's half that somebody holds.
#[derive(Debug)]
pub(super) struct Half {
    pub(super) channel: usize,
    pub(super) sends: bool,
    /// A send waits for credit.
    pub(super) waits: bool,
}

impl End {
    pub(super) fn new(role: Role, limits: &Limits, peer: &Limits, now: Instant) -> Self {
        Self {
            session: Session::new(role, limits.clone(), peer.announced(), now),
            limits: limits.clone(),
            peer: peer.clone(),
            batch: Batch::default(),
            heard: Heard::default(),
            unreported: 0,
            leaving: 0,
            incoming: Vec::new(),
            part: None,
            parts_put: 0,
            parts_handled: 0,
            next_token: 0,
            opening: BTreeMap::new(),
            tight: false,
            pinned: 0,
            held_off: None,
            calling: BTreeSet::new(),
            serving: BTreeSet::new(),
            calls: BTreeMap::new(),
            handlers: BTreeMap::new(),
            dispatched: 0,
            halves: BTreeMap::new(),
            let_go: BTreeSet::new(),
            waits: None,
            ended: None,
            resumes: false,
        }
    }

    pub(super) fn token(&mut self) -> Token {
        self.next_token += 1;
        Token(self.next_token)
    }

    /// A frame's payload that surely fits, with room for metadata and channels.
    pub(super) fn payload_room(&self) -> usize {
        self.session.max_payload() - 200
    }

    /// What was put and is not written.
    pub(super) fn unwritten(&mut self) -> usize {
        let outbox = self.session.outbox();
        (outbox.end() - outbox.written()) as usize
    }

    /// Whether an item of so many bytes would wait for nothing but credit.
    pub(super) fn outbox_has_room(&mut self, len: usize) -> bool {
        if len > WHOLE { !self.session.outbox_is_laden() } else { !self.session.outbox_is_full() }
    }
}

/// Limits small enough that everything in the protocol meets them soon.
pub(super) fn small_limits(rng: &mut Rng) -> Limits {
    Limits {
        max_message_bytes: *rng.pick(&[2 << 10, 40 << 10, 4 << 20]),
        max_connections: 1 + rng.below(3),
        max_calls: 1 + rng.below(4),
        max_channels: 1 + rng.below(4),
        channel_items: 1 + rng.below(5) as u32,
        channel_bytes: *rng.pick(&[1, 16, 100, 1000, 64 << 10]),
        max_channel_bytes: *Rng(rng.0.rotate_left(9)).pick(&[1, 700, 4000, 4 << 20]),
        max_partial_messages: *rng.pick(&[1, 2, 32]),
        max_partial_bytes: *rng.pick(&[0, 32 << 20]),
        outbox_bytes: *rng.pick(&[200, 2000, 400 << 10]),
        outbox_long_bytes: *rng.pick(&[0, 100 << 10, 32 << 20]),
        replay_bytes: *rng.pick(&[0, 100 << 10, 16 << 20]),
        session_memory: *Rng(!rng.0).pick(&[1, 5000, 200 << 10, 48 << 20]),
        max_detached: *rng.pick(&[0, 1, 3, 1024]),
        keepalive: Duration::from_millis(*rng.pick(&[50, 30_000])),
        // The probe of an idle peer is tested by itself; here a timer that runs while nothing is under way is a fault.
        idle_keepalive: Duration::MAX,
        keepalive_timeout: Duration::from_millis(*rng.pick(&[50, 20_000])),
        ..Limits::default()
    }
}
