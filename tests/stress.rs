//! Many threads, mixed work, bounded counts: nothing is lost, doubled or left behind.

#![allow(unreachable_pub, reason = "modules of a test share what they have in common")]

mod support;

use std::future::{Future, IntoFuture, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use support::cable::Cable;
use support::{Count, block_on};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::JoinSet;
use vox::transport::Link;
use vox::{Backoff, Limits, Rx, Server, Tx, VoxError};

#[vox::service]
trait Mill {
    async fn echo(&self, n: u64) -> u64;
    async fn turn(&self, turns: u32) -> u32;
    async fn explode(&self, later: bool);
    async fn sum(&self, numbers: Rx<u64>) -> u64;
    async fn count(&self, to: u64, numbers: Tx<u64>) -> u64;
    async fn back(&self, cx: &vox::Context, n: u64) -> u64;
    async fn text(&self, text: &str) -> String;
}

#[derive(Clone, Default)]
struct Miller {
    started: Count,
    ended: Count,
}

impl Mill for Miller {
    async fn echo(&self, n: u64) -> u64 {
        n
    }
    async fn turn(&self, turns: u32) -> u32 {
        self.started.add();
        let _ended = self.ended.on_drop();
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
        turns
    }
    async fn explode(&self, later: bool) {
        self.started.add();
        let _ended = self.ended.on_drop();
        if later {
            tokio::task::yield_now().await;
        }
        std::panic::resume_unwind(Box::new("on purpose"));
    }
    async fn sum(&self, mut numbers: Rx<u64>) -> u64 {
        self.started.add();
        let _ended = self.ended.on_drop();
        let mut sum = 0;
        while let Ok(Some(n)) = numbers.recv().await {
            sum += n;
        }
        sum
    }
    async fn count(&self, to: u64, numbers: Tx<u64>) -> u64 {
        self.started.add();
        let _ended = self.ended.on_drop();
        for n in 0..to {
            if numbers.send(n).await.is_err() {
                return n;
            }
        }
        numbers.close();
        to
    }
    async fn back(&self, cx: &vox::Context, n: u64) -> u64 {
        match cx.session().open::<MillClient>().await {
            Ok(mill) => mill.echo(n).await.unwrap_or(u64::MAX),
            Err(_) => u64::MAX,
        }
    }
    async fn text(&self, text: &str) -> String {
        text.to_owned()
    }
}

/// A small generator, so that a run is repeated by its seed.
#[derive(Clone)]
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// One call of some kind, seen through or given up; whatever it returns is checked.
async fn work(mill: MillClient, mut dice: Dice) {
    let n = dice.roll(1_000);
    match dice.roll(9) {
        0 => assert_eq!(mill.echo(n).await, Ok(n)),
        1 => assert_eq!(mill.turn(n as u32 % 8).await, Ok(n as u32 % 8)),
        2 => assert_eq!(mill.explode(n.is_multiple_of(2)).await, Err(VoxError::Panicked)),
        3 => {
            let (tx, rx) = vox::channel();
            let feed = async move {
                for n in 0..n {
                    tx.send(n).await.expect("the handler reads to the end");
                }
                tx.close();
            };
            let (sum, ()) = tokio::join!(mill.sum(rx).into_future(), feed);
            assert_eq!(sum, Ok(n * n.saturating_sub(1) / 2));
        }
        4 => {
            let (tx, mut rx) = vox::channel();
            let drain = async move {
                for expected in 0..n {
                    assert_eq!(rx.recv().await, Ok(Some(expected)));
                }
                assert_eq!(rx.recv().await, Ok(None));
            };
            let (counted, ()) = tokio::join!(mill.count(n, tx).into_future(), drain);
            assert_eq!(counted, Ok(n));
        }
        5 => {
            // Given up after some polls, sent or not.
            let call = mill.turn(1_000_000).into_future();
            tokio::select! {
                biased;
                outcome = call => panic!("too soon: {outcome:?}"),
                () = yields(n % 5) => {}
            }
        }
        6 => {
            // A receiver that is dropped in the middle: the handler's sends fail, and the call returns.
            let (tx, mut rx) = vox::channel();
            let stop = n % 300;
            let some = async move {
                for expected in 0..stop {
                    assert_eq!(rx.recv().await, Ok(Some(expected)));
                }
            };
            let (counted, ()) = tokio::join!(mill.count(u64::MAX, tx).into_future(), some);
            assert!(counted.expect("it returns") >= stop);
        }
        7 => {
            let back = mill.back(n).await;
            assert!(back == Ok(n) || back == Ok(u64::MAX), "{back:?}");
        }
        _ => {
            let text = "t".repeat(n as usize * 40);
            assert_eq!(mill.text(&text).await.as_deref(), Ok(text.as_str()));
        }
    }
}

async fn yields(count: u64) {
    for _ in 0..count {
        tokio::task::yield_now().await;
    }
}

/// All kinds of work at once over one session, through a link of this capacity.
async fn mixed(seed: u64, capacity: usize, jobs: u64) {
    let miller = Miller::default();
    let limits = Limits { max_calls: 16, max_channels: 12, channel_items: 32, ..Limits::default() };
    let (ours, theirs) = tokio::io::duplex(capacity);
    let builder = Server::builder().service(MillDispatcher::new(miller.clone())).limits(limits.clone());
    let server = tokio::spawn(builder.serve_link(Link::new(theirs, "mill")));
    let connect = vox::connect(Link::new(ours, "mill")).limits(limits).serving(MillDispatcher::new(miller.clone()));
    let mill: MillClient = connect.await.expect("a session");
    let mut dice = Dice(seed);
    let mut set = JoinSet::new();
    for _ in 0..jobs {
        set.spawn(work(mill.clone(), Dice(dice.roll(u64::MAX >> 33))));
        if set.len() > 64 {
            set.join_next().await.expect("one of them").unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        }
    }
    while let Some(done) = set.join_next().await {
        done.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
    // Every slot of calls and of channels is free again.
    let (senders, calls): (Vec<_>, Vec<_>) = (0..12)
        .map(|_| {
            let (tx, rx) = vox::channel::<u64>();
            (tx, tokio::spawn(mill.sum(rx).into_future()))
        })
        .unzip();
    for tx in &senders {
        tx.send(1).await.expect("all of them run at once");
    }
    drop(senders);
    for call in calls {
        assert_eq!(call.await.expect("no panic"), Ok(1));
    }
    drop(mill);
    server.await.expect("no panic").expect("a clean end");
    while miller.started.get() > miller.ended.get() {
        tokio::task::yield_now().await;
    }
}

/// What may wait in vain says so, instead of holding up everything.
async fn in_time(what: impl Future<Output = ()>) {
    tokio::time::timeout(Duration::from_secs(120), what).await.expect("nothing waits in vain");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn mixed_work_on_four_threads_ends_and_leaves_nothing() {
    for seed in 1..=4 {
        in_time(mixed(seed, 64 << 10, 500)).await;
    }
}

/// Few at a time, so that the calls read inline, are overtaken, given up while they read inline, and called back meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_that_read_for_themselves_come_and_go() {
    in_time(async {
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        let server = Server::builder().service(MillDispatcher::new(Miller::default()));
        tokio::spawn(server.serve_link(Link::new(theirs, "mill")));
        let connect = vox::connect(Link::new(ours, "mill")).serving(MillDispatcher::new(Miller::default()));
        let mill: MillClient = connect.await.expect("a session");
        for round in 0..40 {
            let mut set = JoinSet::new();
            for worker in 0..2 {
                let (mill, mut dice) = (mill.clone(), Dice(round * 2 + worker));
                set.spawn(async move {
                    for n in 0..200 {
                        match dice.roll(8) {
                            0 => drop(tokio::time::timeout(Duration::ZERO, mill.turn(3).into_future()).await),
                            1 => assert_eq!(mill.back(n).await, Ok(n)),
                            2 => yields(dice.roll(4)).await,
                            _ => assert_eq!(mill.echo(n).await, Ok(n)),
                        }
                    }
                });
            }
            while let Some(done) = set.join_next().await {
                done.unwrap_or_else(|error| panic!("round {round}: {error}"));
            }
        }
    })
    .await;
}

/// One call after the other, each polled by somebody else: its own task, a thread, one task after the other, or nobody.
async fn wander(mill: MillClient, mut dice: Dice, calls: u64, sound: bool) {
    for n in 0..calls {
        let mut call = Box::pin(mill.echo(n).timeout(Duration::MAX).into_future());
        let polled = match dice.roll(4) {
            0 => call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready(),
            1 => poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx).is_ready())).await,
            _ => false,
        };
        if polled {
            continue;
        }
        if dice.roll(8) == 0 {
            yields(dice.roll(3)).await;
            continue;
        }
        let echoed = match dice.roll(6) {
            0 => tokio::spawn(call).await.expect("no panic"),
            1 => tokio::task::spawn_blocking(|| block_on(call)).await.expect("no panic"),
            2 => {
                let mut polls = dice.roll(3);
                let some = poll_fn(|cx| match call.as_mut().poll(cx) {
                    Poll::Pending if polls == 0 => Poll::Ready(None),
                    Poll::Pending => {
                        polls -= 1;
                        Poll::Pending
                    }
                    Poll::Ready(done) => Poll::Ready(Some(done)),
                });
                match some.await {
                    Some(done) => done,
                    None => tokio::spawn(call).await.expect("no panic"),
                }
            }
            _ => call.await,
        };
        match echoed {
            Ok(echoed) => assert_eq!(echoed, n),
            Err(error) => assert!(!sound, "{error}"),
        }
        if dice.roll(16) == 0 {
            let back = mill.back(n).timeout(Duration::MAX).await;
            assert!(back == Ok(n) || !sound, "{back:?}");
        }
    }
}

