//! The writing half of a link.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;
use tokio::net::tcp;

/// How many bytes the kernel of a TCP link keeps that it has not sent, until the link is known to be fast.
pub(crate) const LEAST_UNSENT: u32 = 32 << 10;

/// A link's writing half.
pub(crate) enum WriteHalf {
    /// Of a TCP link, whose kernel can be told how much it keeps.
    Tcp(tcp::OwnedWriteHalf),
    Other(Box<dyn AsyncWrite + Send + Unpin>),
}

impl WriteHalf {
    pub(super) fn other(half: impl AsyncWrite + Send + Unpin + 'static) -> Self {
        Self::Other(Box::new(half))
    }

    /// One that forgets what is written.
    pub(crate) fn nowhere() -> Self {
        Self::other(tokio::io::sink())
    }

    /// Tells the kernel how many bytes it keeps that it has not sent. What kernels cannot be told is not an error.
    pub(crate) fn keep_unsent(&self, bytes: u32) {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if let Self::Tcp(half) = self {
            // A mark that is not set is the one before, with which the link works as well.
            let _ = socket2::SockRef::from(half.as_ref()).set_tcp_notsent_lowat(bytes);
        }
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        let _ = bytes;
    }

    fn with<R>(self: Pin<&mut Self>, used: impl FnOnce(Pin<&mut (dyn AsyncWrite + Send + Unpin)>) -> R) -> R {
        match self.get_mut() {
            Self::Tcp(half) => used(Pin::new(half)),
            Self::Other(half) => used(Pin::new(&mut **half)),
        }
    }
}

impl AsyncWrite for WriteHalf {
    #[inline]
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.with(|half| half.poll_write(cx, buf))
    }

    #[inline]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.with(|half| half.poll_write_vectored(cx, bufs))
    }

    #[inline]
    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(half) => half.is_write_vectored(),
            Self::Other(half) => half.is_write_vectored(),
        }
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|half| half.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|half| half.poll_shutdown(cx))
    }
}

#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
mod tests {
    use tokio::net::{TcpListener, TcpStream};

    use super::{LEAST_UNSENT, WriteHalf};
    use crate::transport::Link;

    #[tokio::test]
    async fn the_kernel_of_a_tcp_link_is_told_what_to_keep() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let link = Link::tcp(stream).unwrap();
        let WriteHalf::Tcp(half) = &link.write else { panic!("a TCP link is written through something else") };
        let told = || socket2::SockRef::from(half.as_ref()).tcp_notsent_lowat().unwrap();
        assert_eq!(told(), LEAST_UNSENT);
        link.write.keep_unsent(1 << 20);
        assert_eq!(told(), 1 << 20);
    }
}
