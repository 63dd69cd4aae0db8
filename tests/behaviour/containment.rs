//! What users' code may do when it panics, wherever vox runs it: wakers, what listens to traces, drops, connectors. It costs that line, call,
//! poll or attempt, and nothing else. Handlers and dispatchers are in `panics`, `authenticate` is in `identity`, links are in `inline_reads`.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Wake, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use vox::transport::{Connector, Link};
use vox::{Limits, Server, VoxError};

use crate::lab::{Bench, Explosion, LabClient, LabDispatcher, lab, lab_with};
use crate::support::log::listen_in_company;
use crate::support::settle;

/// Panics when it is woken.
struct Mine(AtomicUsize);

impl Wake for Mine {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
        panic!("on purpose, in a wake");
    }
}

/// Polls this once with a waker that panics.
fn poll_badly<F: Future + Unpin>(future: &mut F) -> (Poll<F::Output>, Arc<Mine>) {
    let mine = Arc::new(Mine(AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&mine));
    (Pin::new(future).poll(&mut Context::from_waker(&waker)), mine)
}

#[tokio::test(start_paused = true)]
async fn a_waker_that_panics_costs_its_poll() {
    let (lab, probe) = lab().await;
    let beside: Vec<_> = (0..3).map(|n| tokio::spawn(lab.gate(n).into_future())).collect();
    let mut call = lab.gate(7).into_future();
    let (polled, mine) = poll_badly(&mut call);
    assert!(polled.is_pending());
    let after: Vec<_> = (10..13).map(|n| tokio::spawn(lab.gate(n).into_future())).collect();
    settle().await;
    probe.gate.add_permits(7);
    for (call, n) in beside.into_iter().chain(after).zip([0, 1, 2, 10, 11, 12]) {
        assert_eq!(call.await.expect("no panic"), Ok(n), "another call");
    }
    assert_eq!(mine.0.load(SeqCst), 1, "it was woken");
    assert_eq!(call.await, Ok(7), "polled again, it is there");
}

/// A lone call of many in a row is woken by the link itself.
#[tokio::test(start_paused = true)]
async fn so_does_that_of_a_call_that_reads_the_link_itself() {
    let (lab, _) = lab().await;
    for n in 0..20 {
        let mut call = lab.echo(n).into_future();
        let (polled, _mine) = poll_badly(&mut call);
        assert!(polled.is_pending());
        settle().await;
        assert_eq!(call.await, Ok(n));
    }
}

/// Waits in the queue, for an item, for credit, for another half: all of them are woken under way.
#[tokio::test(start_paused = true)]
async fn and_wherever_else_something_waits() {
    let (lab, probe) = lab_with(Limits { max_calls: 1, channel_items: 1, ..Limits::default() }).await;
    let first = tokio::spawn(lab.gate(1).into_future());
    settle().await;
    let mut queued = lab.echo(2).into_future();
    assert!(poll_badly(&mut queued).0.is_pending());
    probe.gate.add_permits(1);
    assert_eq!(first.await.expect("no panic"), Ok(1));
    assert_eq!(queued.await, Ok(2));

    let (tx, mut rx) = vox::channel::<u64>();
    lab.later(tx).await.expect("at once");
    let mut receiving = Box::pin(rx.recv());
    assert!(poll_badly(&mut receiving).0.is_pending());
    probe.gate.add_permits(1);
    settle().await;
    assert_eq!(receiving.await, Ok(Some(0)));

    let (tx, rx) = vox::channel::<u64>();
    let sum = tokio::spawn(lab.sum(rx).into_future());
    for n in 0..20 {
        let mut sending = Box::pin(tx.send(n));
        if poll_badly(&mut sending).0.is_pending() {
            settle().await;
            sending.await.expect("it is read");
        }
    }
    tx.close();
    assert_eq!(sum.await.expect("no panic"), Ok(190));

    let (tx, mut rx) = vox::channel::<u64>();
    let mut receiving = Box::pin(rx.recv());
    assert!(poll_badly(&mut receiving).0.is_pending());
    tx.send(5).await.expect("the other half is not harmed");
    assert_eq!(receiving.await, Ok(Some(5)));

    let session = vox::Client::caller(&lab).session();
    let mut closed = Box::pin(session.closed());
    assert!(poll_badly(&mut closed).0.is_pending());
    session.close("done").await;
    closed.await;
}

