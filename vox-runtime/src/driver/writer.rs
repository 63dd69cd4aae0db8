//! Writing what the outbox holds. One that finds nobody writing may write.

use std::io::{self, IoSlice};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::MutexGuard;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use tokio::io::AsyncWrite;

use super::clock::now;
use super::pace::Pace;
use super::shared::{Flush, Shared, State};
use crate::contained::catch_panic;
use crate::proto::Batch;
use crate::transport::WriteHalf;
use crate::wire::PART;

/// What a link that panics when it is used says.
pub(crate) const LINK_PANICKED: &str = "the link panicked";
/// The most buffers that one write names.
const SLICES: usize = 16;
/// How many bytes of long messages the driver writes before it reads again.
const PARTS_PER_TURN: u32 = 8 * PART as u32;

/// The link's writing half. Wakes go to the driver, also while another writes. The writer has it alone meanwhile.
pub(super) struct Writer {
    pub(super) io: WriteHalf,
    waker: Waker,
    /// Which of the session's links this is.
    link: u64,
    /// What was taken and is not written. Empty, it keeps a buffer.
    batch: Batch,
    pace: Pace,
    /// How many long messages have parts in the batch, or could have had.
    longs: u32,
    /// How many bytes were written since the driver last read, while there were long messages.
    spent: u32,
}

/// Where the writing stands.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writing {
    /// Nobody writes, and nothing that was taken is left.
    #[default]
    Idle,
    /// Somebody does, and will look again before it stops.
    Busy,
    /// The link takes no more for now. The driver goes on once it does.
    Blocked,
    /// The link is broken, or there is none.
    Broken,
}

impl Writer {
    /// The writing half of this link.
    pub(super) fn new(io: WriteHalf, link: u64) -> Box<Self> {
        Box::new(Self {
            io,
            waker: Waker::noop().clone(),
            link,
            batch: Batch::default(),
            pace: Pace::new(),
            longs: 0,
            spent: 0,
        })
    }

    /// Whether the link has been given whole frames only.
    pub(super) fn is_between_frames(&self) -> bool {
        self.batch.is_empty()
    }

    /// Closes the link's own direction.
    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        catch_io_panic(|| Pin::new(&mut self.io).poll_shutdown(cx))
            .unwrap_or_else(|panicked| Poll::Ready(Err(panicked)))
    }
}

impl State {
    /// Whether there is something to write and nobody who writes.
    #[inline]
    pub(super) fn may_write(&mut self) -> bool {
        self.writing == Writing::Idle && self.session.has_output()
    }

    /// Takes the outbox and the duty to write it, unless somebody else has that.
    #[inline]
    pub(super) fn begin_write(&mut self) -> Option<Box<Writer>> {
        let mut writer = self.writer.take()?;
        if !writer.waker.will_wake(&self.driver) {
            writer.waker = self.driver.clone();
        }
        self.take_output(&mut writer);
        Some(writer)
    }

    #[inline]
    fn take_output(&mut self, writer: &mut Writer) {
        self.unwatched = false;
        self.writing = Writing::Busy;
        self.close_runs();
        let longs = self.session.longs() as u32;
        writer.begin_batch(longs);
        if longs > 0 {
            self.session.take_parts(now(), &mut writer.batch, writer.pace.batch());
        } else {
            self.session.take(&mut writer.batch);
        }
        #[cfg(test)]
        self.spring(super::fault::Trap::Take);
    }

    /// Takes up the result of a write. Gives the writer back, if the one who wrote is to go on.
    fn end_write(
        &mut self,
        mut writer: Box<Writer>,
        (written, outcome): (usize, Poll<io::Result<()>>),
        by: Flush,
    ) -> Result<Box<Writer>, Option<Box<Writer>>> {
        if self.link.number != writer.link || self.over {
            // That link is gone. What was on its way the session keeps.
            return Err(Some(writer));
        }
        self.session.on_written(written);
        if written > 0 || outcome.is_ready() {
            let stalled = self.stalled.take();
            if writer.longs > 0 {
                writer.note(written, stalled);
            }
        }
        self.writing = match outcome {
            // What others have put in meanwhile is the driver's, who is woken for it: a caller is not kept.
            Poll::Ready(Ok(())) if by == Flush::Here || !self.session.has_output() => Writing::Idle,
            // It has to read as well.
            Poll::Ready(Ok(())) if writer.spent >= PARTS_PER_TURN => Writing::Idle,
            Poll::Ready(Ok(())) => {
                self.take_output(&mut writer);
                return Ok(writer);
            }
            Poll::Pending => {
                self.stalled.get_or_insert_with(now);
                self.unwatched = by == Flush::Here;
                Writing::Blocked
            }
            Poll::Ready(Err(error)) => {
                self.link_error.get_or_insert(error);
                Writing::Broken
            }
        };
        self.writer = Some(writer);
        Err(None)
    }
}

impl Shared {
    /// Lets go of something, which may end the session. Its last words are written here and now, unless somebody is just writing: in
    /// a program that ends, the driver may never have another turn.
    pub(crate) fn let_go(&self, change: impl FnOnce(&mut State)) {
        let has_ended = |state: &State| state.session.end_reason().is_some();
        let here = |state: &State| match state.driver_is_awake() && !has_ended(state) {
            true => Flush::Driver,
            false => Flush::Here,
        };
        let ended = self.with(here, |state| {
            change(state);
            has_ended(state)
        });
        if ended {
            // It may have looked for the link meanwhile, to close it, and not found it.
            self.wake_driver();
        }
    }

