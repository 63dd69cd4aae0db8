//! Cuts long messages into parts, which take turns on their way out.
//!
//! What a long message is and that it comes stands in the stream at once, in the order in which messages were put. Its payload
//! leaves in parts, each of which is put into the stream when it is taken: so whatever is short and was put meanwhile goes
//! before the next part.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use super::super::spent::Spent;
use super::super::table::visit;
use super::{Batch, Outbox, Segment};
use crate::ids::{ChannelId, ConnectionId, RequestId};
use crate::wire::{self, Frame, LongHead, MAX_PART, PART, Payload, SLACK};

/// The most that a batch has where messages take turns.
const SHARED_BATCH: usize = 8 * PART;
/// Pieces of a payload that are shorter than this are copied.
const COPIED: usize = 1 << 10;

/// Which message a long one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LongId {
    Call(ConnectionId, RequestId),
    Reply(ConnectionId, RequestId),
    Items(ConnectionId, ChannelId),
}

impl LongId {
    fn connection(self) -> ConnectionId {
        match self {
            Self::Call(connection, _) | Self::Reply(connection, _) | Self::Items(connection, _) => connection,
        }
    }
}

/// One of them.
#[derive(Debug)]
struct Long {
    number: u64,
    id: LongId,
    /// What has not left.
    rest: VecDeque<Bytes>,
    left: usize,
    total: usize,
    /// What of its turn is left, where a full batch has cut its last part short.
    turn: usize,
}

/// Frames that must not leave before these long messages have.
#[derive(Debug)]
struct Later {
    after: Vec<u64>,
    frames: Vec<u8>,
    /// They end a channel: after which long item, and of which connection. Where the item is forgotten, so are they, for an end without it
    /// would look like a clean one.
    end: Option<(u64, ConnectionId)>,
}

/// All long messages of a session that have not left.
#[derive(Debug, Default)]
pub(super) struct PartSplitter {
    /// Those that the peer puts together, in the order of their turns, and those that are yet to begin.
    begun: VecDeque<Long>,
    waiting: VecDeque<Long>,
    /// The numbers of all of them.
    numbers: BTreeMap<LongId, u64>,
    begun_bytes: usize,
    /// Bytes of all of them that have not left, and of those among them that this end's own calls are.
    left: usize,
    left_of_calls: usize,
    later: Vec<Later>,
    /// Those whose last part has left, with where in the stream it ends.
    whole: VecDeque<(LongId, u64)>,
    /// Those of which a part has left.
    moved: VecDeque<LongId>,
    /// Where in the stream parts are that are not written: from where, and to where.
    leaving: VecDeque<(u64, u64)>,
}

impl PartSplitter {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.begun.is_empty() && self.waiting.is_empty()
    }

    /// Begins what the peer has room for. One that is alone always fits: no message is longer than its room.
    fn begin(&mut self, (most, most_bytes): (usize, usize)) {
        while let Some(next) = self.waiting.front() {
            let fits = self.begun.len() < most && self.begun_bytes + next.total <= most_bytes;
            if !fits && !self.begun.is_empty() {
                return;
            }
            let Some(next) = self.waiting.pop_front() else { return };
            self.begun_bytes += next.total;
            self.begun.push_back(next);
        }
    }

    /// Takes a message back of which a part of `len` bytes has left, up to `end` in the stream.
    fn take_back(&mut self, long: Long, len: usize, end: u64) {
        self.lessen(long.id, len);
        self.moved.push_back(long.id);
        if long.left == 0 {
            self.begun_bytes -= long.total;
            self.numbers.remove(&long.id);
            self.whole.push_back((long.id, end));
        } else if long.turn > 0 {
            self.begun.push_front(long);
        } else {
            self.begun.push_back(long);
        }
    }

    /// So much of a message has left.
    fn lessen(&mut self, id: LongId, len: usize) {
        self.left -= len;
        if let LongId::Call(..) = id {
            self.left_of_calls -= len;
        }
    }

    /// The bytes that have not left of what is no call of this end's own.
    #[inline]
    pub(super) fn answers(&self) -> usize {
        self.left - self.left_of_calls
    }

    /// Whether nothing is left to do or to tell.
    fn is_over(&self) -> bool {
        let is_told = self.whole.is_empty() && self.moved.is_empty();
        self.is_empty() && self.later.is_empty() && self.leaving.is_empty() && is_told
    }

    /// How many bytes of parts are taken and not written.
    pub(super) fn leaving(&self, written: u64) -> usize {
        let ahead: usize = self.leaving.iter().map(|(from, to)| (to - from) as usize).sum();
        let first = self.leaving.front().map_or(0, |(from, _)| written.saturating_sub(*from) as usize);
        ahead - first
    }

    /// Takes out those that are meant. They have not left, and will not.
    fn remove(&mut self, is_meant: impl Fn(LongId) -> bool, spent: &mut Spent) -> Vec<u64> {
        let mut numbers = Vec::new();
        visit(self.begun.len() + self.waiting.len());
        for (queue, begun) in [(&mut self.begun, true), (&mut self.waiting, false)] {
            queue.retain_mut(|long| {
                if !is_meant(long.id) {
                    return true;
                }
                if let LongId::Call(..) = long.id {
                    self.left_of_calls -= long.left;
                }
                self.left -= long.left;
                if begun {
                    self.begun_bytes -= long.total;
                }
                numbers.push(long.number);
                for rest in std::mem::take(&mut long.rest) {
                    spent.put(Segment::Shared(rest));
                }
                self.numbers.remove(&long.id);
                false
            });
        }
        numbers
    }
}