/// The deadlines of calls that are awaited outside of any runtime are kept by one thread of the process.
#[test]
fn the_thread_that_keeps_deadlines_survives_it() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("threads");
    let lab = runtime.block_on(async { lab().await.0 });
    let mut bad = lab.hang().timeout(Duration::from_millis(20));
    assert!(poll_badly(&mut bad).0.is_pending());
    let good = lab.hang().timeout(Duration::from_millis(60));
    assert_eq!(crate::support::block_on(good), Err(VoxError::DeadlineExceeded));
    let again = lab.hang().timeout(Duration::from_millis(20));
    assert_eq!(crate::support::block_on(again), Err(VoxError::DeadlineExceeded));
    assert_eq!(crate::support::block_on(bad), Err(VoxError::DeadlineExceeded));
}

/// Panics when it is cloned, while armed.
static ARMED: AtomicBool = AtomicBool::new(false);
const CLONES: RawWakerVTable = RawWakerVTable::new(
    |data| {
        assert!(!ARMED.load(SeqCst), "on purpose, in a clone");
        RawWaker::new(data, &CLONES)
    },
    |_| {},
    |_| {},
    |_| {},
);

#[tokio::test(start_paused = true)]
async fn a_waker_that_panics_when_it_is_cloned_costs_its_poll() {
    let (lab, _) = lab().await;
    let polled = |call: &mut vox::Call<(), vox::Never>| {
        // SAFETY: the functions of its table use no data.
        let waker = unsafe { Waker::from_raw(RawWaker::new(std::ptr::null(), &CLONES)) };
        let poll = std::panic::AssertUnwindSafe(|| Pin::new(&mut *call).poll(&mut Context::from_waker(&waker)));
        std::panic::catch_unwind(poll)
    };
    let mut call = lab.hang();
    ARMED.store(true, SeqCst);
    assert!(polled(&mut call).is_err(), "sending it");
    ARMED.store(false, SeqCst);
    assert_eq!(lab.echo(1).await, Ok(1));
    let mut call = lab.hang();
    assert!(poll_badly(&mut call).0.is_pending());
    ARMED.store(true, SeqCst);
    assert!(polled(&mut call).is_err(), "waiting for its end");
    ARMED.store(false, SeqCst);
    assert_eq!(lab.echo(2).await, Ok(2), "the session goes on");
}

/// Polls this once with a waker that panics when it is cloned.
fn panics_when_polled<F: Future>(future: Pin<&mut F>) {
    // SAFETY: the functions of its table use no data.
    let waker = unsafe { Waker::from_raw(RawWaker::new(std::ptr::null(), &NO_CLONES)) };
    let poll = std::panic::AssertUnwindSafe(|| future.poll(&mut Context::from_waker(&waker)).is_ready());
    let payload = std::panic::catch_unwind(poll).expect_err("that task's own affair");
    assert_eq!(payload.downcast_ref(), Some(&"on purpose, in every clone"));
}

const NO_CLONES: RawWakerVTable = RawWakerVTable::new(|_| panic!("on purpose, in every clone"), |_| {}, |_| {}, |_| {});

/// Wherever else something waits: for a connection, an item, credit, the end of a channel, of a session, for another half.
#[tokio::test(start_paused = true)]
async fn so_does_it_wherever_something_waits() {
    let (lab, probe) = lab_with(Limits { channel_items: 1, ..Limits::default() }).await;
    let session = vox::Client::caller(&lab).session();
    panics_when_polled(pin!(session.open::<LabClient>()));
    assert_eq!(session.open::<LabClient>().await.expect("another is opened").echo(1).await, Ok(1));

    panics_when_polled(pin!(session.closed()));
    panics_when_polled(pin!(vox::Client::closed(&lab)));
    panics_when_polled(pin!(session.watch().changed()));

    let (tx, mut rx) = vox::channel::<u64>();
    lab.later(tx).await.expect("at once");
    panics_when_polled(pin!(rx.recv()));
    probe.gate.add_permits(1);
    assert_eq!(rx.recv().await, Ok(Some(0)));

    let (tx, rx) = vox::channel::<u64>();
    let mut sum = lab.sum(rx).into_future();
    assert!(poll_badly(&mut sum).0.is_pending());
    panics_when_polled(pin!(tx.closed()));
    while tx.try_send(1).is_ok() {}
    panics_when_polled(pin!(tx.send(1)));
    settle().await;
    tx.send(1).await.expect("it is read");
    tx.close();
    assert!(sum.await.expect("a sum") > 1);

    let (tx, mut rx) = vox::channel::<u64>();
    panics_when_polled(pin!(rx.recv()));
    tx.send(5).await.expect("the other half is not harmed");
    assert_eq!(rx.recv().await, Ok(Some(5)));
    assert_eq!(lab.echo(2).await, Ok(2), "the session goes on");
    assert!(session.is_connected());
}

