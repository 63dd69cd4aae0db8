//! Waiting for links.

use std::io;

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
    pub(crate) async fn accept(&mut self) -> io::Result<Link> {
        match self {
            Self::Tcp(listener) => Link::tcp(listener.accept().await?.0),
            #[cfg(unix)]
            Self::Unix(socket) => {
                let address = format!("unix://{}", socket.path().display());
                Ok(Link::unix(socket.accept().await?, address))
            }
            Self::Memory(listener) => listener.accept().await,
        }
    }
}
