//! Links inside one process.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::sync::mpsc;

use super::{Link, WriteHalf};

/// How many bytes a memory link holds each way before its writer waits.
const CAPACITY: usize = 64 << 10;
/// How many links wait to be accepted.
const BACKLOG: usize = 128;

/// Two ends of one link.
///
/// ```
/// # extern crate vox_runtime as vox;
/// let (a, b) = vox::transport::memory_pair();
/// # drop((a, b));
/// ```
pub fn memory_pair() -> (Link, Link) {
    memory_pair_at("mem://pair")
}

/// As [`memory_pair`], of a link that leads to `address`.
pub(crate) fn memory_pair_at(address: &str) -> (Link, Link) {
    let (a, b) = tokio::io::duplex(CAPACITY);
    let link = |end| {
        let (read, write) = tokio::io::split(end);
        Link::over(read, WriteHalf::other(write), address)
    };
    (link(a), link(b))
}

static LISTENERS: Mutex<BTreeMap<String, mpsc::Sender<Link>>> = Mutex::new(BTreeMap::new());

/// Listens under a name. The name is free again when this is dropped.
pub(crate) struct MemoryListener {
    name: String,
    links: mpsc::Receiver<Link>,
}

impl MemoryListener {
    pub(crate) fn bind(name: &str) -> io::Result<Self> {
        let mut listeners = LISTENERS.lock().unwrap_or_else(PoisonError::into_inner);
        if listeners.contains_key(name) {
            return Err(io::Error::new(io::ErrorKind::AddrInUse, "Address already in use in this process"));
        }
        let (sender, links) = mpsc::channel(BACKLOG);
        listeners.insert(name.to_owned(), sender);
        Ok(Self { name: name.to_owned(), links })
    }

    pub(super) fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Link>> {
        self.links.poll_recv(cx).map(|link| link.ok_or_else(|| io::ErrorKind::NotConnected.into()))
    }
}

impl Drop for MemoryListener {
    fn drop(&mut self) {
        LISTENERS.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.name);
    }
}

/// Waits while as many links as the backlog holds are not accepted yet.
pub(super) async fn connect(name: &str) -> io::Result<Link> {
    let refused = || io::Error::new(io::ErrorKind::ConnectionRefused, "nobody listens");
    let sender = {
        let listeners = LISTENERS.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.get(name).cloned().ok_or_else(refused)?
    };
    let (ours, theirs) = memory_pair_at(&format!("mem://{name}"));
    sender.send(theirs).await.map_err(|_| refused())?;
    Ok(ours)
}