/// A waker each clone of which panics when it is dropped.
const BRITTLE: RawWakerVTable =
    RawWakerVTable::new(|data| RawWaker::new(data, &BRITTLE), |_| {}, |_| {}, |_| panic!("on purpose, in a drop"));

/// Polls this once with a waker that panics where a clone of it is dropped.
fn polled_by_a_brittle_one<F: Future>(future: Pin<&mut F>) {
    // SAFETY: the functions of its table use no data.
    let waker = std::mem::ManuallyDrop::new(unsafe { Waker::from_raw(RawWaker::new(std::ptr::null(), &BRITTLE)) });
    assert!(future.poll(&mut Context::from_waker(&waker)).is_pending());
}

/// What waited and was given up leaves its waker behind, which goes with the half, the call or the session.
#[tokio::test(start_paused = true)]
async fn a_waker_that_panics_when_it_is_dropped_harms_nobody() {
    let (lab, _) = lab_with(Limits { channel_items: 1, ..Limits::default() }).await;
    let session = vox::Client::caller(&lab).session();
    {
        let mut hang = Box::pin(lab.hang());
        polled_by_a_brittle_one(hang.as_mut());
    }
    assert_eq!(lab.echo(1).await, Ok(1), "a call is dropped");

    let (tx, mut rx) = vox::channel::<u64>();
    lab.later(tx).await.expect("at once");
    polled_by_a_brittle_one(pin!(rx.recv()));
    drop(rx);
    assert_eq!(lab.echo(2).await, Ok(2), "a receiver is dropped");

    let (tx, rx) = vox::channel::<u64>();
    let holding = tokio::spawn(lab.holding(rx));
    settle().await;
    tx.send(1).await.expect("there is credit");
    polled_by_a_brittle_one(pin!(tx.send(2)));
    polled_by_a_brittle_one(pin!(tx.closed()));
    drop(tx);
    assert_eq!(lab.echo(3).await, Ok(3), "a sender is dropped");
    holding.abort();

    {
        polled_by_a_brittle_one(pin!(session.closed()));
        polled_by_a_brittle_one(pin!(vox::Client::closed(&lab)));
    }
    assert_eq!(lab.echo(4).await, Ok(4), "nobody watches");
    assert!(session.is_connected());
}

/// Panics at all that vox says and spans where it is not the caller's own task that does.
struct Hostile(Arc<AtomicUsize>);

impl Hostile {
    fn is_ours(metadata: &Metadata<'_>) -> bool {
        let ours = ["vox_runtime::driver", "vox_runtime::server", "vox_runtime::client::outage"];
        ours.iter().any(|room| metadata.target().starts_with(room))
    }

    fn panic(&self) {
        self.0.fetch_add(1, SeqCst);
        panic!("on purpose, in what listens");
    }
}

impl Subscriber for Hostile {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        // Every other span is made, so that there are some to be entered and closed.
        let before = self.0.fetch_add(1, SeqCst);
        if Self::is_ours(attributes.metadata()) {
            assert!(before.is_multiple_of(2), "on purpose, in a span");
            return Id::from_u64(2);
        }
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        if Self::is_ours(event.metadata()) {
            self.panic();
        }
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
    fn try_close(&self, id: Id) -> bool {
        if id == Id::from_u64(2) {
            self.panic();
        }
        false
    }
}

