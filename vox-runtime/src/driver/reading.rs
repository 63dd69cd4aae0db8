//! Reads the link, and finds the frames in what was read.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::AsyncRead;
use tokio_util::io::poll_read_buf;

use super::buffers::{give_read_buffer, take_read_buffer};
use super::part_reader::{LongPart, StockUse};
use super::pinned_buffers::Pins;
use super::state::State;
use super::writer::LINK_PANICKED;
use crate::catch_panic::catch_panic;
use crate::error::{EndReason, ProtocolViolation, Rule};
use crate::proto::{PartMemory, Session};
use crate::wire::{Kind, LENGTH_BYTES, PartHead, body_length};

/// Reads in one turn, so that a busy link does not keep the timers and the writing waiting.
pub(super) const READS_PER_TURN: usize = 16;
/// Frames that are handled under one lock.
const FRAMES_PER_LOCK: usize = 64;
/// The read buffer's first capacity, and the most that it is asked to have room for: a message that is not sent in parts fits in, so it
/// need not be moved.
const READ_MIN: usize = 4 << 10;
const READ_MAX: usize = 72 << 10;
/// A session that asks for no more at a time reads into a buffer that its thread's sessions share. Where frames are long, what is
/// made of them holds the buffer, and each session does better with its own.
const READ_SHARED: usize = 16 << 10;
/// A frame that is longer has no business to be: a message of over 68 KiB comes in parts. What there is of one counts as kept, and its buffer
/// grows by what has come.
const LONGEST_ALONE: usize = 96 << 10;
/// What is read after a part that others of its message follow: their heads, and hardly more, which would have to be copied.
const PEEK: usize = 64;

/// What reads the link, one at a time: the session's task, or the lone call that [reads inline](super::inline_reader).
pub(super) struct Reader {
    io: Box<dyn AsyncRead + Send + Unpin>,
    buffer: BytesMut,
    /// How large the buffer is, of which its capacity is what is left. 0: there is none.
    size: usize,
    /// Those before it that are in use.
    pub(super) pins: Pins,
    /// Something of the peer's is kept, which may be in the buffer.
    keeps: bool,
    /// The part under way that is read into its message's memory. Then there is nothing in the buffer.
    long: Option<LongPart>,
    /// The length of a long frame that is not whole, its own included; 0 where there is none.
    growing: u32,
    /// The next part of a long message is due.
    peeks: bool,
    _stock: StockUse,
    /// How much the next read asks for.
    read_size: usize,
    /// What was read is left for later, and nothing more is read meanwhile.
    held_off: bool,
    /// The link gives nothing more.
    eof: bool,
    /// The number of the link that this reads.
    link: u64,
}

/// How a read went.
pub(super) enum Read {
    /// So many bytes came.
    Some(usize),
    Nothing,
    Lost(EndReason),
}

impl Reader {
    pub(super) fn new(io: Box<dyn AsyncRead + Send + Unpin>) -> Self {
        Self {
            io,
            buffer: BytesMut::new(),
            size: 0,
            pins: Pins::default(),
            keeps: false,
            long: None,
            growing: 0,
            peeks: false,
            _stock: StockUse::new(),
            read_size: READ_MIN,
            held_off: false,
            eof: false,
            link: 0,
        }
    }

    /// Reads another link, or none. Gives back memory that was lent for the one before.
    #[must_use]
    pub(super) fn change(&mut self, io: Option<Box<dyn AsyncRead + Send + Unpin>>, link: u64) -> Option<PartMemory> {
        let eof = io.is_none();
        let io = io.unwrap_or_else(|| Box::new(tokio::io::empty()));
        let lent = self.clear();
        self.leave_buffer();
        let pins = mem::take(&mut self.pins);
        let before = mem::replace(self, Self { eof, link, pins, ..Self::new(io) });
        catch_panic(move || drop(before));
        lent
    }

    /// The number of the link that this reads.
    pub(super) fn link(&self) -> u64 {
        self.link
    }

    pub(super) fn is_deaf(&self) -> bool {
        self.eof
    }

    /// Forgets what was read and not handled. Gives back memory that was lent for it.
    pub(super) fn clear(&mut self) -> Option<PartMemory> {
        self.buffer.clear();
        self.growing = 0;
        self.long.take().map(LongPart::into_lent)
    }

