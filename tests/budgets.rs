//! What one client can make a server keep, in bytes, at default limits: a raw peer for each kind, just under the budget and far over it,
//! and a client beside it that means well.

#![allow(unreachable_pub, reason = "modules of a test share what they have in common")]

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use support::raw::{self, Raw, frame};
use support::{Count, settle};
use tokio::sync::{Mutex, MutexGuard};
use vox::transport::Link;
use vox::{Limits, Server, VoxError};

/// Counts what this thread holds of the heap, on which everything runs.
struct Counting;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(change: isize) {
    let _ = LIVE.try_with(|live| {
        live.set(live.get() + change);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(live.get())));
    });
}

// SAFETY: the system's allocator does the work; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const MIB: usize = 1 << 20;

/// What one client may cost at default limits, everything included.
const ONE_CLIENT: usize = 64 * MIB;

#[vox::service]
trait Depot {
    async fn echo(&self, number: u64) -> u64;
    async fn hold(&self, bytes: Vec<u8>);
    async fn lend(&self, bytes: &[u8]);
}

#[derive(Clone, Default)]
struct Shed {
    held: Count,
}

impl Depot for Shed {
    async fn echo(&self, number: u64) -> u64 {
        number
    }

    async fn hold(&self, bytes: Vec<u8>) {
        self.held.add();
        std::future::pending::<()>().await;
        drop(bytes);
    }

    async fn lend(&self, bytes: &[u8]) {
        self.held.add();
        std::future::pending::<()>().await;
        assert!(!bytes.is_empty());
    }
}

/// Memory for long messages is the process's, and would go from one test to another.
static ALONE: Mutex<()> = Mutex::const_new(());

/// A server with these limits, a raw peer of its, and a client that means well.
struct Yard {
    _alone: MutexGuard<'static, ()>,
    server: Server,
    shed: Shed,
    raw: Raw,
    honest: DepotClient,
    before: isize,
}

impl Yard {
    async fn new(limits: Limits) -> Self {
        let alone = ALONE.lock().await;
        let shed = Shed::default();
        let server = Server::builder().service(DepotDispatcher::new(shed.clone())).limits(limits);
        let server = server.start().expect("a server");
        let honest = async {
            let (ours, theirs) = vox::transport::memory_pair();
            let (client, accepted) = tokio::join!(vox::connect(ours), server.accept(theirs));
            accepted.expect("a session");
            client.expect("a session")
        };
        let honest: DepotClient = honest.await;
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        let (raw, accepted) =
            tokio::join!(Raw::initiate(ours, Some("Depot")), server.accept(Link::new(theirs, "hostile")));
        accepted.expect("a session");
        assert_eq!(honest.echo(1).await, Ok(1));
        PEAK.set(LIVE.get());
        Self { _alone: alone, before: LIVE.get(), server, shed, raw, honest }
    }

    /// What is held more at most than at the beginning.
    fn grown(&self) -> usize {
        (PEAK.get() - self.before).max(0) as usize
    }

    /// A long call of this method, without its last `missing` bytes.
    async fn call(&mut self, number: u64, method: &str, len: usize, missing: usize) {
        // The length of the only argument, and its bytes.
        let mut arguments = frame(0).var(len as u64).wire()[5..].to_vec();
        arguments.resize(arguments.len() + len, 7);
        let total = arguments.len();
        let head = frame(raw::LONG).var(number).var(total as u64).u8(raw::CALL).var(1).var(2 * number - 1);
        self.raw.send(&head.method(method).u8(0)).await;
        arguments.truncate(total - missing);
        for part in arguments.chunks(64 << 10) {
            self.raw.send(&frame(raw::PART).var(number).bytes(part)).await;
        }
    }

    /// How many calls were answered with `Busy`, and the others are none.
    async fn refused(&mut self) -> usize {
        self.raw.send(&frame(raw::PING).var(1)).await;
        let mut refused = 0;
        loop {
            let read = self.raw.read().await.expect("the session goes on");
            match read.kind {
                raw::REPLY => {
                    assert_eq!(&read.body[read.body.len() - 2..], [1, 3], "busy");
                    refused += 1;
                }
                raw::PONG => return refused,
                _ => {}
            }
        }
    }

