//! Links: what moves bytes between two peers, and the addresses that name them.

mod address;
mod connector;
mod dial;
mod dial_target;
mod listener;
mod memory;
mod party;
mod runtime_bound;
#[cfg(unix)]
mod unix;
mod write_half;

pub use address::{Address, AddressError};
pub use connector::Connector;
pub use dial::NoLink;
pub(crate) use dial::{Failure, Greeter, dial};
pub(crate) use dial_target::DialTarget;
pub(crate) use listener::{Listener, Listening};
pub use memory::memory_pair;
pub(crate) use memory::memory_pair_at;
pub(crate) use party::Party;
pub(crate) use write_half::{LEAST_UNSENT, WriteHalf};

use std::fmt;
use std::io;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use runtime_bound::RuntimeBound;

/// A link to one peer: a reliable, ordered stream of bytes each way.
///
/// Made from anything that reads and writes:
///
/// ```
/// # extern crate vox_runtime as vox;
/// let (ours, theirs) = tokio::io::duplex(1024);
/// let link = vox::transport::Link::new(ours, "a pipe");
/// # drop(theirs);
/// assert_eq!(link.address(), "a pipe");
/// ```
pub struct Link {
    pub(crate) read: Box<dyn AsyncRead + Send + Unpin>,
    pub(crate) write: WriteHalf,
    pub(crate) address: String,
    pub(crate) party: Option<Party>,
}

impl Link {
    /// A link over any stream. `address` is what the peer is called in contexts, logs and errors. The stream is used within the
    /// runtime that the session is made in, whichever thread or runtime its calls are awaited in.
    pub fn new(stream: impl AsyncRead + AsyncWrite + Send + 'static, address: impl Into<String>) -> Self {
        let (read, write) = tokio::io::split(stream);
        Self::from_halves(read, write, address)
    }

    /// A link over two halves that are already apart.
    pub fn from_halves(
        read: impl AsyncRead + Send + Unpin + 'static,
        write: impl AsyncWrite + Send + Unpin + 'static,
        address: impl Into<String>,
    ) -> Self {
        Self::over(RuntimeBound::new(read), WriteHalf::other(RuntimeBound::new(write)), address)
    }

    /// As [`from_halves`](Self::from_halves), of halves that need no runtime around them.
    fn over(read: impl AsyncRead + Send + Unpin + 'static, write: WriteHalf, address: impl Into<String>) -> Self {
        Self { read: Box::new(read), write, address: address.into(), party: None }
    }

    /// A link over TCP, with Nagle's algorithm off. On Linux and Android, the kernel keeps little more than 32 KiB that it has not
    /// sent yet: what is short overtakes what is long only before it is in there. While one
    /// long message is alone and its link is full and fast all the same, the kernel keeps as much as the link sends in 5 ms, up to 1 MiB.
    pub fn tcp(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let peer = stream.peer_addr()?;
        let (read, write) = stream.into_split();
        let write = WriteHalf::Tcp(write);
        write.keep_unsent(LEAST_UNSENT);
        let link = Self::over(read, write, format!("tcp://{peer}"));
        Ok(Self { party: Some(Party::of_ip(peer.ip())), ..link })
    }

    /// A link over a Unix socket.
    #[cfg(unix)]
    pub fn unix(stream: tokio::net::UnixStream, address: impl Into<String>) -> Self {
        let party = stream.peer_cred().ok().map(|peer| Party::User(peer.uid()));
        let (read, write) = stream.into_split();
        Self { party, ..Self::over(read, WriteHalf::other(write), address) }
    }

    /// Says whose the link is. A server counts what the links of one peer take together, where it does not ask who its peers are, and
    /// bounds that: see [`Limits::max_peer_sessions`](crate::Limits::max_peer_sessions), `max_peer_handshakes` (these always), `max_peer_detached`, and
    /// `max_peer_records` of a store. A text that is an IP address counts as that, an IPv6 address by its first 64 bits.
    ///
    /// A TCP link is of its address and a Unix link of its user without this; other links are nobody's, and nothing bounds what they take
    /// together. Say it of a link that comes through TLS or a proxy, which knows the peer's address, or of one of many
    /// customers behind one address:
    ///
    /// ```
    /// # extern crate vox_runtime as vox;
    /// let (ours, theirs) = tokio::io::duplex(1024);
    /// let link = vox::transport::Link::new(ours, "tls://203.0.113.7:41210").of_peer("203.0.113.7");
    /// # drop((link, theirs));
    /// ```
    pub fn of_peer(self, peer: &str) -> Self {
        Self { party: Some(Party::named(peer)), ..self }
    }

    /// What the peer is called.
    pub fn address(&self) -> &str {
        &self.address
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("address", &self.address).finish_non_exhaustive()
    }
}
