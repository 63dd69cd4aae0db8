//! A cable between a client and a server that can be cut: at a byte, in either direction, or at a word.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::sync::Notify;
use vox::Server;
use vox::transport::{Connector, Link};

/// How many bytes a link carries each way until it is cut: from the client, and to it.
pub type Lengths = (usize, usize);

pub const WHOLE: Lengths = (usize::MAX, usize::MAX);

/// Makes links from one client to one server.
#[derive(Clone)]
pub struct Cable(Arc<Inside>);

struct Inside {
    server: Mutex<Option<Arc<Server>>>,
    /// How long the next links are; after them, whole ones.
    lengths: Mutex<Vec<Lengths>>,
    cut: Notify,
    stall: Notify,
    links: AtomicUsize,
    attempts: AtomicUsize,
    carried: [AtomicUsize; 2],
    capacity: usize,
    /// Bytes in a second, each way; any number where it is 0.
    rate: AtomicUsize,
}

impl Cable {
    pub fn to(server: Server) -> Self {
        Self::with_capacity(server, 64 << 10)
    }

    pub fn with_capacity(server: Server, capacity: usize) -> Self {
        Self(Arc::new(Inside {
            server: Mutex::new(Some(Arc::new(server))),
            lengths: Mutex::default(),
            cut: Notify::new(),
            stall: Notify::new(),
            links: AtomicUsize::new(0),
            attempts: AtomicUsize::new(0),
            carried: [AtomicUsize::new(0), AtomicUsize::new(0)],
            capacity,
            rate: AtomicUsize::new(0),
        }))
    }

    /// What a client connects by.
    pub fn connector(&self) -> Connector {
        let cable = self.clone();
        Connector::new("cable", move || {
            let cable = cable.clone();
            async move { cable.link() }
        })
    }

    pub fn link(&self) -> io::Result<Link> {
        self.0.attempts.fetch_add(1, Ordering::SeqCst);
        let server = self.0.server.lock().expect("no panic").clone();
        let server = server.ok_or(io::ErrorKind::ConnectionRefused)?;
        self.0.links.fetch_add(1, Ordering::SeqCst);
        let lengths = self.0.lengths.lock().expect("no panic").pop().unwrap_or(WHOLE);
        let (ours, near) = tokio::io::duplex(self.0.capacity);
        let (theirs, far) = tokio::io::duplex(self.0.capacity);
        let inside = Arc::clone(&self.0);
        tokio::spawn(async move { inside.carry(near, far, lengths).await });
        tokio::spawn(async move { server.accept(Link::new(theirs, "cable")).await });
        Ok(Link::new(ours, "cable"))
    }

    /// From now on links carry so many bytes in a second, each way.
    pub fn slow(&self, rate: usize) {
        self.0.rate.store(rate, Ordering::SeqCst);
    }

    /// Cuts the link that there is.
    pub fn cut(&self) {
        self.0.cut.notify_waiters();
    }

    /// From now on the link that there is carries nothing, and nobody is told.
    pub fn stall(&self) {
        self.0.stall.notify_waiters();
    }

    /// The next links are so long, in this order.
    pub fn lengths(&self, mut lengths: Vec<Lengths>) {
        lengths.reverse();
        *self.0.lengths.lock().expect("no panic") = lengths;
    }

    /// Cuts the link and makes none until it is plugged in again. Gives back the server.
    pub fn unplug(&self) -> Arc<Server> {
        let server = self.0.server.lock().expect("no panic").take().expect("it is plugged in");
        self.cut();
        server
    }

    pub fn plug(&self, server: Arc<Server>) {
        *self.0.server.lock().expect("no panic") = Some(server);
    }

    pub fn server(&self) -> Arc<Server> {
        self.0.server.lock().expect("no panic").clone().expect("it is plugged in")
    }

    /// How many links were made.
    pub fn links(&self) -> usize {
        self.0.links.load(Ordering::SeqCst)
    }

    /// How often one was asked for.
    pub fn attempts(&self) -> usize {
        self.0.attempts.load(Ordering::SeqCst)
    }

    /// How many bytes all links carried: from the client, and to it.
    pub fn carried(&self) -> Lengths {
        (self.0.carried[0].load(Ordering::SeqCst), self.0.carried[1].load(Ordering::SeqCst))
    }
}

impl Inside {
    /// Carries bytes until the link is cut. Both ends then see the end of their stream.
    async fn carry(&self, near: DuplexStream, far: DuplexStream, lengths: Lengths) {
        let (from_client, to_client) = tokio::io::split(near);
        let (from_server, to_server) = tokio::io::split(far);
        let up = copy(from_client, to_server, lengths.0, &self.carried[0], &self.rate);
        let down = copy(from_server, to_client, lengths.1, &self.carried[1], &self.rate);
        tokio::pin!(up, down);
        tokio::select! {
            () = &mut up => {}
            () = &mut down => {}
            () = self.cut.notified() => {}
            () = self.stall.notified() => self.cut.notified().await,
        }
    }
}

async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut left: usize,
    carried: &AtomicUsize,
    rate: &AtomicUsize,
) {
    let mut buffer = vec![0; 16 << 10];
    while left > 0 {
        let rate = rate.load(Ordering::SeqCst);
        // What a slow line carries in a fiftieth of a second.
        let most = if rate > 0 { (rate / 50).clamp(1, buffer.len()) } else { buffer.len() };
        let Ok(read @ 1..) = from.read(&mut buffer[..most]).await else { return };
        if rate > 0 {
            tokio::time::sleep(Duration::from_secs_f64(read as f64 / rate as f64)).await;
        }
        let part = read.min(left);
        left -= part;
        if to.write_all(&buffer[..part]).await.is_err() {
            return;
        }
        carried.fetch_add(part, Ordering::SeqCst);
    }
}