    /// The `turn`th read of a turn.
    pub(super) fn read(&mut self, turn: usize, cx: &mut Context<'_>) -> Read {
        if self.eof || self.held_off {
            return Read::Nothing;
        }
        // By the first read of a turn what came before is mostly dropped, and its memory is had again for nothing; later
        // ones make do with less.
        let least = if turn == 0 { READ_MIN / 2 } else { READ_MIN / 4 };
        // Room for READ_MIN at least, once there is less than `least`.
        if self.long.is_none() && self.buffer.capacity() - self.buffer.len() < least {
            self.make_room(least);
        }
        let peeks = mem::take(&mut self.peeks);
        let Self { io, buffer, long, .. } = self;
        let room = buffer.capacity() - buffer.len();
        // What reads may be a call of the user's, which has no part in the link's faults.
        let read = catch_unwind(AssertUnwindSafe(|| match long {
            Some(long) => long.poll_read(io, cx),
            None => {
                let most = if peeks && buffer.is_empty() { PEEK } else { usize::MAX };
                poll_read_buf(Pin::new(io), cx, &mut buffer.limit(most))
            }
        }));
        let read = match read {
            Ok(read) => read,
            Err(payload) => {
                catch_panic(move || drop(payload));
                return self.lost(LINK_PANICKED.to_owned());
            }
        };
        match read {
            Poll::Pending => {
                self.peeks = peeks;
                self.rest();
                Read::Nothing
            }
            Poll::Ready(Ok(0)) => self.lost("the peer closed the link".to_owned()),
            Poll::Ready(Ok(n)) => {
                if n == room {
                    self.read_size = (self.read_size * 2).min(READ_MAX);
                }
                Read::Some(n)
            }
            Poll::Ready(Err(error)) => self.lost(error.to_string()),
        }
    }

    fn make_room(&mut self, least: usize) {
        if self.size == 0 {
            (self.buffer, self.size) = take_read_buffer();
        }
        let is_short = self.buffer.capacity() - self.buffer.len() < least;
        // A long frame has been given room already.
        if is_short && self.growing == 0 && !self.buffer.try_reclaim(self.read_size) {
            self.replace_buffer();
        }
    }

    /// A long frame is not whole. If there is memory for it, makes room for as much as there is of it, and for no more than is missing.
    #[cold]
    fn grow(&mut self, session: &mut Session, whole: usize) -> Result<(), ProtocolViolation> {
        self.growing = whole as u32;
        let (len, missing) = (self.buffer.len(), whole - self.buffer.len());
        if self.buffer.capacity() - len >= missing.min(READ_MIN / 2) {
            return session.keep_growing(self.buffer.capacity());
        }
        let more = missing.min(len.max(READ_MAX));
        session.keep_growing(len + more)?;
        let mut grown = BytesMut::with_capacity(len + more);
        grown.extend_from_slice(&self.buffer);
        let before = mem::replace(&mut self.buffer, grown).split_to(0).freeze();
        let size = mem::replace(&mut self.size, self.buffer.capacity());
        if size > 0 {
            self.pins.push(before, size);
        }
        Ok(())
    }

    /// The buffer is too small, or something in it is in use: reads into another.
    #[cold]
    fn replace_buffer(&mut self) {
        let before = self.buffer.split_to(0).freeze();
        // With as much room as it has already, for what has begun is copied.
        self.buffer.reserve(self.read_size.max(self.buffer.len()));
        let size = mem::replace(&mut self.size, self.buffer.capacity());
        if size > 0 {
            self.pins.push(before, size);
        }
    }

    /// Reads no more into the buffer.
    fn leave_buffer(&mut self) {
        let (buffer, size) = (mem::take(&mut self.buffer).freeze(), mem::take(&mut self.size));
        if size > 0 {
            self.pins.push(buffer, size);
        }
    }

    /// Until there is more to read, the next reader on this thread may have the buffer: idle sessions hold none. One in which something is
    /// kept of the peer stays, for it is this session's to be charged for.
    fn rest(&mut self) {
        if self.buffer.capacity() == 0 || !self.buffer.is_empty() || self.read_size > READ_SHARED {
            return;
        }
        if self.keeps && !self.buffer.try_reclaim(self.size) {
            return;
        }
        give_read_buffer(mem::take(&mut self.buffer), mem::take(&mut self.size));
    }

    fn lost(&mut self, why: String) -> Read {
        self.eof = true;
        Read::Lost(EndReason::LinkLost(why.into()))
    }

    /// Whether what was read is one whole reply.
    pub(super) fn has_one_reply(&self) -> bool {
        if self.long.is_some() {
            return false;
        }
        let Some((length, body)) = self.buffer.split_first_chunk::<LENGTH_BYTES>() else { return false };
        body.len() == u32::from_le_bytes(*length) as usize && body.first() == Some(&(Kind::Reply as u8))
    }

