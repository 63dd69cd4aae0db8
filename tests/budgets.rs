//! What one client can make a server keep, in bytes, at default limits: a raw peer for each kind, just under the budget and far over it,
//! and a client beside it that means well.

#![allow(unreachable_pub, reason = "modules of a test share what they have in common")]

#[path = "budgets/buffers.rs"]
mod buffers;
#[path = "budgets/contracts.rs"]
mod contracts;
#[path = "budgets/crowds.rs"]
mod crowds;
mod support;

use std::sync::Arc;
use std::time::Duration;

use support::raw::{self, Raw, frame};
use support::{Count, heap, settle};
use tokio::sync::{Mutex, MutexGuard, Notify};
use vox::transport::Link;
use vox::{Limits, Server, VoxError};

#[global_allocator]
static ALLOCATOR: heap::Counting = heap::Counting;

const MIB: usize = 1 << 20;

/// What one client may cost at default limits, everything included.
const ONE_CLIENT: usize = 64 * MIB;

#[vox::service]
trait Depot {
    async fn echo(&self, number: u64) -> u64;
    async fn hold(&self, bytes: Vec<u8>);
    async fn lend(&self, bytes: &[u8]);
    async fn lend_a_while(&self, bytes: &[u8]) -> u64;
    async fn sort(&self, tags: Vec<String>);
    async fn lend_and_sort(&self, bytes: &[u8], tags: Vec<String>);
    async fn make(&self, len: u64) -> Vec<u8>;
    async fn sit_on(&self, numbers: vox::Rx<u64>);
    async fn linger(&self, bytes: Vec<u8>) -> u64;
    async fn count_after(&self, bytes: Vec<u8>, numbers: vox::Rx<u64>) -> u64;
    async fn take_when_told(&self, items: vox::Rx<Vec<u8>>);
    async fn kept(&self, cx: &vox::Context) -> u64;
}

#[derive(Clone, Default)]
struct Shed {
    held: Count,
    told: Arc<Notify>,
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

