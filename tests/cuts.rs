//! Links that are cut again and again, at random bytes in either direction and in the middle of handshakes, while calls and channels go
//! both ways over several connections: nothing is lost, doubled or reordered, and nothing is left behind.
//!
//! `VOX_CUTS=10000 cargo test --release --test cuts` cuts ten thousand links; without the variable it is two hundred.
//! `VOX_SEED` gives another run.

#![allow(unreachable_pub, reason = "modules of a test share what they have in common")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use support::cable::{Cable, Lengths};
use support::{Count, heap};
use tokio::task::JoinSet;
use vox::{Backoff, Client, Limits, Rx, Server, Tx};

#[global_allocator]
static ALLOCATOR: heap::Counting = heap::Counting;

/// Served by both ends.
#[vox::service]
trait Mixed {
    /// The bytes back, and how often a call of this number ran.
    async fn echo(&self, n: u64, bytes: &[u8]) -> Vec<u8>;
    /// What the caller's own service says.
    async fn back(&self, cx: &vox::Context, n: u64, bytes: Vec<u8>) -> Vec<u8>;
    /// How many items there were, all of them in order.
    async fn collect(&self, items: Rx<(u64, Vec<u8>)>) -> u64;
    async fn produce(&self, count: u64, each: u64, items: Tx<(u64, Vec<u8>)>);
}

#[derive(Clone, Default)]
struct Handlers {
    ran: Count,
}

impl Mixed for Handlers {
    async fn echo(&self, n: u64, bytes: &[u8]) -> Vec<u8> {
        self.ran.add();
        if n.is_multiple_of(3) {
            tokio::time::sleep(Duration::from_millis(n % 7)).await;
        }
        bytes.to_vec()
    }

    async fn back(&self, cx: &vox::Context, n: u64, bytes: Vec<u8>) -> Vec<u8> {
        self.ran.add();
        let caller: MixedClient = cx.session().open().await.expect("the caller serves");
        caller.echo(n, &bytes).timeout(LONG).await.expect("the caller answers")
    }

    async fn collect(&self, mut items: Rx<(u64, Vec<u8>)>) -> u64 {
        self.ran.add();
        let mut seen = 0;
        while let Some((n, bytes)) = items.recv().await.expect("a clean end") {
            assert_eq!(n, seen, "in order, once");
            assert!(bytes.iter().all(|byte| *byte == n as u8));
            seen += 1;
        }
        seen
    }

    async fn produce(&self, count: u64, each: u64, items: Tx<(u64, Vec<u8>)>) {
        self.ran.add();
        for n in 0..count {
            items.send((n, vec![n as u8; each as usize])).await.expect("the caller listens");
        }
        items.close();
    }
}

/// No call is to end because of its deadline.
const LONG: Duration = Duration::from_secs(100_000);

/// Random numbers from a seed: splitmix64.
#[derive(Clone)]
struct Rng(Arc<AtomicU64>);

impl Rng {
    fn below(&self, bound: usize) -> usize {
        let mut z = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }

    /// Often within the handshake or a small frame, sometimes past several large ones.
    fn cut(&self) -> Lengths {
        let at = match self.below(10) {
            0..2 => self.below(120),
            2..6 => self.below(3_000),
            6..8 => self.below(200_000),
            _ => self.below(6 << 20),
        };
        if self.below(2) == 0 { (at, usize::MAX) } else { (usize::MAX, at) }
    }

    /// Mostly short, up to a MiB.
    fn length(&self) -> usize {
        match self.below(40) {
            0 => self.below(1 << 20),
            1..5 => self.below(40_000),
            _ => self.below(300),
        }
    }
}

