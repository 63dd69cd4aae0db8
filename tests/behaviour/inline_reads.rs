//! A lone call reads its reply itself, and nobody waits for one that does not.

use std::future::poll_fn;
use std::io;
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Wake, Waker};
use std::time::Duration;
use vox::Never;

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::runtime::Handle;
use tokio::task::Id;
use tokio::time::Instant;
use vox::transport::Link;
use vox::{Call, EndReason, Session, VoxError};

use crate::lab::{Bench, LabClient, LabDispatcher};
use crate::support::block_on;

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

/// A link that notes which task each read that gave something was made in. It reads and writes in the session's runtime, or panics.
struct Traced {
    io: DuplexStream,
    runtime: tokio::runtime::Id,
    /// Whether reading panics.
    broken: Arc<AtomicBool>,
    /// Whether writing does.
    blunt: Arc<AtomicBool>,
    readers: Arc<Mutex<Vec<Option<Id>>>>,
    /// After every read that gives something, one gives nothing and wakes the reader at once, as if what comes next came
    /// just then.
    stutters: bool,
    due: bool,
}

impl AsyncRead for Traced {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        assert_eq!(Handle::current().id(), self.runtime);
        assert!(!self.broken.load(Ordering::SeqCst), "on purpose, in a link");
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
        assert_eq!(Handle::current().id(), self.runtime);
        assert!(!self.blunt.load(Ordering::SeqCst), "on purpose, in a link");
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
    broken: Arc<AtomicBool>,
    blunt: Arc<AtomicBool>,
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
    let runtime = Handle::current().id();
    let (broken, blunt) = (Arc::default(), Arc::default());
    let traced = Traced {
        io: ours,
        runtime,
        broken: Arc::clone(&broken),
        blunt: Arc::clone(&blunt),
        readers: Arc::clone(&readers),
        stutters,
        due: false,
    };
    let link = Link::new(traced, "traced");
    let porch: PorchClient = vox::connect(link).serving(LabDispatcher::new(Bench::default())).await.expect("a session");
    porch.join().await.expect("joined");
    let session = sessions.recv().await.expect("a session");
    Scene { porch, session, readers, broken, blunt }
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

/// A task that begins a call and does other things first keeps nobody else on the session waiting for more than a moment.
#[tokio::test(start_paused = true)]
async fn a_call_that_is_not_polled_when_it_leads_holds_up_the_peer_for_milliseconds_only() {
    let Scene { porch, session, .. } = scene().await;
    for n in 0..3 {
        assert_eq!(porch.echo(n).await, Ok(n));
    }
    let mut hanging = porch.hang();
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
    let mut hanging = porch.hang();
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
    let mut hanging = porch.hang();
    assert!(!poll_once(&mut hanging));
    let before = Instant::now();
    assert_eq!(porch.echo(9).await, Ok(9));
    assert_eq!(before.elapsed(), Duration::ZERO, "nobody had to look in");
}

/// A link's fault is the session's, and not that of its reader.
#[tokio::test(start_paused = true)]
async fn a_link_that_panics_when_read_is_lost_with_either_reader() {
    for reads_inline in [true, false] {
        let Scene { porch, session: _session, broken, .. } = scene().await;
        for n in 0..3 {
            assert_eq!(porch.echo(n).await, Ok(n));
        }
        if !reads_inline {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        broken.store(true, Ordering::SeqCst);
        assert_eq!(porch.echo(1).await, Err(VoxError::Indeterminate));
        let reason = vox::Client::caller(&porch).session().closed().await;
        assert_eq!(reason, EndReason::LinkLost("the link panicked".into()));
    }
}

/// A call that is alone is written where it is made, several at once are written by the session's task.
#[tokio::test(start_paused = true)]
async fn a_link_that_panics_when_written_is_lost_with_either_writer() {
    for alone in [true, false] {
        let Scene { porch, session: _session, blunt, .. } = scene().await;
        assert_eq!(porch.echo(1).await, Ok(1));
        blunt.store(true, Ordering::SeqCst);
        let before = Instant::now();
        let mut calls = Vec::new();
        for n in 0..if alone { 1 } else { 3 } {
            calls.push(tokio::spawn(porch.echo(n)));
        }
        for call in calls {
            // Those that come after it were never written.
            let failed = call.await.expect("no panic").expect_err("nothing was written");
            assert!(
                matches!(failed, VoxError::Indeterminate { .. } | VoxError::NotSent(_)),
                "{failed:?}, alone: {alone}"
            );
        }
        let reason = vox::Client::caller(&porch).session().closed().await;
        assert_eq!(reason, EndReason::LinkLost("the link panicked".into()));
        assert_eq!(before.elapsed(), Duration::ZERO, "nobody had to find out by waiting");
    }
}

/// A link may need the runtime: for a timer, or for a thread that reads a file.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_call_that_is_polled_outside_the_runtime_uses_the_link_inside() {
    let Scene { porch, readers, .. } = scene().await;
    let (outside, elsewhere) = (porch.clone(), porch);
    let calling = std::thread::spawn(move || {
        for n in 0..100 {
            assert_eq!(block_on(outside.echo(n)), Ok(n));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            for n in 0..100 {
                assert_eq!(elsewhere.echo(n).await, Ok(n));
            }
        });
    });
    while !calling.is_finished() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    calling.join().expect("no panic");
    assert!(readers.lock().expect("no panic").len() >= 200);
}

