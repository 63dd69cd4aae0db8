//! Writing what the outbox holds. Whoever finds nobody writing may write.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
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
    /// What was taken and is not written. Empty, it keeps a buffer.
    batch: Batch,
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
    /// The writing half of a session's first link.
    pub(super) fn new(io: Box<dyn AsyncWrite + Send + Unpin>) -> Self {
        Self { io, waker: Waker::noop().clone(), link: 0, batch: Batch::default() }
    }

    /// Writes to another link, or to none, and gives back the one before. What was taken for that one the session keeps.
    pub(super) fn change(
        &mut self,
        io: Box<dyn AsyncWrite + Send + Unpin>,
        link: u64,
    ) -> Box<dyn AsyncWrite + Send + Unpin> {
        self.link = link;
        self.batch = Batch::default();
        std::mem::replace(&mut self.io, io)
    }
}

impl State {
    /// Whether there is something to write and nobody who writes.
    pub(super) fn may_write(&mut self) -> bool {
        self.writing == Writing::Idle && self.session.has_output()
    }

    /// Takes the outbox and the duty to write it. The writer is locked under the state, never the other way round.
    pub(super) fn begin_write<'a>(&mut self, writer: &'a Mutex<Writer>) -> MutexGuard<'a, Writer> {
        self.unwatched = false;
        self.writing = Writing::Busy;
        let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
        self.session.take(&mut writer.batch);
        writer
    }
}

impl Shared {
    /// Writes what was taken; the driver goes on until the outbox is empty. Only for whoever began to write.
    pub(super) fn write<'a>(&'a self, mut writer: MutexGuard<'a, Writer>, by: Flush) {
        loop {
            let link = writer.link;
            let (written, outcome) = writer.write_batch();
            drop(writer);
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
                        state.writing = Writing::Idle;
                        false
                    }
                    Poll::Ready(Ok(())) => true,
                    Poll::Pending => {
                        state.writing = Writing::Blocked;
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
            let mut state = self.lock();
            if state.writing != Writing::Busy || state.link.number != link {
                return;
            }
            writer = state.begin_write(&self.writer);
        }
    }
}

impl Writer {
    /// Writes what it can of the batch, and flushes once all of it is written.
    fn write_batch(&mut self) -> (usize, Poll<io::Result<()>>) {
        let Self { io, waker, batch, .. } = self;
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