#[tokio::test(start_paused = true)]
async fn what_listens_to_traces_and_panics_costs_that_line() {
    listen_in_company();
    let panics = Arc::new(AtomicUsize::new(0));
    let _listening = tracing::subscriber::set_default(Hostile(Arc::clone(&panics)));
    let server = Server::builder().service(LabDispatcher::new(Bench::default()));
    let server = server.bind("mem://hostile").await.expect("a server");
    let lab: LabClient = vox::connect("mem://hostile").await.expect("a session");
    for n in 0..20 {
        assert_eq!(lab.echo(n).await, Ok(n));
    }
    assert_eq!(lab.persist(5).await, Ok(5));
    assert_eq!(lab.explode(Explosion::FirstPoll).await.err(), Some(VoxError::Panicked));
    // What keeps the peer reached.
    drop(server);
    settle().await;
    let server = Server::builder().service(LabDispatcher::new(Bench::default()));
    let _server = server.bind("mem://hostile").await.expect("a server");
    assert_eq!(lab.echo(21).await, Ok(21));
    assert!(vox::Client::is_connected(&lab));
    assert!(panics.load(SeqCst) > 20, "it has listened");
}

/// A half of a link that panics when it is dropped.
struct Fuse<T>(T);

impl<T> Drop for Fuse<T> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("on purpose, in the drop of a link");
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Fuse<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Fuse<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// Makes links to a server, of which the one numbered `bad` goes wrong, and says how many were asked for.
fn connector(server: Server, bad: Bad) -> (Connector, Arc<AtomicUsize>, Arc<tokio::sync::Notify>) {
    let (server, asked, cut) = (Arc::new(server), Arc::new(AtomicUsize::new(0)), Arc::new(tokio::sync::Notify::new()));
    let (counted, cuts) = (Arc::clone(&asked), Arc::clone(&cut));
    let connector = Connector::new("panicky", move || {
        let (attempt, server, cut) = (counted.fetch_add(1, SeqCst), Arc::clone(&server), Arc::clone(&cuts));
        assert!(bad != Bad::Made || attempt % 2 == 0, "on purpose, before there is a future");
        async move {
            let _drops = (bad == Bad::FutureDropped).then(|| Fuse(()));
            assert!(bad != Bad::Polled || attempt % 2 == 0, "on purpose");
            let (ours, mut near) = tokio::io::duplex(1 << 16);
            let (mut far, theirs) = tokio::io::duplex(1 << 16);
            tokio::spawn(async move { server.accept(Link::new(theirs, "server")).await });
            tokio::spawn(async move {
                tokio::select! {
                    _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                    () = cut.notified() => {}
                }
            });
            std::mem::forget(_drops);
            Ok(match bad {
                Bad::LinkDropped => Link::new(Fuse(ours), "client"),
                _ => Link::new(ours, "client"),
            })
        }
    });
    (connector, asked, cut)
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Bad {
    Made,
    Polled,
    FutureDropped,
    LinkDropped,
}

#[tokio::test(start_paused = true)]
async fn a_connector_that_panics_costs_that_attempt() {
    for bad in [Bad::Made, Bad::Polled, Bad::FutureDropped, Bad::LinkDropped] {
        let server = Server::builder().service(LabDispatcher::new(Bench::default())).start().expect("a server");
        let (connector, asked, cut) = connector(server, bad);
        let lab: LabClient = vox::connect(connector).await.expect("a session");
        let hanging = tokio::spawn(lab.hang().into_future());
        for n in 0..3 {
            assert_eq!(lab.echo(n).await, Ok(n), "{bad:?}");
            cut.notify_waiters();
            settle().await;
            assert_eq!(lab.echo(n).timeout(Duration::from_secs(5)).await, Ok(n), "{bad:?} after {asked:?} attempts");
        }
        assert!(!hanging.is_finished(), "{bad:?}: its session goes on");
    }
}

#[tokio::test(start_paused = true)]
async fn a_first_attempt_that_panics_says_so_and_can_be_waited_for() {
    let connector = Connector::new("panicky", || async { panic!("on purpose") });
    let error = vox::connect::<LabClient>(connector).await.expect_err("no link");
    assert_eq!(error.to_string(), "no link to panicky: the connector panicked");

    let server = Server::builder().service(LabDispatcher::new(Bench::default())).start().expect("a server");
    let server = Arc::new(server);
    let asked = AtomicUsize::new(0);
    let connector = Connector::new("panicky", move || {
        assert!(asked.fetch_add(1, SeqCst) > 1, "on purpose, twice");
        let server = Arc::clone(&server);
        async move {
            let (ours, theirs) = vox::transport::memory_pair();
            tokio::spawn(async move { server.accept(theirs).await });
            Ok(ours)
        }
    });
    let lab: LabClient = vox::connect(connector).wait().await.expect("the third time");
    assert_eq!(lab.echo(1).await, Ok(1));
}
