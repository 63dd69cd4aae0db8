//! What the stores cost: `cargo bench -p vox-runtime --features sqlite --bench store`.
//!
//! An operation is what the runtime asks for one `persist` call: admission, seal, acknowledgement. The disk is measured
//! beside it, with the sync that every durable write waits for: a page over a page of a file that has them all, as SQLite's log
//! is written. Rounds of each follow one another, so that what else the machine does slows all.
//!
//! The database is made in the directory that `VOX_BENCH_DIRECTORY` names, or else in the system's temporary one.

use std::fs::File;
use std::future::Future;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use vox_runtime::descriptor::{MethodId, Schema};
use vox_runtime::store::{Admission, Digest, NewOperation, OperationKey, Outcome, PeerKey};
use vox_runtime::store::{MemoryStore, OperationStore, SqliteStore};
use vox_runtime::{OperationId, Principal, RetryPolicy};

const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_millis(700);
const IN_FLIGHT: [usize; 4] = [1, 8, 64, 256];

fn main() {
    let directory = std::env::var_os("VOX_BENCH_DIRECTORY").map_or_else(std::env::temp_dir, PathBuf::from);
    let directory = directory.join(format!("vox-bench-{}", OperationId::new()));
    std::fs::create_dir(&directory).expect("a directory can be made");
    measure(&directory);
    std::fs::remove_dir_all(directory).expect("and taken away");
}

fn measure(directory: &Path) {
    println!("{:<42} {:>12} {:>10}", "", "per second", "µs each");
    let memory = MemoryStore::new();
    print("MemoryStore, polled in place", median(|| in_memory(&memory)));

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime");
    let store =
        Arc::new(runtime.block_on(SqliteStore::open(directory.join("bench.db")).into_future()).expect("it opens"));
    // The log has its pages from here on.
    runtime.block_on(operations(&store, 64));
    let mut disk = Disk::new(&directory.join("pages"));

    let mut syncs = Vec::new();
    let mut of_store = IN_FLIGHT.map(|_| Vec::new());
    for _ in 0..ROUNDS {
        syncs.push(disk.syncs());
        for (rates, in_flight) in of_store.iter_mut().zip(IN_FLIGHT) {
            rates.push(runtime.block_on(operations(&store, in_flight)));
        }
    }
    print("the disk: 4 KiB written, fdatasync", middle(&mut syncs));
    let ratios: Vec<f64> = of_store[2].iter().zip(&of_store[0]).map(|(many, one)| many / one).collect();
    for (mut rates, in_flight) in of_store.into_iter().zip(IN_FLIGHT) {
        print(&format!("SqliteStore, {in_flight} in flight"), middle(&mut rates));
    }
    println!("64 in flight ÷ 1 in flight, median of the rounds: {:.1}", middle(&mut ratios.clone()));
    runtime.block_on(store.close());
}

fn print(name: &str, rate: f64) {
    println!("{name:<42} {rate:>12.0} {:>10.2}", 1e6 / rate);
}

fn median(mut rate: impl FnMut() -> f64) -> f64 {
    middle(&mut (0..ROUNDS).map(|_| rate()).collect::<Vec<_>>())
}

fn middle(rates: &mut [f64]) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

/// Operations per second, so many at a time.
async fn operations(store: &Arc<SqliteStore>, in_flight: usize) -> f64 {
    let began = Instant::now();
    let callers: Vec<_> = (0..in_flight)
        .map(|_| {
            let store = Arc::clone(store);
            tokio::spawn(async move {
                let mut count = 0u32;
                while began.elapsed() < ROUND {
                    operation(&*store).await;
                    count += 1;
                }
                count
            })
        })
        .collect();
    let mut count = 0;
    for caller in callers {
        count += caller.await.expect("no panic");
    }
    f64::from(count) / began.elapsed().as_secs_f64()
}

fn in_memory(store: &MemoryStore) -> f64 {
    let mut cx = Context::from_waker(Waker::noop());
    let began = Instant::now();
    let mut count = 0u32;
    while began.elapsed() < ROUND {
        assert_eq!(pin!(operation(store)).poll(&mut cx), Poll::Ready(()));
        count += 1;
    }
    f64::from(count) / began.elapsed().as_secs_f64()
}

async fn operation(store: &impl OperationStore) {
    // As of a client that nobody knows, from one address.
    static PEER: std::sync::LazyLock<PeerKey> = std::sync::LazyLock::new(|| PeerKey::new("203.0.113.7"));
    static SCHEMA: std::sync::LazyLock<Schema> = std::sync::LazyLock::new(|| Schema::from_bytes(*b"a response"));
    let method = MethodId(7);
    let operation = NewOperation {
        key: OperationKey { id: OperationId::new(), principal: Principal::anonymous() },
        peer: Some(PEER.clone()),
        service: "Bank",
        method,
        policy: RetryPolicy::PERSIST,
        digest: Digest::of(method, b"arguments of a transfer"),
        schema: SCHEMA.clone(),
    };
    let Ok(Admission::Granted(fence)) = store.admit(&operation).await else { panic!("not granted") };
    let outcome = Outcome { bytes: Bytes::from_static(b"an outcome of a few bytes"), schema: SCHEMA.clone() };
    store.seal(&operation.key, fence, outcome).await.expect("sealed");
    store.acknowledge(&operation.key).await.expect("acknowledged");
}

struct Disk {
    file: File,
    page: u64,
}

const PAGE: usize = 4096;
const PAGES: u64 = 256;

impl Disk {
    fn new(path: &Path) -> Self {
        let mut file = File::create_new(path).expect("a file can be made");
        file.write_all(&[0; PAGE * PAGES as usize]).expect("written");
        file.sync_all().expect("synced");
        Self { file, page: 0 }
    }

    /// Syncs per second.
    fn syncs(&mut self) -> f64 {
        let began = Instant::now();
        let mut count = 0u32;
        while began.elapsed() < ROUND {
            self.page = (self.page + 1) % PAGES;
            self.file.seek(SeekFrom::Start(self.page * PAGE as u64)).expect("there");
            self.file.write_all(&[1; PAGE]).expect("written");
            self.file.sync_data().expect("synced");
            count += 1;
        }
        f64::from(count) / began.elapsed().as_secs_f64()
    }
}