/// The calls of a few sessions, one or two at a time, go from task to task and from thread to thread while they read inline.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_that_read_for_themselves_go_from_task_to_task() {
    in_time(async {
        let mut set = JoinSet::new();
        for session in 0..3 {
            let (ours, theirs) = tokio::io::duplex([64 << 10, 64, 700][session]);
            let server = Server::builder().service(MillDispatcher::new(Miller::default()));
            tokio::spawn(server.serve_link(Link::new(theirs, "mill")));
            let connect = vox::connect(Link::new(ours, "mill")).serving(MillDispatcher::new(Miller::default()));
            let mill: MillClient = connect.await.expect("a session");
            set.spawn(wander(mill.clone(), Dice(session as u64), 600, true));
            if session == 2 {
                set.spawn(wander(mill, Dice(7), 600, true));
            }
        }
        while let Some(done) = set.join_next().await {
            done.expect("no panic");
        }
    })
    .await;
}

/// The same over a cable that is cut again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_that_read_for_themselves_outlive_their_links() {
    in_time(async {
        let server = Server::builder().service(MillDispatcher::new(Miller::default())).start().expect("a server");
        let cable = Cable::to(server);
        let mut dice = Dice(5);
        let mut length = || 2_000 + dice.roll(4_000) as usize;
        cable.lengths((0..20).map(|_| (length(), length())).collect());
        let backoff = Backoff { first: Duration::from_millis(1), most: Duration::from_millis(2), ..Backoff::default() };
        let connect =
            vox::connect(cable.connector()).reconnect(backoff).serving(MillDispatcher::new(Miller::default()));
        let mill: MillClient = connect.await.expect("a session");
        wander(mill.clone(), Dice(3), 1_500, false).await;
        assert!(cable.links() > 3, "{} links", cable.links());
        // The link of the moment may still be cut.
        while mill.echo(1).await != Ok(1) {}
    })
    .await;
}

