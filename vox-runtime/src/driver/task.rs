//! The session's task: reads frames, hosts handlers, writes, keeps the time.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::time::Sleep;

use super::hosting::Hosting;
use super::redial::redial;
use super::shared::{Flush, Next, Shared, State};
use super::writer::{Writing, now};
use crate::error::{EndReason, ProtocolViolation, Rule};
use crate::proto::earlier;
use crate::transport::Link;
use crate::wire::LENGTH_BYTES;

/// Reads in one turn, so that a busy link does not keep the timers and the writing waiting.
const READS_PER_TURN: usize = 16;
/// Frames that are handled under one lock.
const FRAMES_PER_LOCK: usize = 64;
/// The read buffer's first capacity, and the most it grows to for small frames.
const READ_MIN: usize = 4 << 10;
const READ_MAX: usize = 64 << 10;
/// How long an ended session waits for its last words to be read.
const LINGER: Duration = Duration::from_secs(1);

/// The task of one session. Ends when the session has ended and its last words are written.
pub(super) struct Driver {
    shared: Arc<Shared>,
    io: Box<dyn AsyncRead + Send + Unpin>,
    buffer: BytesMut,
    /// How much the next read asks for.
    appetite: usize,
    hosting: Hosting,
    sleep: Pin<Box<Sleep>>,
    /// The task's own, as everybody else knows it.
    waker: Waker,
    /// The timer may know another waker.
    waker_is_new: bool,
    /// The session has ended.
    over: bool,
    /// Until when its last words may take.
    lingering: Option<Instant>,
    shut_down: bool,
    /// The link gives nothing more.
    deaf: bool,
    /// The number of the link that this reads.
    link: u64,
}

/// How a read went.
enum Read {
    Some,
    Nothing,
    Lost(EndReason),
}

impl Driver {
    pub(super) fn new(shared: Arc<Shared>, io: Box<dyn AsyncRead + Send + Unpin>) -> Self {
        Self {
            shared,
            io,
            buffer: BytesMut::new(),
            appetite: READ_MIN,
            hosting: Hosting::default(),
            sleep: Box::pin(tokio::time::sleep(Duration::ZERO)),
            waker: Waker::noop().clone(),
            waker_is_new: true,
            over: false,
            lingering: None,
            shut_down: false,
            deaf: false,
            link: 0,
        }
    }

    /// Makes the task's waker known, where it is another than before.
    fn begin_turn(&mut self, waker: &Waker) {
        if self.waker.will_wake(waker) {
            return;
        }
        self.waker = waker.clone();
        self.waker_is_new = true;
        self.shared.lock().driver = waker.clone();
        self.shared.writer.lock().unwrap_or_else(PoisonError::into_inner).waker = waker.clone();
    }

    /// Lets go of a link that the session has no longer, and takes up the next, if there is one.
    fn follow_link(&mut self) {
        let (next, waits) = {
            let mut state = self.shared.lock();
            self.link = state.link.number;
            state.known_link = self.link;
            (state.link.next.take(), state.waits_for_link())
        };
        self.buffer = BytesMut::new();
        self.appetite = READ_MIN;
        self.deaf = next.is_none();
        let Some(Link { read, write, .. }) = next else {
            self.io = Box::new(tokio::io::empty());
            self.shared.write_nowhere(self.link);
            if waits && self.shared.redial.is_some() {
                tokio::spawn(redial(Arc::clone(&self.shared)));
            }
            return;
        };
        self.io = read;
        self.shared.write_to(write, self.link);
        self.shared.change(|state| {
            if state.link.number == self.link {
                state.writing = Writing::default();
            }
        });
    }

    /// Reads and serves. `true`: there may be more, and the turn is over all the same.
    fn read_turn(&mut self, cx: &mut Context<'_>) -> bool {
        for turn in 0..READS_PER_TURN {
            // By the first read of a turn what came before is mostly dropped, and its memory is had again for
            // nothing; later ones make do with less.
            let least = if turn == 0 { READ_MIN / 2 } else { READ_MIN / 4 };
            match self.read(least, cx) {
                Read::Some => self.serve_buffer(cx),
                Read::Nothing => return false,
                Read::Lost(reason) => {
                    self.deaf = true;
                    let link = self.link;
                    self.shared.change(|state| {
                        if state.link.number == link {
                            state.session.link_lost(now(), reason);
                        }
                    });
                    return false;
                }
            }
        }
        true
    }