    /// Takes 200 ms.
    async fn lend_a_while(&self, bytes: &[u8]) -> u64 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        bytes.len() as u64
    }

    async fn sort(&self, tags: Vec<String>) {
        self.hold(Vec::new()).await;
        drop(tags);
    }

    async fn lend_and_sort(&self, bytes: &[u8], tags: Vec<String>) {
        self.lend(bytes).await;
        drop(tags);
    }

    /// In a task of its own.
    async fn make(&self, len: u64) -> Vec<u8> {
        settle().await;
        vec![1; len as usize]
    }

    /// Takes 200 ms.
    async fn linger(&self, bytes: Vec<u8>) -> u64 {
        self.held.add();
        tokio::time::sleep(Duration::from_millis(200)).await;
        bytes.len() as u64
    }

    async fn count_after(&self, bytes: Vec<u8>, mut numbers: vox::Rx<u64>) -> u64 {
        let mut count = bytes.len() as u64;
        while let Ok(Some(_)) = numbers.recv().await {
            count += 1;
        }
        count
    }

    async fn take_when_told(&self, mut items: vox::Rx<Vec<u8>>) {
        self.told.notified().await;
        while items.recv().await.expect("the session goes on").is_some() {}
        std::future::pending::<()>().await;
    }

    /// What is kept because of the caller.
    async fn kept(&self, cx: &vox::Context) -> u64 {
        cx.session().memory() as u64
    }

    async fn sit_on(&self, numbers: vox::Rx<u64>) {
        std::future::pending::<()>().await;
        drop(numbers);
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
        Self { _alone: alone, before: heap::mark(), server, shed, raw, honest }
    }

    /// What is held more at most than at the beginning.
    fn grown(&self) -> usize {
        heap::grown(self.before).max(0) as usize
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
                    let mut fields = raw::Fields(&read.body);
                    fields.var();
                    fields.var();
                    assert_eq!([fields.u8(), fields.u8()], [1, 3], "busy");
                    let (code, needed, limit) = (fields.u8(), fields.var(), fields.var());
                    assert!(matches!(code, 2 | 3) && needed > limit, "limit {code}: {needed} of {limit}");
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

/// Calls of 100 KB whose arguments take 2.4 MB of memory, and whose handlers do not end.
async fn decoded(method: &str, before: &[u8]) {
    let mut yard = Yard::new(Limits::default()).await;
    // So many empty texts.
    let mut arguments = before.to_vec();
    arguments.extend_from_slice(&frame(0).var(100_000).wire()[5..]);
    arguments.resize(arguments.len() + 100_000, 0);
    for number in 1..=100 {
        let head = frame(raw::LONG).var(number).var(arguments.len() as u64).u8(raw::CALL).var(1).var(2 * number - 1);
        yard.raw.send(&head.method(method).u8(0)).await;
        for part in arguments.chunks(64 << 10) {
            yard.raw.send(&frame(raw::PART).var(number).bytes(part)).await;
        }
    }
    let refused = yard.refused().await;
    report(method, yard.grown(), yard.server.memory());
    let budget = Limits::default().session_memory;
    assert!(yard.server.memory() <= budget && yard.server.memory() > budget - 5 * MIB, "{}", yard.server.memory());
    assert_eq!(yard.shed.held.get() + refused, 100);
    assert!((10..=22).contains(&yard.shed.held.get()), "{}", yard.shed.held.get());
    assert!(yard.grown() <= ONE_CLIENT, "{}", yard.grown());
    yard.leaves_no_trace().await;
}

#[tokio::test(start_paused = true)]
async fn what_arguments_decode_to_is_within_the_budget() {
    decoded("Depot.sort", &[]).await;
}

#[tokio::test(start_paused = true)]
async fn what_arguments_decode_to_beside_a_frame_that_is_kept_is_within_the_budget() {
    decoded("Depot.lend_and_sort", &[1, 7]).await;
}

/// A handler borrows one byte, so that its frame of 1 MiB is kept, and a text of 1 MiB is made beside it.
#[tokio::test(start_paused = true)]
async fn what_is_made_beside_a_long_frame_that_is_kept_counts_as_well() {
    let mut yard = Yard::new(Limits::default()).await;
    let varint = |n: usize| frame(0).var(n as u64).wire()[5..].to_vec();
    let arguments = [vec![1, 7, 1], varint(MIB), vec![b'a'; MIB]].concat();
    let head = frame(raw::LONG).var(1).var(arguments.len() as u64).u8(raw::CALL).var(1).var(1);
    yard.raw.send(&head.method("Depot.lend_and_sort").u8(0)).await;
    for part in arguments.chunks(64 << 10) {
        yard.raw.send(&frame(raw::PART).var(1).bytes(part)).await;
    }
    settle().await;
    let kept = yard.server.memory();
    assert!((2 * MIB..3 * MIB).contains(&kept), "{kept}");
    yard.leaves_no_trace().await;
}

/// 128 handlers of one session answer 1 MiB each at once. `reads`: their caller reads, and acknowledges nothing.
async fn replies(reads: bool) {
    let mut yard = Yard::new(Limits::default()).await;
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let hello = if reads { raw::resumable_hello("Depot", raw::LIMITS) } else { raw::hello(Some("Depot"), raw::LIMITS) };
    let initiate = async {
        let mut raw = Raw::new(ours);
        raw.send(&hello).await;
        assert_eq!(raw.read().await.expect("an answer").kind, raw::WELCOME);
        raw
    };
    let (raw, accepted) = tokio::join!(initiate, yard.server.accept(Link::new(theirs, "hostile")));
    accepted.expect("a session");
    drop(std::mem::replace(&mut yard.raw, raw));
    for request in 0..128 {
        let len = frame(0).var(1 << 20).wire();
        yard.raw.send(&raw::call(1, 2 * request + 1, "Depot.make", &len[5..])).await;
    }
    let (mut refused, mut kept, mut missing) = (0, 0, 0);
    while reads && (refused + kept < 128 || missing > 0) {
        let read = tokio::time::timeout(Duration::from_secs(60), yard.raw.read_frame()).await;
        let read = read.expect("an answer").expect("the session goes on");
        let mut fields = read.reader();
        match read.kind {
            raw::REPLY => {
                let text = String::from_utf8_lossy(&read.body);
                assert!(text.contains("over the limit of 50331648 (`Limits::session_memory`)"), "{text}");
                refused += 1;
            }
            raw::LONG => {
                missing += (fields.var(), fields.var()).1;
                kept += 1;
            }
            raw::PART => {
                fields.var();
                missing -= fields.0.len() as u64;
            }
            _ => {}
        }
    }
    // Handlers wait for a second after the last byte that was taken, and then no longer.
    tokio::time::sleep(Duration::from_secs(4)).await;
    report("replies", yard.grown(), yard.server.memory());
    let budget = Limits::default().session_memory;
    assert!((budget - MIB..budget + MIB).contains(&yard.server.memory()), "{}", yard.server.memory());
    assert!(!reads || (46..=49).contains(&kept), "{kept}");
    yard.raw.send(&frame(raw::GOODBYE).text("enough")).await;
    assert!(yard.grown() <= ONE_CLIENT, "{}", yard.grown());
    yard.leaves_no_trace().await;
}

#[tokio::test(start_paused = true)]
async fn replies_that_are_not_read_are_within_the_budget() {
    replies(false).await;
}

#[tokio::test(start_paused = true)]
async fn replies_that_are_not_acknowledged_are_within_the_budget() {
    replies(true).await;
}

/// All windows of 256 channels of six connections, 97 MiB, are filled, and no handler reads.
#[tokio::test(start_paused = true)]
async fn items_that_nobody_takes_are_within_the_budget() {
    let mut yard = Yard::new(Limits::default()).await;
    let channels: Vec<_> = (0..256).map(|n| (2 * n + 1, 0)).collect();
    for connection in (3..=11).step_by(2) {
        yard.raw.send(&raw::open_with(connection, "Depot", &[])).await;
        yard.raw.read_kind(raw::ACCEPT).await;
    }
    for connection in (1..=11).step_by(2) {
        yard.raw.send(&raw::call_with(connection, 1, "Depot.sit_on", &channels, &[0])).await;
    }
    for connection in (1..=11).step_by(2) {
        for (channel, _) in &channels {
            let items = frame(raw::ITEMS).var(connection).var(*channel).var(65_535).bytes(&[7; 65_535]);
            yard.raw.send(&items).await;
        }
    }
    yard.raw.send(&frame(raw::PING).var(1)).await;
    let mut resets = 0;
    loop {
        let read = yard.raw.read().await.expect("the session goes on");
        match read.kind {
            raw::PONG => break,
            raw::RESET => {
                let text = String::from_utf8_lossy(&read.body);
                assert!(text.contains("over the limit of 50331648 (`Limits::session_memory`)"), "{text}");
                resets += 1;
            }
            raw::VIOLATION => panic!("accused: {}", String::from_utf8_lossy(&read.body)),
            _ => {}
        }
    }
    report("items", yard.grown(), yard.server.memory());
    let budget = Limits::default().session_memory;
    assert!((budget..budget + MIB).contains(&yard.server.memory()), "{}", yard.server.memory());
    assert!((700..800).contains(&resets), "{resets}");
    assert!(yard.grown() <= ONE_CLIENT, "{}", yard.grown());
    yard.leaves_no_trace().await;
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
                let VoxError::Busy { short, .. } = error else { panic!("busy") };
                let said = (short.limit(), short.needed(), short.most());
                assert_eq!(said, (Some("session_memory"), Some((1 << 20) + 1), Some(1 << 20)));
                assert_eq!((server.refusals().calls, server.refusals().channels), (1, 0));
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

/// Arguments of 200 MiB in all, of handlers that end within a second: no call is refused, though a quarter of it is kept at most.
#[tokio::test(start_paused = true)]
async fn calls_wait_for_memory_where_handlers_give_it_back() {
    let yard = Yard::new(Limits::default()).await;
    let before = tokio::time::Instant::now();
    let calls = (0..100).map(|_| tokio::spawn(yard.honest.linger(vec![7; 2 * MIB]).into_future()));
    let calls: Vec<_> = calls.collect();
    for call in calls {
        assert_eq!(call.await.expect("no panic"), Ok(2 * MIB as u64));
    }
    assert_eq!(yard.shed.held.get(), 100);
    // On a paused clock: five times what a handler takes, and not until somebody looks at the time.
    let took = before.elapsed();
    assert!(took < Duration::from_secs(2), "{took:?}");
    yard.leaves_no_trace().await;
}

/// What handlers wait for comes after the calls that fill the memory, on the same link.
#[tokio::test(start_paused = true)]
async fn handlers_that_wait_for_items_get_them_though_their_peer_waits_for_memory() {
    let yard = Yard::new(Limits::default()).await;
    let mut calls = Vec::new();
    let mut senders = Vec::new();
    for _ in 0..23 {
        let (tx, rx) = vox::channel();
        senders.push(tx);
        calls.push(tokio::spawn(yard.honest.count_after(vec![7; 2 * MIB], rx).into_future()));
    }
    settle().await;
    let before = tokio::time::Instant::now();
    for tx in senders {
        for number in 0..10 {
            tx.send(number).await.expect("it is read");
        }
        tx.close();
    }
    for call in calls {
        assert_eq!(call.await.expect("no panic"), Ok(2 * MIB as u64 + 10));
    }
    let took = before.elapsed();
    assert!(took < Duration::from_secs(2), "{took:?}");
    yard.leaves_no_trace().await;
}

/// Replies of 128 MiB in all, made at once, of which a quarter may wait: none is lost where their caller reads.
#[tokio::test(start_paused = true)]
async fn handlers_wait_for_the_replies_of_others_to_be_read() {
    let yard = Yard::new(Limits::default()).await;
    let calls: Vec<_> = (0..128).map(|_| tokio::spawn(yard.honest.make(1 << 20).into_future())).collect();
    for call in calls {
        assert_eq!(call.await.expect("no panic").map(|bytes| bytes.len()), Ok(1 << 20));
    }
    yard.leaves_no_trace().await;
}

/// Takes all that the server may keep.
async fn fill(yard: &mut Yard) -> Raw {
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let (raw, accepted) =
        tokio::join!(Raw::initiate(ours, Some("Depot")), yard.server.accept(Link::new(theirs, "hostile")));
    accepted.expect("a session");
    let before = std::mem::replace(&mut yard.raw, raw);
    for number in 1.. {
        let left = 16 * MIB - yard.server.memory_taken();
        if left == 0 {
            break;
        }
        yard.call(number, "Depot.hold", (left / 2).clamp(20 << 10, 2 * MIB), 0).await;
        // Where little is left, it is not read for a while.
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    std::mem::replace(&mut yard.raw, before)
}