    /// The client beside it notices nothing, and when the peer has gone nothing is left.
    async fn leaves_no_trace(self) {
        let Self { server, raw, honest, _alone, .. } = self;
        assert_eq!(honest.echo(2).await, Ok(2));
        drop(raw);
        settle().await;
        assert_eq!(honest.echo(3).await, Ok(3));
        settle().await;
        assert_eq!(server.memory(), 0, "nothing is kept of anybody");
    }
}

fn report(what: &str, grown: usize, memory: usize) {
    println!(
        "{what}: {:.1} MiB held at most, {:.1} MiB counted",
        grown as f64 / MIB as f64,
        memory as f64 / MIB as f64
    );
}

/// Calls with arguments of 2 MiB whose handlers do not end, 96 MiB of them.
async fn arguments(method: &str) {
    let mut yard = Yard::new(Limits::default()).await;
    for number in 1..=48 {
        yard.call(number, method, 2 * MIB, 0).await;
    }
    let refused = yard.refused().await;
    report(method, yard.grown(), yard.server.memory());
    let budget = Limits::default().session_memory;
    assert!(yard.server.memory() <= budget && yard.server.memory() > budget - 3 * MIB, "{}", yard.server.memory());
    assert_eq!(yard.shed.held.get() + refused, 48);
    assert!(yard.grown() <= ONE_CLIENT, "{}", yard.grown());
    yard.leaves_no_trace().await;
}

#[tokio::test(start_paused = true)]
async fn arguments_that_are_decoded_are_kept_once_and_within_the_budget() {
    arguments("Depot.hold").await;
}

#[tokio::test(start_paused = true)]
async fn arguments_that_are_borrowed_are_within_the_budget() {
    arguments("Depot.lend").await;
}

#[tokio::test(start_paused = true)]
async fn messages_that_are_never_whole_are_within_the_budget() {
    let mut yard = Yard::new(Limits::default()).await;
    for number in 1..=10 {
        yard.call(number, "Depot.hold", 2 * MIB - 10, 1).await;
    }
    assert_eq!(yard.refused().await, 0);
    report("partial", yard.grown(), yard.server.memory());
    assert!((19 * MIB..21 * MIB).contains(&yard.server.memory()), "{}", yard.server.memory());
    assert!(yard.grown() <= ONE_CLIENT, "{}", yard.grown());
    yard.leaves_no_trace().await;
}

/// The last byte that fits, and one more: the call beyond it has not run, and its caller is told so.
#[tokio::test(start_paused = true)]
async fn a_client_is_told_that_its_call_did_not_run() {
    for (over, fits) in [(0, true), (1, false)] {
        let limits = Limits { session_memory: 1 << 20, ..Limits::default() };
        let Yard { server, honest, _alone, .. } = Yard::new(limits).await;
        let mut first = honest.hold(vec![1; 500_000]);
        assert!(poll_once(&mut first).await.is_none());
        settle().await;
        let rest = (1 << 20) - 2 * server.memory() + 500_000;
        let mut second = honest.hold(vec![2; rest + over]);
        assert!(poll_once(&mut second).await.is_none());
        settle().await;
        match poll_once(&mut second).await {
            None => assert!(fits, "it runs"),
            Some(end) => {
                let error = end.expect_err("the handler never ends");
                assert!(!fits && error == VoxError::Busy && error.ran() == vox::Ran::No, "{error}");
            }
        }
        assert!(server.memory() <= 1 << 20);
        // Small or not, there is room again when the first has ended.
        drop(first);
        settle().await;
        assert_eq!(honest.echo(5).await, Ok(5));
        drop(second);
        settle().await;
        assert_eq!(honest.echo(6).await, Ok(6));
        settle().await;
        assert!(server.memory() < 100, "{}", server.memory());
    }
}

/// What a future gives at its first poll.
async fn poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|cx| match std::pin::Pin::new(&mut *future).poll(cx) {
        std::task::Poll::Ready(output) => std::task::Poll::Ready(Some(output)),
        std::task::Poll::Pending => std::task::Poll::Ready(None),
    })
    .await
}