    fn read(&mut self, least: usize, cx: &mut Context<'_>) -> Read {
        if self.deaf {
            return Read::Nothing;
        }
        // Room for READ_MIN at least, once there is less than `least`; a frame under way is read into as much as has come in already, so a
        // buffer grows by what was received and never by what was claimed.
        let want = self.appetite.max(self.missing().min(self.buffer.len()));
        if self.buffer.capacity() - self.buffer.len() < least.min(want) {
            self.buffer.reserve(want);
        }
        let room = self.buffer.capacity() - self.buffer.len();
        let read = {
            let read = pin!(self.io.read_buf(&mut self.buffer));
            read.poll(cx)
        };
        match read {
            Poll::Pending => Read::Nothing,
            Poll::Ready(Ok(0)) => Read::Lost(EndReason::LinkLost("the peer closed the link".into())),
            Poll::Ready(Ok(n)) => {
                if n == room {
                    self.appetite = (self.appetite * 2).min(READ_MAX);
                }
                Read::Some
            }
            Poll::Ready(Err(error)) => Read::Lost(EndReason::LinkLost(error.to_string().into())),
        }
    }

    /// How many bytes the frame under way still lacks, as far as its length is known.
    fn missing(&self) -> usize {
        match self.buffer.first_chunk::<LENGTH_BYTES>() {
            Some(length) => (u32::from_le_bytes(*length) as usize + LENGTH_BYTES).saturating_sub(self.buffer.len()),
            None => 0,
        }
    }

    /// Handles every whole frame in the buffer.
    fn serve_buffer(&mut self, cx: &mut Context<'_>) {
        loop {
            let Self { shared, buffer, .. } = self;
            let clock = now();
            let link = self.link;
            let (more, first) = shared.change(|state| {
                // Whatever this asks for is seen to at the end of the turn.
                state.driver_awake = true;
                if state.link.number != link {
                    buffer.clear();
                    return (false, None);
                }
                let more = handle_frames(&mut state.session, clock, buffer, shared.limits.max_message_bytes);
                state.settle(&shared.router);
                (more, state.next_request())
            });
            self.host(first, clock, cx);
            if !more {
                return;
            }
        }
    }

    /// Starts handlers, until none is asked for or their replies fill the outbox: the rest wait until there is room.
    fn host(&mut self, mut next: Option<Next>, mut clock: Instant, cx: &mut Context<'_>) {
        while let Some(Next { request, last }) = next {
            self.hosting.host(&self.shared, request, &mut clock, cx);
            next = if last { None } else { self.shared.lock().next_request() };
        }
    }

    /// Writes what there is to write, looks at what others left, and sets the timer. `true`: there is something to
    /// do at once.
    fn end_turn(&mut self, cx: &mut Context<'_>) -> bool {
        let Self { shared, sleep, lingering, .. } = self;
        let (mut state, wrote) = flush(shared);
        if state.link.number != self.link {
            drop(state);
            self.follow_link();
            cx.waker().wake_by_ref();
            return false;
        }
        let over = state.session.end_reason().is_some();
        if over && (wrote || lingering.is_none()) {
            self.over = true;
            return true;
        }
        let fired = state.armed.is_some() && sleep.is_elapsed();
        if fired || state.link_error.is_some() {
            if fired {
                state.armed = None;
            }
            drop(state);
            self.look_around();
            return true;
        }
        let waiting = state.next_request();
        if waiting.is_some() {
            drop(state);
            self.host(waiting, now(), cx);
            return true;
        }
        if state.may_write() || state.unwatched {
            return true;
        }
        state.driver_awake = false;
        let watched = lingering.is_some() || state.stalled.is_some() || self.waker_is_new;
        if !watched && state.is_armed_in_time() {
            return false;
        }
        let due = earlier(earlier(state.next_timeout(), state.stall_due(&shared.limits)), *lingering);
        let Some(due) = due else { return false };
        // A timer that is set too early fires for nothing once; setting it anew for every frame would cost more.
        let set = state.armed.is_none_or(|armed| due < armed);
        if set {
            state.armed = Some(due);
            sleep.as_mut().reset(due.into());
        }
        // Set, it wakes whoever polled it last; it need not be polled again for the same waker.
        // Whatever this turn has used up of the task's budget: a timer that puts off being polled has no waker.
        let poll = |sleep: Pin<&mut Sleep>, cx: &mut Context<'_>| pin!(tokio::task::unconstrained(sleep)).poll(cx);
        if (set || std::mem::take(&mut self.waker_is_new)) && poll(sleep.as_mut(), cx).is_ready() {
            state.driver_awake = true;
            return true;
        }
        false
    }

