//! Waiting for links.

use std::io;
use std::path::{Path, PathBuf};

use tokio::net::TcpListener;

use super::memory::MemoryListener;
use super::{Address, Link};

/// Whatever links come in by.
pub(crate) enum Listener {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(tokio::net::UnixListener, SocketFile),
    Memory(MemoryListener),
}

/// A Unix socket's file, removed with its listener.
pub(crate) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
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
            Address::Unix(path) => {
                remove_stale(path).await?;
                let listener = tokio::net::UnixListener::bind(path)?;
                Ok((Self::Unix(listener, SocketFile(path.clone())), address.clone()))
            }
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
            Self::Unix(listener, file) => {
                let address = format!("unix://{}", file.0.display());
                Ok(Link::unix(listener.accept().await?.0, address))
            }
            Self::Memory(listener) => listener.accept().await,
        }
    }
}

/// Removes a socket file that nobody listens on any more: one left behind by a process that was killed.
#[cfg(unix)]
async fn remove_stale(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::FileTypeExt;
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    if is_socket
        && let Err(error) = tokio::net::UnixStream::connect(path).await
        && error.kind() == io::ErrorKind::ConnectionRefused
    {
        std::fs::remove_file(path)?;
    }
    Ok(())
}
