//! Others on a thread have their turn, however much one peer asks for at once.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use vox::Server;
use vox::transport::Link;

use crate::support::raw::{self, Raw, call};

/// How many calls come in one write.
const CALLS: u32 = 128;

#[vox::service]
trait Mill {
    /// Takes 100 µs, and is ready.
    async fn grind(&self);
    /// Lets others run, and gives the number of bytes.
    async fn weigh(&self, sack: Vec<u8>) -> u64;
}

#[derive(Clone, Default)]
struct Stone {
    ground: Arc<AtomicU32>,
}

impl Mill for Stone {
    async fn grind(&self) {
        let mut takes = pin!(tokio::time::advance(Duration::from_micros(100)));
        let _ = takes.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        self.ground.fetch_add(1, Ordering::Relaxed);
    }
    async fn weigh(&self, sack: Vec<u8>) -> u64 {
        tokio::task::yield_now().await;
        sack.len() as u64
    }
}

/// Lets all others run that can, once. tokio's own yield lets them run until none can.
async fn at_the_end_of_the_line() {
    let mut has_let = false;
    poll_fn(|cx| {
        cx.waker().wake_by_ref();
        if std::mem::replace(&mut has_let, true) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_asks_for_much_at_once_lets_others_have_their_turn() {
    let stone = Stone::default();
    let server = Server::builder().service(MillDispatcher::new(stone.clone())).start().expect("a server");
    let (ours, theirs) = tokio::io::duplex(1 << 20);
    let mut peer = Raw::new(ours);
    let accepted = server.accept(Link::new(theirs, "a pipe"));
    let joins = async {
        peer.send(&raw::hello(Some("Mill"), raw::LIMITS)).await;
        peer.read().await.map(|answer| answer.kind)
    };
    let (accepted, welcome) = tokio::join!(accepted, joins);
    assert_eq!((accepted.is_ok(), welcome), (true, Some(raw::WELCOME)));
    let calls: Vec<u8> = (0..u64::from(CALLS)).flat_map(|n| call(1, 2 * n + 1, "Mill.grind", &[]).wire()).collect();
    let other = tokio::spawn(async move {
        let (mut before, mut most) = (0, 0);
        for _ in 0..1_000 {
            at_the_end_of_the_line().await;
            let ground = stone.ground.load(Ordering::Relaxed);
            most = most.max(ground - before);
            before = ground;
        }
        (most, before)
    });
    peer.try_write(&calls).await;
    // A turn is over after 250 µs, and the time of one handler in eight is taken.
    assert_eq!(other.await.expect("no panic"), (9, CALLS));
}

/// A link that counts what is written to it at a time.
struct Counted {
    io: DuplexStream,
    writes: Arc<AtomicU32>,
}

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// The peer has to be told that so much was received. What is sent next tells it as well, where that is made in this turn of the thread.
#[tokio::test(start_paused = true)]
async fn an_acknowledgement_leaves_with_the_reply_that_is_soon_there() {
    let server = Server::builder().service(MillDispatcher::new(Stone::default())).start().expect("a server");
    let (ours, theirs) = tokio::io::duplex(1 << 20);
    let writes = Arc::<AtomicU32>::default();
    let counted = Counted { io: theirs, writes: Arc::clone(&writes) };
    let mut peer = Raw::new(ours);
    let joins = async {
        peer.send(&raw::resumable_hello("Mill", raw::LIMITS)).await;
        peer.read().await.map(|answer| answer.kind)
    };
    let (accepted, welcome) = tokio::join!(server.accept(Link::new(counted, "a pipe")), joins);
    assert_eq!((accepted.is_ok(), welcome), (true, Some(raw::WELCOME)));
    let before = writes.load(Ordering::Relaxed);
    let mut sack = vec![0x80, 0xa0, 0x01];
    sack.resize(3 + (20 << 10), 7);
    peer.send(&call(1, 1, "Mill.weigh", &sack)).await;
    let (first, second) = (peer.read_frame().await, peer.read_frame().await);
    let kinds = [first, second].map(|frame| frame.expect("a frame").kind);
    assert_eq!((kinds, writes.load(Ordering::Relaxed) - before), ([raw::ACK, raw::REPLY], 1));
}
