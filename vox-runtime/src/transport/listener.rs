//! Waiting for links.

use std::future::poll_fn;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::net::TcpListener;

use super::memory::MemoryListener;
#[cfg(unix)]
use super::unix::UnixSocket;
use super::{Address, Link};

/// Whatever links come in by.
pub(crate) enum Listener {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixSocket),
    Memory(MemoryListener),
}

impl Listener {
    /// Listens at `address`. Gives back the address that peers connect to: port 0 has become a real one.
    pub(crate) async fn bind(address: &Address) -> io::Result<(Self, Address)> {
        match address {
            Address::Tcp(host) => {
                let listener = TcpListener::bind(host.as_str()).await?;
                let bound = Address::Tcp(listener.local_addr()?.to_string());
                Ok((Self::Tcp(listener), bound))
            }
            #[cfg(unix)]
            Address::Unix(path) => Ok((Self::Unix(UnixSocket::bind(path).await?), address.clone())),
            #[cfg(not(unix))]
            Address::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
            Address::Memory(name) => Ok((Self::Memory(MemoryListener::bind(name)?), address.clone())),
        }
    }

    /// The next link.
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Link>> {
        Poll::Ready(match self {
            Self::Tcp(listener) => Link::tcp(ready!(listener.poll_accept(cx))?.0),
            #[cfg(unix)]
            Self::Unix(socket) => {
                let stream = ready!(socket.poll_accept(cx))?;
                Ok(Link::unix(stream, format!("unix://{}", socket.path().display())))
            }
            Self::Memory(listener) => return listener.poll_accept(cx),
        })
    }
}

/// A listener that one task accepts from and that others may close at any time. Then its address is free at once.
pub(crate) struct Listening(Mutex<Option<Listener>>);

impl Listening {
    pub(crate) fn new(listener: Listener) -> Self {
        Self(Mutex::new(Some(listener)))
    }

    /// The next link; `None` once the listener is closed.
    pub(crate) async fn accept(&self) -> Option<io::Result<Link>> {
        poll_fn(|cx| {
            let mut listener = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            listener.as_mut().map_or(Poll::Ready(None), |listener| listener.poll_accept(cx).map(Some))
        })
        .await
    }

    /// Closes it. Where another is closing it at this moment, this waits for that, so the address is free when this returns.
    pub(crate) fn close(&self) {
        // It is dropped under the lock: of two that close it, the one that finds nothing must not be first.
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