/// A task that nobody but its wakers holds, as in a small executor: it goes with the last of them, and so does its session.
struct Lodger {
    _session: Session,
    host: Waker,
}

impl Wake for Lodger {
    fn wake(self: Arc<Self>) {
        self.host.wake_by_ref();
    }
}

/// What has become of it, and its only waker.
async fn lodger(porch: &PorchClient) -> (Weak<Lodger>, Waker) {
    let host = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
    let lodger = Arc::new(Lodger { _session: vox::Client::caller(porch).session(), host });
    (Arc::downgrade(&lodger), lodger.into())
}

/// Sees it through as the task of this waker.
async fn by<F: Future + Unpin>(waker: &Waker, mut future: F) -> F::Output {
    poll_fn(|_| Pin::new(&mut future).poll(&mut Context::from_waker(waker))).await
}

/// Lets a call read inline in a task of which no more than the session's wakers is left then.
async fn led_by_a_lodger(porch: &PorchClient) -> Weak<Lodger> {
    let (lodger, waker) = lodger(porch).await;
    for n in 0..3 {
        assert_eq!(by(&waker, porch.echo(n)).await, Ok(n));
    }
    drop(waker);
    assert!(lodger.upgrade().is_some(), "the session has its waker still");
    lodger
}

/// Runs this in a runtime and a thread of its own: one that waits for itself would wait for ever. The runtime ends with it.
fn in_a_thread<R: Send + 'static>(what: impl AsyncFnOnce() -> R + Send + 'static) -> R {
    let (done, is_done) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        let runtime = runtime.expect("a runtime");
        let result = runtime.block_on(what());
        drop(runtime);
        let _ = done.send(result);
    });
    is_done.recv_timeout(Duration::from_secs(20)).expect("it ends well")
}

#[test]
fn the_task_of_a_call_that_led_may_go_when_the_next_call_leads() {
    in_a_thread(async || {
        let Scene { porch, .. } = scene().await;
        let lodger = led_by_a_lodger(&porch).await;
        assert_eq!(porch.echo(4).await, Ok(4));
        assert!(lodger.upgrade().is_none());
    });
}

#[test]
fn the_task_of_a_call_that_led_may_go_when_no_call_leads_any_more() {
    in_a_thread(async || {
        let Scene { porch, .. } = scene().await;
        let lodger = led_by_a_lodger(&porch).await;
        tokio::time::sleep(Duration::from_millis(6)).await;
        assert!(lodger.upgrade().is_none());
    });
}

#[test]
fn the_task_of_a_call_that_led_is_not_kept_by_a_session_whose_task_is_gone() {
    let (lodger, _porch) = in_a_thread(async || {
        let Scene { porch, .. } = scene().await;
        (led_by_a_lodger(&porch).await, porch)
    });
    assert!(lodger.upgrade().is_none());
}

/// Whom a [`BRITTLE`] waker wakes.
static HOST: Mutex<Option<Waker>> = Mutex::new(None);

fn wake_host() {
    if let Some(host) = &*HOST.lock().expect("no panic") {
        host.wake_by_ref();
    }
}

/// A waker each clone of which panics when it is dropped.
const BRITTLE: RawWakerVTable = RawWakerVTable::new(
    |data| RawWaker::new(data, &BRITTLE),
    |_| wake_host(),
    |_| wake_host(),
    |_| panic!("on purpose, in the drop of a waker"),
);

#[test]
fn a_call_that_led_whose_wakers_panic_when_they_are_dropped_ends_no_session() {
    in_a_thread(async || {
        let Scene { porch, .. } = scene().await;
        *HOST.lock().expect("no panic") = poll_fn(|cx| Poll::Ready(Some(cx.waker().clone()))).await;
        // SAFETY: the functions of its table use no data.
        let waker = ManuallyDrop::new(unsafe { Waker::from_raw(RawWaker::new(std::ptr::null(), &BRITTLE)) });
        for n in 0..3 {
            assert_eq!(by(&waker, porch.echo(n)).await, Ok(n));
            assert_eq!(porch.echo(4).await, Ok(4));
        }
        assert!(vox::Client::caller(&porch).is_connected());
        HOST.lock().expect("no panic").take();
    });
}

/// A call under way whose task is no more than its waker: one that reads inline, or one that does not.
async fn begun_by_a_lodger(porch: &PorchClient, reads_inline: bool) -> (Weak<Lodger>, Call<u64, Never>) {
    if !reads_inline {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let (lodger, waker) = lodger(porch).await;
    let mut call = porch.echo(2);
    assert!(Pin::new(&mut call).poll(&mut Context::from_waker(&waker)).is_pending());
    drop(waker);
    assert!(lodger.upgrade().is_some(), "the session has its waker");
    (lodger, call)
}

#[test]
fn the_task_that_a_call_moved_away_from_may_go_with_its_waker() {
    in_a_thread(async || {
        let Scene { porch, .. } = scene().await;
        for reads_inline in [true, false] {
            let (lodger, call) = begun_by_a_lodger(&porch, reads_inline).await;
            assert_eq!(call.await, Ok(2));
            assert!(lodger.upgrade().is_none());
        }
    });
}

#[test]
fn the_task_of_a_call_that_is_dropped_elsewhere_may_go_with_its_waker() {
    in_a_thread(async || {
        let Scene { porch, .. } = scene().await;
        let (lodger, call) = begun_by_a_lodger(&porch, false).await;
        drop(call);
        assert!(lodger.upgrade().is_none());
    });
}