    /// Writes what was taken. Only for the one that began to write, but the driver.
    pub(super) fn write(&self, mut writer: Box<Writer>) {
        let outcome = writer.write_batch();
        let gone = self.change(|state| state.end_write(writer, outcome, Flush::Here));
        if let Err(Some(writer)) = gone {
            catch_panic(move || drop(writer));
        }
    }

    /// As [`write`](Self::write), for the driver, which goes on until the outbox is empty.
    #[inline]
    pub(super) fn write_all(&self, mut writer: Box<Writer>) -> MutexGuard<'_, State> {
        loop {
            let outcome = writer.write_batch();
            let mut state = self.lock();
            let ended = state.end_write(writer, outcome, Flush::Driver);
            state.settle(&self.router);
            let deferred = state.deferred.take();
            if let (Err(None), None) = (&ended, &deferred) {
                return state;
            }
            drop(state);
            if let Some(deferred) = deferred {
                deferred.run(self);
            }
            match ended {
                Ok(again) => writer = again,
                Err(gone) => {
                    catch_panic(move || drop(gone));
                    return self.lock();
                }
            }
        }
    }
}

impl Writer {
    /// More is put into the batch, while so many long messages wait. Their last parts may be in it already: those tell of the link's
    /// speed as the others did.
    #[inline]
    fn begin_batch(&mut self, longs: u32) {
        self.longs = if self.batch.is_empty() { longs } else { self.longs.max(longs) };
    }

    /// So much was written, after the link had taken nothing since `stalled`: fits what the next batches have to the link.
    fn note(&mut self, written: usize, stalled: Option<Instant>) {
        self.spent = self.spent.saturating_add(u32::try_from(written).unwrap_or(u32::MAX));
        let waited = stalled.map_or(Duration::ZERO, |since| now().saturating_duration_since(since));
        if let Some(unsent) = self.pace.note(written, waited, self.longs > 1) {
            self.io.keep_unsent(unsent);
        }
    }

    /// The driver has read.
    pub(super) fn begin_turn(&mut self) {
        self.spent = 0;
    }

    /// Writes what it can of the batch, and flushes once all of it is written.
    fn write_batch(&mut self) -> (usize, Poll<io::Result<()>>) {
        catch_io_panic(|| self.write_some()).unwrap_or_else(|panicked| (0, Poll::Ready(Err(panicked))))
    }

    fn write_some(&mut self) -> (usize, Poll<io::Result<()>>) {
        let Self { io, waker, batch, .. } = self;
        let mut cx = Context::from_waker(waker);
        let mut total = 0;
        while !batch.is_empty() {
            let written = match poll_write(Pin::new(&mut *io), &mut cx, batch) {
                Poll::Ready(Ok(0)) => return (total, Poll::Ready(Err(io::ErrorKind::WriteZero.into()))),
                Poll::Ready(Ok(written)) => written,
                Poll::Ready(Err(error)) => return (total, Poll::Ready(Err(error))),
                Poll::Pending => return (total, Poll::Pending),
            };
            total += written;
            batch.advance(written);
        }
        (total, Pin::new(io).poll_flush(&mut cx))
    }
}

fn poll_write(io: Pin<&mut WriteHalf>, cx: &mut Context<'_>, batch: &Batch) -> Poll<io::Result<usize>> {
    if let Some(slice) = batch.lone() {
        return io.poll_write(cx, slice);
    }
    let mut slices = batch.slices().peekable();
    let first = slices.next().unwrap_or_default();
    // A socket that takes a part of one slice is known to be full, of several it is not, and is asked once more for nothing.
    if slices.peek().is_none() || !io.is_write_vectored() {
        return io.poll_write(cx, first);
    }
    let mut vector = [IoSlice::new(first); SLICES];
    let mut used = 1;
    for (slot, slice) in vector[1..].iter_mut().zip(slices) {
        *slot = IoSlice::new(slice);
        used += 1;
    }
    io.poll_write_vectored(cx, &vector[..used])
}

/// Uses the link. What does may be a call of the user's, which has no part in the link's faults.
fn catch_io_panic<R>(used: impl FnOnce() -> R) -> io::Result<R> {
    catch_unwind(AssertUnwindSafe(used)).map_err(|payload| {
        catch_panic(move || drop(payload));
        io::Error::other(LINK_PANICKED)
    })
}

#[cfg(test)]
mod tests {
    use super::Writer;
    use crate::proto::Batch;
    use crate::transport::WriteHalf;

    /// The link takes a message's last parts long after they were taken from the session, which knows of no long message by then.
    #[test]
    fn the_last_parts_of_a_long_message_count_until_they_are_written() {
        let mut writer = Writer::new(WriteHalf::nowhere(), 0);
        writer.begin_batch(1);
        writer.batch = Batch::of(&[0; 10]);
        writer.batch.advance(5);
        writer.begin_batch(0);
        assert_eq!(writer.longs, 1);
        writer.batch.advance(5);
        writer.begin_batch(0);
        assert_eq!(writer.longs, 0);
    }
}
