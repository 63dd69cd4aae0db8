//! Bytes that wait to be written, in order, and where in the stream they stand.

mod part_splitter;

use std::collections::VecDeque;

use bytes::Bytes;

pub(crate) use self::part_splitter::LongId;
use self::part_splitter::PartSplitter;
use super::replay_buffer::Kept;
use super::spent::Spent;
use crate::ids::{ChannelId, ConnectionId};
use crate::wire::{self, LENGTH_BYTES, LongHead, Payload, WHOLE, body_length};

/// Payloads from this length on are handed over instead of copied.
const HAND_OVER: usize = 16 << 10;
/// The longest length before an item.
const ITEM_HEAD: usize = 10;
/// A buffer that grew past this is not kept for reuse.
const KEEP: usize = 64 << 10;
/// The tail is closed at this length, so that no single buffer grows without bound.
const SEGMENT: usize = 64 << 10;

/// Frames in the order they will be written. The last segment is open for appending.
///
/// Where a session can be resumed, what was taken is kept until the peer has acknowledged it, and a new link takes it
/// again from where the peer left off.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    sealed: VecDeque<Segment>,
    tail: Vec<u8>,
    /// Stream offsets: after everything that was put, that was taken for writing, and that was reported written.
    end: u64,
    taken: u64,
    written: u64,
    kept: Option<Kept>,
    /// Where in the tail the last frame starts, if it is a run of items that may be added to.
    run: Option<(ConnectionId, ChannelId, usize)>,
    /// Most sessions have none.
    longs: Option<Box<PartSplitter>>,
    /// The number of the newest long message.
    newest_long: u64,
    /// How many long messages, and how many bytes of them, the peer puts together at once.
    peer_room: (usize, usize),
    /// What is not needed any more, of this and of others, and yet to be freed.
    pub(super) spent: Spent,
}

/// A part of what is written.
#[derive(Debug)]
pub(super) enum Segment {
    Own(Vec<u8>),
    /// Kept as well.
    Shared(Bytes),
}

