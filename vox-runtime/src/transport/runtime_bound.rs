//! A stream of the user's, used in the runtime that its session is in, from any task.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::Handle;

/// One half of a link. A call that is made or awaited elsewhere may read and write it, and it may need a timer or a task.
pub(super) struct RuntimeBound<S> {
    half: S,
    /// Where it was used first, which was in the handshake.
    home: Option<Handle>,
}

impl<S: Unpin> RuntimeBound<S> {
    pub(super) fn new(half: S) -> Self {
        Self { half, home: None }
    }

    fn in_runtime<R>(&mut self, used: impl FnOnce(Pin<&mut S>) -> R) -> R {
        if self.home.is_none() {
            self.home = Handle::try_current().ok();
        }
        let _entered = self.home.as_ref().map(Handle::enter);
        used(Pin::new(&mut self.half))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for RuntimeBound<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.get_mut().in_runtime(|half| half.poll_read(cx, buf))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for RuntimeBound<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().in_runtime(|half| half.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().in_runtime(|half| half.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        self.half.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().in_runtime(|half| half.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().in_runtime(|half| half.poll_shutdown(cx))
    }
}