/// The link is full most of the time, so that writes end half way, in callers, in handlers and in the driver.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn mixed_work_over_a_narrow_link_ends_and_leaves_nothing() {
    for seed in 11..=13 {
        in_time(mixed(seed, 100, 150)).await;
    }
}

#[tokio::test]
async fn mixed_work_on_one_thread_ends_and_leaves_nothing() {
    for seed in 21..=22 {
        in_time(mixed(seed, 4 << 10, 300)).await;
    }
}

/// A lone caller writes in its own task; one that finds the link full hands over to the session's, and no wake is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn lone_calls_over_a_narrow_link_are_never_forgotten() {
    in_time(async {
        let (ours, theirs) = tokio::io::duplex(64);
        tokio::spawn(vox::serve(Link::new(theirs, "narrow"), MillDispatcher::new(Miller::default())));
        let mill: MillClient = vox::connect(Link::new(ours, "narrow")).await.expect("a session");
        let text = "x".repeat(300);
        for _ in 0..2_000 {
            // Without a deadline, whose timer would wake a task that sleeps too long.
            assert_eq!(mill.text(&text).timeout(Duration::MAX).await.as_deref(), Ok(text.as_str()));
        }
    })
    .await;
}

/// A link that is full once, and free again before the task that found it full has said so.
struct Tripping {
    inner: tokio::io::WriteHalf<tokio::io::DuplexStream>,
    trips: Arc<AtomicBool>,
    reads: Count,
}

/// Its other half, which the session's task polls in every turn.
struct Turning {
    inner: tokio::io::ReadHalf<tokio::io::DuplexStream>,
    reads: Count,
}

