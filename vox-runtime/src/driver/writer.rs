//! Writing what the outbox holds. One that finds nobody writing may write.

use std::io::{self, IoSlice};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use tokio::io::AsyncWrite;

use super::clock::now;
use super::write_pace::Pace;
use crate::catch_panic::catch_panic;
use crate::proto::Batch;
use crate::transport::WriteHalf;
use crate::wire::PART;

/// What a link that panics when it is used says.
pub(crate) const LINK_PANICKED: &str = "the link panicked";
/// The most buffers that one write names.
const SLICES: usize = 16;
/// How many bytes of long messages the driver writes before it reads again.
pub(super) const PARTS_PER_TURN: u32 = 8 * PART as u32;

/// The link's writing half. Wakes go to the driver, also while another writes. The writer has it alone meanwhile.
pub(super) struct Writer {
    pub(super) io: WriteHalf,
    pub(super) waker: Waker,
    /// Which of the session's links this is.
    pub(super) link: u64,
    /// What was taken and is not written. Empty, it keeps a buffer.
    pub(super) batch: Batch,
    pub(super) pace: Pace,
    /// How many long messages have parts in the batch, or could have had.
    pub(super) longs: u32,
    /// How many bytes were written since the driver last read, while there were long messages.
    pub(super) spent: u32,
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

impl Writer {
    /// More is put into the batch, while so many long messages wait. Their last parts may be in it already: those tell of the link's
    /// speed as the others did.
    #[inline]
    pub(super) fn begin_batch(&mut self, longs: u32) {
        self.longs = if self.batch.is_empty() { longs } else { self.longs.max(longs) };
    }

    /// So much was written, after the link had taken nothing since `stalled`: fits what the next batches have to the link.
    pub(super) fn note(&mut self, written: usize, stalled: Option<Instant>) {
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
    pub(super) fn write_batch(&mut self) -> (usize, Poll<io::Result<()>>) {
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