/// One kind of work after the other, until it is enough. Gives back how many handlers it should have run.
async fn work(client: MixedClient, rng: Rng, enough: Arc<AtomicBool>) -> usize {
    let mut ran = 0;
    for n in 0.. {
        if enough.load(Ordering::Relaxed) {
            break;
        }
        let n = n as u64;
        match rng.below(8) {
            0..5 => {
                let bytes = vec![n as u8; rng.length()];
                assert_eq!(client.echo(n, &bytes).timeout(LONG).await, Ok(bytes));
                ran += 1;
            }
            5 => {
                let bytes = vec![n as u8; rng.length()];
                assert_eq!(client.back(n, bytes.clone()).timeout(LONG).await, Ok(bytes));
                ran += 2;
            }
            6 => {
                let (items, received) = vox::channel();
                let call = tokio::spawn(client.collect(received).into_future());
                let count = rng.below(300) as u64;
                for item in 0..count {
                    items.send((item, vec![item as u8; rng.length() / 10])).await.expect("the handler listens");
                }
                items.close();
                assert_eq!(call.await.expect("no panic"), Ok(count));
                ran += 1;
            }
            _ => {
                let (items, mut received) = vox::channel();
                let count = rng.below(300) as u64;
                let call = tokio::spawn(client.produce(count, rng.below(3000) as u64, items).into_future());
                for item in 0..count {
                    let (seen, bytes) = received.recv().await.expect("no error").expect("not the end");
                    assert_eq!(seen, item, "in order, once");
                    assert!(bytes.iter().all(|byte| *byte == item as u8));
                }
                assert_eq!(received.recv().await, Ok(None));
                assert_eq!(call.await.expect("no panic"), Ok(()));
                ran += 1;
            }
        }
    }
    ran
}

async fn run(cuts: usize, rng: &Rng) {
    let (served, serving) = (Handlers::default(), Handlers::default());
    let limits = Limits { max_connections: 64, ..Limits::default() };
    let server = Server::builder().service(MixedDispatcher::new(served.clone())).limits(limits.clone());
    let cable = Cable::to(server.start().expect("a server"));
    let backoff = Backoff { most: Duration::from_millis(50), ..Backoff::default() };
    // The first link is whole until there is a session.
    let first: MixedClient = vox::connect(cable.connector())
        .limits(limits)
        .serving(MixedDispatcher::new(serving.clone()))
        .reconnect(backoff)
        .await
        .expect("a session");
    cable.lengths((1..cuts).map(|_| rng.cut()).collect());
    let enough = Arc::new(AtomicBool::new(false));
    let mut tasks = JoinSet::new();
    for _ in 0..3 {
        let client: MixedClient = first.caller().session().open().await.expect("a connection");
        for _ in 0..4 {
            tasks.spawn(work(client.clone(), rng.clone(), Arc::clone(&enough)));
        }
    }
    cable.cut();
    while cable.links() <= cuts {
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(cable.server().sessions(), 1, "the session is never lost");
        if let Some(ended) = tasks.try_join_next() {
            panic!("work ended early: {ended:?}");
        }
    }
    enough.store(true, Ordering::Relaxed);
    let ran: usize = tasks.join_all().await.into_iter().sum();
    assert_eq!(served.ran.get() + serving.ran.get(), ran, "every call ran once");
    assert_eq!(cable.server().sessions(), 1);
    drop(first);
    let server = cable.unplug();
    tokio::time::sleep(Duration::from_secs(200)).await;
    assert_eq!(server.sessions(), 0);
    println!("{} links, {} handlers, {:?} bytes", cable.links(), ran, cable.carried());
}

// proves: guide.resume
// proves: resume.nothing-lost
#[test]
fn any_number_of_cuts_loses_nothing_and_leaves_nothing_behind() {
    let variable = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let cuts = variable("VOX_CUTS").unwrap_or(200) as usize;
    let rng = Rng(Arc::new(AtomicU64::new(variable("VOX_SEED").unwrap_or(1))));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    // What is made once, the first time, is not what is left behind.
    runtime.block_on(run(20, &rng));
    let before = heap::live_everywhere();
    runtime.block_on(run(cuts, &rng));
    let grown = heap::live_everywhere() - before;
    println!("{grown} bytes more than before");
    assert!(grown < 256 << 10, "{grown} bytes are left behind");
}