impl AsyncRead for Turning {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.reads.add();
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl AsyncWrite for Tripping {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if !self.trips.swap(false, Ordering::SeqCst) {
            return Pin::new(&mut self.inner).poll_write(cx, buf);
        }
        let before = self.reads.get();
        cx.waker().wake_by_ref();
        // The session's task comes, finds somebody writing, and goes to sleep again. Where it does not come, it is
        // the one that writes.
        for _ in 0..200 {
            std::thread::sleep(Duration::from_millis(1));
            if self.reads.get() > before {
                std::thread::sleep(Duration::from_millis(10));
                break;
            }
        }
        Poll::Pending
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wake_that_comes_while_a_caller_writes_is_not_lost() {
    in_time(async {
        let (ours, theirs) = tokio::io::duplex(1 << 10);
        tokio::spawn(vox::serve(Link::new(theirs, "tripping"), MillDispatcher::new(Miller::default())));
        let (trips, reads) = (Arc::new(AtomicBool::new(false)), Count::default());
        let (inner, write) = tokio::io::split(ours);
        let write = Tripping { inner: write, trips: Arc::clone(&trips), reads: reads.clone() };
        let link = Link::from_halves(Turning { inner, reads }, write, "tripping");
        let mill: MillClient = vox::connect(link).await.expect("a session");
        for n in 0..10 {
            assert_eq!(mill.echo(n).timeout(Duration::MAX).await, Ok(n));
            trips.store(true, Ordering::SeqCst);
            assert_eq!(mill.echo(n).timeout(Duration::MAX).await, Ok(n));
        }
    })
    .await;
}

/// Connections are opened and dropped, answered or not, from many tasks at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn opens_that_race_end_in_a_connection_or_a_refusal() {
    in_time(async {
        let (ours, theirs) = vox::transport::memory_pair();
        tokio::spawn(vox::serve(theirs, MillDispatcher::new(Miller::default())));
        let session = vox::Session::connect(ours).await.expect("a session");
        let mut set = JoinSet::new();
        for n in 0..8u64 {
            let session = session.clone();
            set.spawn(async move {
                let mut dice = Dice(n);
                for _ in 0..200 {
                    let opening = session.open::<MillClient>();
                    if dice.roll(4) == 0 {
                        tokio::select! {
                            biased;
                            _ = opening => {}
                            () = yields(dice.roll(3)) => {}
                        }
                    } else {
                        match opening.await {
                            Ok(mill) => assert_eq!(mill.echo(n).await, Ok(n)),
                            Err(refused) => assert!(refused.to_string().contains("16 connections"), "{refused}"),
                        }
                    }
                }
            });
        }
        while let Some(done) = set.join_next().await {
            done.expect("no panic");
        }
    })
    .await;
}

/// Sessions that end in the middle of everything, on either side: each call has its outcome, each channel its end.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sessions_that_end_under_load_leave_nobody_waiting() {
    in_time(async {
        for round in 0..20u64 {
            let miller = Miller::default();
            let (ours, theirs, wire) = support::Wire::with_capacity(1 << 10);
            let builder = Server::builder().service(MillDispatcher::new(miller.clone()));
            let server = tokio::spawn(builder.serve_link(theirs));
            let mill: MillClient = vox::connect(ours).await.expect("a session");
            let mut set = JoinSet::new();
            for n in 0..40u64 {
                let mill = mill.clone();
                set.spawn(async move {
                    let (tx, rx) = vox::channel();
                    let (down, mut up) = vox::channel();
                    let feed = async move { while tx.send(n).await.is_ok() {} };
                    let drain = async move { while let Ok(Some(_)) = up.recv().await {} };
                    let calls = async {
                        let _ = tokio::join!(mill.sum(rx).into_future(), mill.count(u64::MAX, down).into_future());
                    };
                    tokio::join!(feed, drain, calls);
                    assert!(mill.echo(1).await.is_err());
                });
            }
            yields(round * 40).await;
            match round % 4 {
                0 => wire.cut(),
                1 => server.abort(),
                2 => drop(vox::Client::caller(&mill).session().close("enough")),
                _ => {
                    wire.cut();
                    server.abort();
                }
            }
            while let Some(done) = set.join_next().await {
                done.expect("no panic");
            }
            while miller.started.get() > miller.ended.get() {
                tokio::task::yield_now().await;
            }
        }
    })
    .await;
}

/// A runtime that goes down in the middle drops its tasks wherever they are, also right where they are spawned.
#[test]
fn a_runtime_that_shuts_down_under_load_does_not_hang() {
    for round in 0..20 {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("one");
        let busy = Arc::new(AtomicBool::new(false));
        runtime.block_on(async {
            let (ours, theirs) = vox::transport::memory_pair();
            tokio::spawn(vox::serve(theirs, MillDispatcher::new(Miller::default())));
            let mill: MillClient = vox::connect(ours).await.expect("a session");
            for n in 0..32 {
                let (mill, busy) = (mill.clone(), Arc::clone(&busy));
                tokio::spawn(async move {
                    while mill.turn(n % 3).await.is_ok() {
                        busy.store(true, Ordering::Relaxed);
                    }
                });
            }
            while !busy.load(Ordering::Relaxed) {
                tokio::task::yield_now().await;
            }
            yields(round).await;
        });
        let (down, is_down) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            drop(runtime);
            let _ = down.send(());
        });
        is_down.recv_timeout(Duration::from_secs(60)).expect("the runtime goes down");
    }
}
