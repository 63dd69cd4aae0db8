//! Writing what the outbox holds. Whoever finds nobody writing may write.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::PoisonError;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use tokio::io::AsyncWrite;

use super::shared::{Flush, Shared, State};
use crate::proto::Batch;

/// The most buffers that one write names.
const SLICES: usize = 16;

/// The link's writing half. Wakes go to the driver, whoever writes.
pub(super) struct Writer {
    pub(super) io: Box<dyn AsyncWrite + Send + Unpin>,
    pub(super) waker: Waker,
    /// Which of the session's links this is.
    pub(super) link: u64,
}

/// Where the writing stands.
#[derive(Debug)]
pub(super) enum Writing {
    /// Nobody writes. The batch is empty and keeps a buffer.
    Idle(Batch),
    /// Somebody does, and will look again before it stops.
    Busy,
    /// The link takes no more for now. The driver goes on once it does.
    Blocked(Batch),
    /// The link is broken, or there is none.
    Broken,
}

impl Default for Writing {
    fn default() -> Self {
        Self::Idle(Batch::default())
    }
}

impl State {
    /// Whether there is something to write and nobody who writes.
    pub(super) fn may_write(&mut self) -> bool {
        matches!(self.writing, Writing::Idle(_)) && self.session.has_output()
    }

    /// Takes the outbox and the duty to write it to the link of this number.
    pub(super) fn begin_write(&mut self) -> (Batch, u64) {
        self.unwatched = false;
        let mut batch = match std::mem::replace(&mut self.writing, Writing::Busy) {
            Writing::Idle(batch) | Writing::Blocked(batch) => batch,
            Writing::Busy | Writing::Broken => Batch::default(),
        };
        self.session.take(&mut batch);
        (batch, self.link.number)
    }
}

impl Shared {
    /// Writes a batch; the driver goes on until the outbox is empty. Only for whoever set [`Writing::Busy`].
    pub(super) fn write(&self, (mut batch, link): (Batch, u64), by: Flush) {
        loop {
            let (written, outcome) = self.write_batch(&mut batch, link);
            let again = self.change(|state| {
                if state.link.number != link {
                    // That link is gone. What was on its way the session keeps.
                    return false;
                }
                state.session.on_written(written);
                if written > 0 || outcome.is_ready() {
                    state.stalled = None;
                }
                match outcome {
                    // What others have put in meanwhile is the driver's, who is woken for it: a caller is not kept.
                    Poll::Ready(Ok(())) if by == Flush::Here || !state.session.has_output() => {
                        state.writing = Writing::Idle(std::mem::take(&mut batch));
                        false
                    }
                    Poll::Ready(Ok(())) => {
                        state.session.take(&mut batch);
                        true
                    }
                    Poll::Pending => {
                        state.writing = Writing::Blocked(std::mem::take(&mut batch));
                        state.stalled.get_or_insert_with(now);
                        state.unwatched = by == Flush::Here;
                        false
                    }
                    Poll::Ready(Err(error)) => {
                        state.writing = Writing::Broken;
                        state.link_error.get_or_insert(error);
                        false
                    }
                }
            });
            if !again {
                return;
            }
        }
    }

    /// Writes what it can of the batch, and flushes once all of it is written.
    fn write_batch(&self, batch: &mut Batch, link: u64) -> (usize, Poll<io::Result<()>>) {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if writer.link != link {
            return (0, Poll::Pending);
        }
        let Writer { io, waker, .. } = &mut *writer;
        let mut cx = Context::from_waker(waker);
        let mut total = 0;
        while !batch.is_empty() {
            let written = match poll_write(Pin::new(&mut **io), &mut cx, batch) {
                Poll::Ready(Ok(0)) => return (total, Poll::Ready(Err(io::ErrorKind::WriteZero.into()))),
                Poll::Ready(Ok(written)) => written,
                Poll::Ready(Err(error)) => return (total, Poll::Ready(Err(error))),
                Poll::Pending => return (total, Poll::Pending),
            };
            total += written;
            batch.advance(written);
        }
        (total, Pin::new(&mut **io).poll_flush(&mut cx))
    }
}

fn poll_write(
    io: Pin<&mut (dyn AsyncWrite + Send + Unpin)>,
    cx: &mut Context<'_>,
    batch: &Batch,
) -> Poll<io::Result<usize>> {
    if let Some(slice) = batch.lone() {
        return io.poll_write(cx, slice);
    }
    let mut slices = batch.slices();
    let first = slices.next().unwrap_or_default();
    if !io.is_write_vectored() {
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

/// Now, as tokio's clock has it, so that tests can pause it.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