    /// Handles whole frames from the buffer, up to the bound. `true`: there may be more.
    pub(super) fn handle_frames(&mut self, state: &mut State, now: Instant, max_len: usize) -> bool {
        #[cfg(test)]
        state.spring(super::state::Trap::Frame);
        let session = &mut state.session;
        if state.link.number != self.link {
            self.forget(session);
            return false;
        }
        if self.pins.is_some() {
            self.pins.tell(session, session.is_short_of_memory());
        }
        self.held_off = false;
        state.wake_plan.on_read();
        let was_called = session.leave_line();
        let more = self.handle_each(state, now, max_len);
        if was_called {
            state.session.call_next_in_line();
        }
        self.keeps = state.session.keeps_of_peer();
        more
    }

    #[inline]
    fn handle_each(&mut self, state: &mut State, now: Instant, max_len: usize) -> bool {
        let session = &mut state.session;
        for _ in 0..FRAMES_PER_LOCK {
            // Others have their turn before there is more to do.
            let is_behind = session.is_behind() && session.end_reason().is_none();
            if is_behind || self.brings_something() && session.holds_off(now) {
                self.held_off = true;
                state.wake_plan.on_held_off();
                return false;
            }
            let handled = match self.next_frame(session, max_len) {
                Ok(Next::Nothing) => {
                    session.heard(now);
                    return false;
                }
                Ok(Next::Frame(body)) => session.handle(now, body),
                Ok(Next::Part(part)) => {
                    self.peeks = part.has_followers();
                    let head = part.head;
                    session.handle_part(now, part.into_lent(), head)
                }
                Err(violation) => {
                    session.on_violation(&violation);
                    Err(violation)
                }
            };
            if handled.is_err() || session.end_reason().is_some() {
                self.forget(session);
                return false;
            }
        }
        true
    }

    /// Whether what comes next brings something to keep. Anything else needs no memory, and may give some back.
    #[inline]
    fn brings_something(&self) -> bool {
        const CALL: u8 = Kind::Call as u8;
        const ITEMS: u8 = Kind::Items as u8;
        const LONG: u8 = Kind::Long as u8;
        const PART: u8 = Kind::Part as u8;
        const CONTRACT: u8 = Kind::Contract as u8;
        self.long.is_none() && matches!(self.buffer.get(LENGTH_BYTES), Some(&(CALL | ITEMS | LONG | PART | CONTRACT)))
    }

    fn forget(&mut self, session: &mut Session) {
        // Less is kept: it is never too much.
        let _fits = session.keep_growing(0);
        if let Some(lent) = self.clear() {
            session.take_back(lent);
        }
    }

    /// The first whole frame of what was read.
    #[inline]
    fn next_frame(&mut self, session: &mut Session, max_len: usize) -> Result<Next, ProtocolViolation> {
        if self.long.is_some() {
            return Ok(self.long.take_if(|long| long.is_whole()).map_or(Next::Nothing, Next::Part));
        }
        let Some(length) = body_length(&self.buffer) else { return Ok(Next::Nothing) };
        if length > max_len {
            let why = format!("a frame of {length} bytes, over the limit of {max_len}");
            return Err(ProtocolViolation::new(Rule::FrameTooLarge, why));
        }
        if self.buffer.len() < LENGTH_BYTES + length {
            if length > PEEK {
                self.begin_part(session, length)?;
            }
            if length > LONGEST_ALONE && self.long.is_none() {
                self.grow(session, LENGTH_BYTES + length)?;
            }
            return Ok(Next::Nothing);
        }
        if mem::take(&mut self.growing) > 0 {
            session.keep_growing(0)?;
        }
        self.buffer.advance(LENGTH_BYTES);
        Ok(Next::Frame(self.buffer.split_to(length).freeze()))
    }

    /// If the frame that has begun is a part, reads its bytes straight into the memory of its message.
    fn begin_part(&mut self, session: &mut Session, length: usize) -> Result<(), ProtocolViolation> {
        let Some(head) = PartHead::find(&self.buffer, length) else { return Ok(()) };
        if let Some(lent) = session.lend(head)? {
            self.long = Some(LongPart::begin(head, lent, &self.buffer[head.at..]));
            self.buffer.clear();
        }
        Ok(())
    }
}

impl Reader {
    /// Lets go of buffers that are free again, and tells the session.
    pub(super) fn look_at_pins(&mut self, session: &mut Session) {
        if self.pins.is_some() {
            self.pins.tell(session, true);
        }
    }
}

/// What comes next of what was read.
enum Next {
    Nothing,
    Frame(Bytes),
    Part(LongPart),
}
