//! A lone call reads its reply itself, and nobody waits for one that does not.

use std::future::IntoFuture;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::task::Id;
use tokio::time::Instant;
use vox::Session;
use vox::transport::Link;

use crate::lab::{Bench, LabClient, LabDispatcher};

#[vox::service]
trait Porch {
    /// Hands out the caller's session.
    async fn join(&self, cx: &vox::Context);
    async fn echo(&self, n: u64) -> u64;
    async fn hang(&self);
}

struct Keeper(tokio::sync::mpsc::Sender<Session>);

impl Porch for Keeper {
    async fn join(&self, cx: &vox::Context) {
        let _ = self.0.send(cx.session()).await;
    }
    async fn echo(&self, n: u64) -> u64 {
        n
    }
    async fn hang(&self) {
        std::future::pending().await
    }
}

/// A link that notes which task each read that gave something was made in.
struct Traced {
    io: DuplexStream,
    readers: Arc<Mutex<Vec<Option<Id>>>>,
    /// After every read that gives something, one gives nothing and wakes the reader at once, as if what comes next came
    /// just then.
    stutters: bool,
    due: bool,
}

impl AsyncRead for Traced {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if std::mem::take(&mut self.due) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let polled = Pin::new(&mut self.io).poll_read(cx, buf);
        if polled.is_ready() {
            self.due = self.stutters;
            self.readers.lock().expect("no panic").push(tokio::task::try_id());
        }
        polled
    }
}

impl AsyncWrite for Traced {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

struct Scene {
    porch: PorchClient,
    /// The server's end of the session.
    session: Session,
    readers: Arc<Mutex<Vec<Option<Id>>>>,
}

async fn scene() -> Scene {
    scene_over(false).await
}

async fn scene_over(stutters: bool) -> Scene {
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let (sender, mut sessions) = tokio::sync::mpsc::channel(1);
    tokio::spawn(vox::serve(Link::new(theirs, "memory"), PorchDispatcher::new(Keeper(sender))));
    let readers = Arc::default();
    let link = Link::new(Traced { io: ours, readers: Arc::clone(&readers), stutters, due: false }, "traced");
    let porch: PorchClient = vox::connect(link).serving(LabDispatcher::new(Bench::default())).await.expect("a session");
    porch.join().await.expect("joined");
    let session = sessions.recv().await.expect("a session");
    Scene { porch, session, readers }
}

fn poll_once(future: &mut (impl Future + Unpin)) -> bool {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

#[tokio::test(start_paused = true)]
async fn calls_that_follow_one_another_read_their_replies_themselves() {
    let Scene { porch, readers, .. } = scene().await;
    let caller = tokio::spawn(async move {
        for n in 0..20 {
            assert_eq!(porch.echo(n).await, Ok(n));
        }
        readers.lock().expect("no panic").split_off(0)
    });
    let caller_id = caller.id();
    let readers = caller.await.expect("no panic");
    let own = readers.iter().filter(|reader| **reader == Some(caller_id)).count();
    assert!(own >= 18, "{own} of the reads were the caller's");
}

/// Whoever begins a call and does other things first keeps nobody else on the session waiting for more than a moment.
#[tokio::test(start_paused = true)]
async fn a_call_that_is_not_polled_when_it_leads_holds_up_the_peer_for_milliseconds_only() {
    let Scene { porch, session, .. } = scene().await;
    for n in 0..3 {
        assert_eq!(porch.echo(n).await, Ok(n));
    }
    let mut hanging = porch.hang().into_future();
    assert!(!poll_once(&mut hanging));
    let before = Instant::now();
    let lab: LabClient = session.open().await.expect("the client serves");
    assert_eq!(lab.echo(7).await, Ok(7));
    assert!(before.elapsed() <= Duration::from_millis(6), "{:?}", before.elapsed());
    // Nor again before long.
    drop(hanging);
    for n in 0..3 {
        assert_eq!(porch.echo(n).await, Ok(n));
    }
    let mut hanging = porch.hang().into_future();
    assert!(!poll_once(&mut hanging));
    let before = Instant::now();
    assert_eq!(lab.echo(8).await, Ok(8));
    assert_eq!(before.elapsed(), Duration::ZERO);
}

/// What comes in while the reply is taken is not left lying.
#[tokio::test(start_paused = true)]
async fn a_call_that_is_done_leading_passes_the_reading_on() {
    let Scene { porch, session, .. } = scene_over(true).await;
    for n in 0..3 {
        assert_eq!(porch.echo(n).await, Ok(n));
    }
    let before = Instant::now();
    let lab: LabClient = session.open().await.expect("the client serves");
    assert_eq!(lab.echo(7).await, Ok(7));
    assert_eq!(before.elapsed(), Duration::ZERO, "nobody had to look in");
}

/// Another call that is made meanwhile is not left to the first one's polling.
#[tokio::test(start_paused = true)]
async fn a_second_call_ends_the_lead_of_the_first() {
    let Scene { porch, .. } = scene().await;
    for n in 0..3 {
        assert_eq!(porch.echo(n).await, Ok(n));
    }
    let mut hanging = porch.hang().into_future();
    assert!(!poll_once(&mut hanging));
    let before = Instant::now();
    assert_eq!(porch.echo(9).await, Ok(9));
    assert_eq!(before.elapsed(), Duration::ZERO, "nobody had to look in");
}