impl Outbox {
    /// How many long messages, and how many bytes of them, the peer puts together at once.
    pub(crate) fn peer_puts_together(&mut self, messages: u64, bytes: u64) {
        let messages = usize::try_from(messages).unwrap_or(usize::MAX).max(1);
        self.peer_room = (messages, usize::try_from(bytes).unwrap_or(usize::MAX));
    }

    /// Whether parts wait for their turn.
    #[inline]
    pub(crate) fn has_long(&self) -> bool {
        self.longs.as_ref().is_some_and(|longs| !longs.is_empty())
    }

    /// How many messages have parts that wait for their turn.
    #[inline]
    pub(crate) fn longs(&self) -> usize {
        self.longs.as_ref().map_or(0, |longs| longs.begun.len() + longs.waiting.len())
    }

    /// The bytes of long messages that have not left.
    #[inline]
    pub(crate) fn pending_long(&self) -> usize {
        self.longs.as_ref().map_or(0, |longs| longs.left)
    }

    /// Whether this message has not left.
    pub(crate) fn holds(&self, id: LongId) -> bool {
        self.longs.as_ref().is_some_and(|longs| longs.numbers.contains_key(&id))
    }

    /// Appends that a long message comes, and keeps its payload until its turns. Encoded bytes are taken for that, and
    /// given back.
    pub(crate) fn put_long(&mut self, id: LongId, head: LongHead, payload: &mut Payload) -> Option<Bytes> {
        let total = payload.len();
        let encoded = Bytes::from(std::mem::take(&mut payload.encoded));
        let pieces = [Some(encoded.clone()), payload.last.clone()];
        self.newest_long += 1;
        let number = self.newest_long;
        let frame = Frame::Long { number, total: total as u64, head };
        self.put(|tail| frame.put(tail));
        let rest = pieces.into_iter().flatten().filter(|piece| !piece.is_empty()).collect();
        let longs = self.longs.get_or_insert_default();
        longs.left += total;
        if let LongId::Call(..) = id {
            longs.left_of_calls += total;
        }
        longs.numbers.insert(id, number);
        longs.waiting.push_back(Long { number, id, rest, left: total, total, turn: 0 });
        Some(encoded)
    }

    /// Appends a frame, after this long message if that has not left. Where the message is forgotten, so is the frame.
    pub(crate) fn put_after(&mut self, frame: &Frame, id: LongId) {
        let number = self.longs.as_ref().and_then(|longs| longs.numbers.get(&id)).copied();
        self.put_later(frame, number.into_iter().collect(), number.map(|number| (number, id.connection())));
    }

    /// The ends of channels of this connection that wait for the long item before them: for the peer these channels are open.
    pub(crate) fn waiting_ends(&self, connection: ConnectionId) -> usize {
        let Some(longs) = &self.longs else { return 0 };
        longs.later.iter().filter(|later| later.end.is_some_and(|(_, of)| of == connection)).count()
    }

    /// Appends a frame, after all long messages.
    pub(crate) fn put_after_all(&mut self, frame: &Frame) {
        let after = self.longs.iter().flat_map(|longs| longs.numbers.values().copied()).collect();
        self.put_later(frame, after, None);
    }

    fn put_later(&mut self, frame: &Frame, after: Vec<u64>, end: Option<(u64, ConnectionId)>) {
        if after.is_empty() {
            return self.put(|tail| frame.put(tail));
        }
        let mut frames = Vec::new();
        frame.put(&mut frames);
        self.longs.get_or_insert_default().later.push(Later { after, frames, end });
    }

    /// Forgets this message, here and at the peer. `false`: it has left, or never was.
    #[inline]
    pub(crate) fn forget(&mut self, id: LongId) -> bool {
        if !self.holds(id) {
            return false;
        }
        self.forget_those(|other| other == id);
        true
    }

    /// As [`forget`](Self::forget), of all on a connection.
    pub(crate) fn forget_connection(&mut self, connection: ConnectionId) {
        if self.has_long() {
            self.forget_those(|id| id.connection() == connection);
        }
    }