impl Segment {
    pub(super) fn len(&self) -> usize {
        self.as_slice().len()
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Own(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

impl Outbox {
    /// From now on what is taken is kept until it is acknowledged.
    pub(crate) fn keep(&mut self) {
        debug_assert_eq!(self.taken, 0);
        self.kept = Some(Kept::default());
    }

    /// Bytes taken and not acknowledged, where they are kept.
    #[inline]
    pub(crate) fn kept(&self) -> usize {
        self.kept.as_ref().map_or(0, Kept::len)
    }

    /// The stream offset after everything that the peer has acknowledged; after what was written, where nothing is kept.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.kept.as_ref().map_or(self.written, Kept::start)
    }

    /// The peer has received everything before this offset; what was not taken it cannot have.
    #[inline]
    pub(crate) fn trim(&mut self, received: u64) {
        if let Some(kept) = &mut self.kept {
            kept.trim(received.min(self.taken), &mut self.spent);
        }
    }

    /// Whether the peer can have received just so much, and the rest is still there.
    pub(crate) fn reaches(&self, received: u64) -> bool {
        self.kept.as_ref().is_some_and(|kept| (kept.start()..=self.taken).contains(&received))
    }

    /// Goes back to where the peer left off: all that comes after it is to be taken again. `Err` where the peer cannot
    /// have received so much, or it has long been dropped.
    pub(crate) fn rewind(&mut self, received: u64) -> Result<(), ()> {
        if !self.reaches(received) {
            return Err(());
        }
        let Some(kept) = &mut self.kept else { return Err(()) };
        kept.trim(received, &mut self.spent);
        self.run = None;
        let mut segments: VecDeque<Segment> = kept.unwind().collect();
        segments.append(&mut self.sealed);
        self.sealed = segments;
        self.taken = received;
        self.written = received;
        self.count_all_again();
        Ok(())
    }

    /// Bytes put that the peer has not acknowledged, or that are not written where it acknowledges none, with the long replies and items
    /// whose turn is yet to come.
    #[inline]
    pub(crate) fn held(&self) -> usize {
        (self.end - self.acknowledged()) as usize + self.longs.as_ref().map_or(0, |longs| longs.answers())
    }

    /// Bytes put and not yet written, without those of long messages: what a short message waits for is not counted by how long
    /// the parts are that the link takes at once. After a link was lost, what it is to take again counts whatever it is.
    #[inline]
    pub(crate) fn pending(&self) -> usize {
        (self.end - self.written) as usize - self.longs.as_ref().map_or(0, |longs| longs.leaving(self.written))
    }

    /// Whether everything that was put is written.
    #[inline]
    pub(crate) fn is_written(&self) -> bool {
        self.written == self.end
    }

    /// Whether there is anything to take.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.tail.is_empty() && self.sealed.is_empty() && !self.has_long()
    }

    /// The kind of the one frame that is to be taken, if there is one alone.
    #[inline]
    pub(crate) fn lone_kind(&self) -> Option<u8> {
        let is_alone = self.sealed.is_empty() && body_length(&self.tail)? + LENGTH_BYTES == self.tail.len();
        is_alone.then(|| self.tail.get(LENGTH_BYTES).copied())?
    }

    /// The stream offset after everything that was put.
    #[inline]
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// The stream offset after everything that was written.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// The stream offset after everything that was taken. The peer may have read up to here, whatever was reported
    /// written: a writer writes first and reports it later.
    pub(crate) fn taken(&self) -> u64 {
        self.taken
    }

    /// Appends a frame by writing it.
    #[inline]
    pub(crate) fn put(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        if self.tail.len() >= SEGMENT {
            self.seal();
        }
        self.run = None;
        let before = self.tail.len();
        write(&mut self.tail);
        self.end += (self.tail.len() - before) as u64;
    }

    /// Appends a frame whose head is written and whose payload is at hand. What is long of it is shared from then on, not copied;
    /// encoded bytes are taken for that, and given back.
    #[inline]
    pub(crate) fn put_with_payload(
        &mut self,
        payload: &mut Payload,
        head: impl FnOnce(&mut Vec<u8>, usize),
    ) -> Option<Bytes> {
        let len = payload.len();
        let taken = self.put_bytes(&mut payload.encoded, |tail| head(tail, len));
        // Nothing to write must not look like something to write.
        if let Some(last) = payload.last.as_ref().filter(|last| !last.is_empty()) {
            self.share(last.clone());
        }
        taken
    }

    /// Appends what begins with a head. Long bytes are taken, not copied, and given back.
    #[inline]
    fn put_bytes(&mut self, bytes: &mut Vec<u8>, head: impl FnOnce(&mut Vec<u8>)) -> Option<Bytes> {
        if bytes.len() < HAND_OVER {
            self.put(|tail| {
                head(tail);
                tail.extend_from_slice(bytes);
            });
            return None;
        }
        self.put(head);
        let bytes = Bytes::from(std::mem::take(bytes));
        self.share(bytes.clone());
        Some(bytes)
    }

    fn share(&mut self, bytes: Bytes) {
        self.seal();
        self.end += bytes.len() as u64;
        self.sealed.push_back(Segment::Shared(bytes));
    }

    /// Appends one item, to the last frame if that is a run of the same channel.
    pub(crate) fn put_item(
        &mut self,
        connection: ConnectionId,
        channel: ChannelId,
        item: &mut Vec<u8>,
        max_frame: usize,
    ) {
        let len = item.len();
        if len > WHOLE {
            return self.put_long_item(connection, channel, item);
        }
        let added = self.add_to_run(connection, channel, len + ITEM_HEAD, max_frame, |tail| {
            wire::put_varint(tail, len as u64);
            tail.extend_from_slice(item);
        });
        if added {
            return;
        }
        let mut start = 0;
        self.put_bytes(item, |tail| {
            start = wire::put_items_head(tail, connection, channel);
            wire::put_varint(tail, len as u64);
            wire::finish(tail, start, len);
        });
        if len < HAND_OVER {
            self.run = Some((connection, channel, start));
        }
    }

    /// Appends items, each with its length before it, to the last frame if that is a run of the same channel and has room for them.
    pub(crate) fn put_run(&mut self, connection: ConnectionId, channel: ChannelId, items: &[u8], max_frame: usize) {
        if self.add_to_run(connection, channel, items.len(), max_frame, |tail| tail.extend_from_slice(items)) {
            return;
        }
        let mut start = 0;
        self.put(|tail| {
            start = wire::put_items_head(tail, connection, channel);
            tail.extend_from_slice(items);
            wire::finish(tail, start, 0);
        });
        self.run = Some((connection, channel, start));
    }

    /// Adds what is no longer than this to the last frame. `false`: that is no run of this channel, or is too long.
    #[inline]
    fn add_to_run(
        &mut self,
        connection: ConnectionId,
        channel: ChannelId,
        len: usize,
        max_frame: usize,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> bool {
        let Some((run_connection, run_channel, start)) = self.run else { return false };
        let before = self.tail.len();
        if (run_connection, run_channel) != (connection, channel) || before - start + len > max_frame.min(SEGMENT) {
            return false;
        }
        write(&mut self.tail);
        wire::finish(&mut self.tail, start, 0);
        self.end += (self.tail.len() - before) as u64;
        true
    }

    fn put_long_item(&mut self, connection: ConnectionId, channel: ChannelId, item: &mut Vec<u8>) {
        let mut payload = Payload { encoded: Vec::new(), last: Some(Bytes::from(std::mem::take(item))) };
        wire::put_varint(&mut payload.encoded, payload.last.as_ref().map_or(0, Bytes::len) as u64);
        let id = LongId::Items(connection, channel);
        self.put_long(id, LongHead::Items { connection, channel }, &mut payload);
    }

    fn seal(&mut self) {
        self.run = None;
        if !self.tail.is_empty() {
            self.sealed.push_back(Segment::Own(std::mem::take(&mut self.tail)));
        }
    }

    /// Moves everything into `batch`, whose last buffer, if it is written, becomes the new tail.
    #[inline]
    pub(crate) fn take(&mut self, batch: &mut Batch) {
        self.run = None;
        self.taken = self.end;
        if let Some(kept) = &mut self.kept {
            for segment in &self.sealed {
                match segment {
                    Segment::Own(bytes) => kept.copy(bytes),
                    Segment::Shared(bytes) => kept.share(bytes.clone()),
                }
            }
            kept.copy(&self.tail);
        }
        batch.add(&mut self.sealed, &mut self.tail);
    }

    /// Drops what was not taken: nothing more is to be written. And what is kept: nothing is written again.
    pub(crate) fn clear(&mut self) {
        self.run = None;
        self.spent.put_all(std::mem::take(&mut self.sealed).into_iter());
        self.tail.clear();
        self.drop_longs();
        self.end = self.taken;
        self.keep_no_more();
    }

    /// Drops what is kept: no link will take it again.
    pub(crate) fn keep_no_more(&mut self) {
        if let Some(kept) = self.kept.take() {
            kept.spend(&mut self.spent);
        }
    }

    /// `len` bytes were written.
    #[inline]
    pub(crate) fn on_written(&mut self, len: usize) {
        self.written += len as u64;
        debug_assert!(self.written <= self.end);
        self.parts_written();
    }
}

/// Bytes on their way into the link.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    segments: VecDeque<Segment>,
    /// What comes last, and mostly alone. Empty, it is the memory for the next.
    tail: Vec<u8>,
    /// How much of the first of all these is written.
    at: usize,
}

impl Batch {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.tail.is_empty() && self.segments.is_empty()
    }