    /// Sees to what is due, and to a link that broke.
    fn look_around(&self) {
        let now = now();
        let shared = &self.shared;
        shared.change(|state| {
            if let Some(error) = state.link_error.take() {
                state.session.link_lost(now, EndReason::LinkLost(error.to_string().into()));
            }
            if state.stall_due(&shared.limits).is_some_and(|due| due <= now) {
                // Taken, for a time that has passed is due at once, again and again.
                state.stalled = None;
                state.session.link_lost(now, EndReason::WriteStalled);
            }
            if state.next_timeout().is_some_and(|at| at <= now) {
                state.session.handle_timeout(now);
                state.expire_queue(now);
            }
        });
    }

    /// The session has ended: says the last words, closes the link, and hears the peer out for a moment so that
    /// the words are not lost to a reset.
    fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let lingering = *self.lingering.get_or_insert_with(|| now() + LINGER);
        if now() >= lingering {
            return Poll::Ready(());
        }
        let written = matches!(self.shared.lock().writing, Writing::Idle | Writing::Broken);
        if written && !self.shut_down {
            let mut writer = self.shared.writer.lock().unwrap_or_else(PoisonError::into_inner);
            self.shut_down = Pin::new(&mut *writer.io).poll_shutdown(cx).is_ready();
        }
        if self.shut_down && self.deaf {
            return Poll::Ready(());
        }
        self.buffer.clear();
        Poll::Pending
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        this.begin_turn(cx.waker());
        if this.read_turn(cx) {
            cx.waker().wake_by_ref();
        }
        loop {
            if this.over && this.poll_over(cx).is_ready() {
                return Poll::Ready(());
            }
            if !this.end_turn(cx) {
                return Poll::Pending;
            }
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // The runtime went down under it, or it is done: either way nobody may wait for it any more.
        self.shared.change(|state| {
            state.session.abandoned(EndReason::LinkLost("the session's task ended".into()));
            state.finish();
        });
        // Handles may be kept for long after; the link, which the peer watches, is not.
        let io: Box<dyn AsyncWrite + Send + Unpin> = Box::new(tokio::io::sink());
        let _link = std::mem::replace(&mut self.shared.writer.lock().unwrap_or_else(PoisonError::into_inner).io, io);
    }
}

/// Writes what there is to write, and says whether there was something.
fn flush(shared: &Shared) -> (MutexGuard<'_, State>, bool) {
    let mut state = shared.lock();
    // Whatever others ask for from here on is seen to before the turn ends.
    state.driver_awake = true;
    if !state.may_write() && state.writing != Writing::Blocked {
        return (state, false);
    }
    let writer = state.begin_write(&shared.writer);
    drop(state);
    shared.write(writer, Flush::Driver);
    let state = shared.lock();
    let wrote = state.writing != Writing::Blocked;
    (state, wrote)
}

/// Handles whole frames from the buffer, up to the bound. `true`: there may be more.
fn handle_frames(session: &mut crate::proto::Session, now: Instant, buffer: &mut BytesMut, max_len: usize) -> bool {
    for _ in 0..FRAMES_PER_LOCK {
        let Some(length) = buffer.first_chunk::<LENGTH_BYTES>() else { return false };
        let length = u32::from_le_bytes(*length) as usize;
        if length > max_len {
            let why = format!("a frame of {length} bytes, over the limit of {max_len}");
            session.on_violation(&ProtocolViolation::new(Rule::FrameTooLarge, why));
            buffer.clear();
            return false;
        }
        if buffer.len() < LENGTH_BYTES + length {
            return false;
        }
        buffer.advance(LENGTH_BYTES);
        let body = buffer.split_to(length).freeze();
        if session.handle(now, body).is_err() || session.end_reason().is_some() {
            buffer.clear();
            return false;
        }
    }
    true
}