    fn forget_those(&mut self, are_meant: impl Fn(LongId) -> bool) {
        let spent = &mut self.spent;
        for number in self.longs.as_mut().map_or_else(Vec::new, |longs| longs.remove(are_meant, spent)) {
            self.put(|tail| Frame::Forget { number }.put(tail));
            if let Some(longs) = &mut self.longs {
                longs.later.retain(|later| later.end.is_none_or(|(item, _)| item != number));
            }
            self.release(number);
        }
    }

    /// As [`forget`](Self::forget), of all calls.
    pub(crate) fn forget_calls(&mut self) {
        if self.has_long() {
            self.forget_those(|id| matches!(id, LongId::Call(..)));
        }
    }

    /// Drops all that has not left, and what was to follow it.
    pub(crate) fn drop_longs(&mut self) {
        if let Some(mut longs) = self.longs.take() {
            longs.remove(|_| true, &mut self.spent);
        }
    }

    /// Appends what waited for this message alone.
    fn release(&mut self, number: u64) {
        let Some(longs) = &mut self.longs else { return };
        let mut later = std::mem::take(&mut longs.later);
        later.retain_mut(|later| {
            later.after.retain(|after| *after != number);
            if later.after.is_empty() {
                self.put(|tail| tail.append(&mut later.frames));
            }
            !later.after.is_empty()
        });
        if let Some(longs) = &mut self.longs {
            longs.later = later;
        }
    }

    /// Appends parts, as each message's turn comes, until the batch has about `budget` bytes. They are to be taken at once.
    pub(crate) fn put_parts(&mut self, batch: &Batch, budget: usize) {
        let there = batch.len();
        // Where a batch is long, so are the parts: each costs its reader a look. One message alone gives way to nobody.
        let others = self.longs() > 1;
        let budget = if others { budget.min(SHARED_BATCH) } else { budget };
        // What is left of the last one is not filled up by crumbs.
        if there > budget / 2 {
            return;
        }
        let (mut room, turn) = if others { (budget - there, budget / 2) } else { (budget, budget) };
        let turn = turn.clamp(PART, MAX_PART - SLACK);
        while room > 0 {
            let Some(longs) = &mut self.longs else { return };
            longs.begin(self.peer_room);
            let Some(long) = longs.begun.pop_front() else { return };
            room = room.saturating_sub(self.put_part(long, room, turn));
        }
    }

    fn put_part(&mut self, mut long: Long, room: usize, turn: usize) -> usize {
        if long.turn == 0 {
            long.turn = turn;
        }
        let most = long.turn.min(room);
        // What is left of a message is no part of its own for a few bytes.
        let len = if long.left <= most + SLACK { long.left } else { most };
        self.put(|tail| wire::put_part_head(tail, long.number, len));
        let start = self.end;
        let mut missing = len;
        while missing > 0
            && let Some(piece) = long.rest.front_mut()
        {
            let now = piece.split_to(missing.min(piece.len()));
            if piece.is_empty() {
                long.rest.pop_front();
            }
            missing -= now.len();
            match now.len() < COPIED {
                true => self.put(|tail| tail.extend_from_slice(&now)),
                false => self.share(now),
            }
        }
        long.left -= len;
        long.turn = long.turn.saturating_sub(len);
        let (number, is_whole, end) = (long.number, long.left == 0, self.end);
        let longs = self.longs.get_or_insert_default();
        longs.leaving.push_back((start, end));
        longs.take_back(long, len, end);
        if is_whole {
            self.release(number);
        }
        len
    }

    /// Forgets of parts that are written where they were.
    #[inline]
    pub(super) fn parts_written(&mut self) {
        let Some(longs) = &mut self.longs else { return };
        while longs.leaving.pop_front_if(|(_, to)| *to <= self.written).is_some() {}
        self.drop_longs_if_over();
    }

    /// Where nothing is left to do or to tell, gives the memory back.
    fn drop_longs_if_over(&mut self) {
        if self.longs.as_ref().is_some_and(|longs| longs.is_over()) {
            self.longs = None;
        }
    }

    /// Parts that are to be written again count like anything else.
    pub(super) fn count_all_again(&mut self) {
        if let Some(longs) = &mut self.longs {
            longs.leaving.clear();
        }
    }

    /// The next message of which a part has left.
    pub(crate) fn poll_moved(&mut self) -> Option<LongId> {
        self.longs.as_mut()?.moved.pop_front()
    }

    /// The next message that has left, and where in the stream it ends.
    pub(crate) fn poll_whole(&mut self) -> Option<(LongId, u64)> {
        let whole = self.longs.as_mut()?.whole.pop_front();
        if whole.is_none() {
            self.drop_longs_if_over();
        }
        whole
    }
}