    #[cfg(test)]
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self { tail: bytes.to_vec(), ..Self::default() }
    }

    /// How many bytes are not written.
    pub(crate) fn len(&self) -> usize {
        self.slices().map(<[u8]>::len).sum()
    }

    /// Takes up what comes after everything in it.
    #[inline]
    fn add(&mut self, sealed: &mut VecDeque<Segment>, tail: &mut Vec<u8>) {
        let is_more = !sealed.is_empty() || !tail.is_empty();
        if is_more && !self.tail.is_empty() {
            self.segments.push_back(Segment::Own(std::mem::take(&mut self.tail)));
        }
        if !sealed.is_empty() {
            self.segments.append(sealed);
        }
        if !tail.is_empty() {
            std::mem::swap(&mut self.tail, tail);
        }
    }

    /// The unwritten parts, first to last.
    pub(crate) fn slices(&self) -> impl Iterator<Item = &[u8]> {
        let last = (!self.tail.is_empty()).then_some(self.tail.as_slice());
        let mut at = self.at;
        let parts = self.segments.iter().map(Segment::as_slice).chain(last);
        parts.map(move |part| &part[std::mem::take(&mut at)..])
    }

    /// The one unwritten part, where there is one.
    #[inline]
    pub(crate) fn lone(&self) -> Option<&[u8]> {
        self.segments.is_empty().then(|| &self.tail[self.at..])
    }

    /// `len` bytes were written.
    #[inline]
    pub(crate) fn advance(&mut self, mut len: usize) {
        while let Some(first) = self.segments.front() {
            let left = first.as_slice().len() - self.at;
            if len < left {
                self.at += len;
                return;
            }
            len -= left;
            self.at = 0;
            self.segments.pop_front();
        }
        self.at += len;
        if self.at >= self.tail.len() {
            self.at = 0;
            self.tail.clear();
            if self.tail.capacity() > KEEP {
                self.tail = Vec::new();
            }
        }
    }
}
