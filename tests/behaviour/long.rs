//! Long byte strings and texts, which are sent as they lie: what arrives is what was given, wherever it stands and whatever becomes
//! of links and sessions meanwhile.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use vox::{Backoff, Limits, OperationId, Server, VoxError};

use crate::support::cable::Cable;
use crate::support::{Count, settle};

#[vox::service]
pub trait Longs {
    async fn bytes(&self, bytes: Vec<u8>) -> Vec<u8>;
    async fn text(&self, text: String) -> String;
    /// The last and the first, joined.
    async fn both(&self, first: Vec<u8>, number: u64, last: Vec<u8>) -> Result<Vec<u8>, String>;
    async fn refused(&self, why: String) -> Result<Vec<u8>, String>;
    #[vox(persist)]
    async fn kept(&self, bytes: Vec<u8>) -> Vec<u8>;
    #[vox(idem)]
    async fn gated(&self, bytes: Vec<u8>) -> Vec<u8>;
}

#[derive(Clone)]
struct Handlers {
    started: Count,
    /// One permit lets one handler return.
    gate: Arc<Semaphore>,
}

impl Longs for Handlers {
    async fn bytes(&self, bytes: Vec<u8>) -> Vec<u8> {
        bytes
    }
    async fn text(&self, text: String) -> String {
        text
    }
    async fn both(&self, first: Vec<u8>, number: u64, mut last: Vec<u8>) -> Result<Vec<u8>, String> {
        last.extend(first);
        last.extend(number.to_le_bytes());
        Ok(last)
    }
    async fn refused(&self, why: String) -> Result<Vec<u8>, String> {
        Err(why)
    }
    async fn kept(&self, bytes: Vec<u8>) -> Vec<u8> {
        bytes
    }
    async fn gated(&self, bytes: Vec<u8>) -> Vec<u8> {
        self.started.add();
        self.gate.acquire().await.expect("never closed").forget();
        bytes
    }
}

struct Bench {
    cable: Cable,
    handlers: Handlers,
    client: LongsClient,
}

impl Bench {
    async fn new(limits: Limits) -> Self {
        let handlers = Handlers { started: Count::default(), gate: Arc::new(Semaphore::new(0)) };
        let server = Server::builder().service(LongsDispatcher::new(handlers.clone())).limits(limits);
        let cable = Cable::to(server.start().expect("a server"));
        let backoff = Backoff { most: Duration::from_millis(200), ..Backoff::default() };
        let client = vox::connect(cable.connector()).reconnect(backoff).await.expect("a session");
        Self { cable, handlers, client }
    }
}

/// Bytes of which none could stand in for another.
fn bytes(len: usize) -> Vec<u8> {
    (0..len as u32).map(|at| (at % 251) as u8 ^ (at >> 8) as u8).collect()
}

/// Lengths round where anything changes.
const LENGTHS: [usize; 9] = [0, 1, 100, (16 << 10) - 1, 16 << 10, (64 << 10) - 9, 64 << 10, 100_000, 1_000_000];

#[tokio::test(start_paused = true)]
async fn long_values_arrive_as_they_were_given() {
    let client = Bench::new(Limits::default()).await.client;
    for len in LENGTHS {
        let text = "ö".repeat(len / 2);
        assert_eq!(client.bytes(bytes(len)).await, Ok(bytes(len)), "{len}");
        assert_eq!(client.text(text.clone()).await, Ok(text.clone()), "{len}");
        let operation = OperationId::new();
        for _ in 0..2 {
            assert_eq!(client.kept(bytes(len)).operation(operation).await, Ok(bytes(len)), "{len}");
        }
        assert_eq!(client.refused(text.clone()).await, Err(VoxError::User(text)), "{len}");
        let joined = [bytes(len), bytes(2 * len), 7u64.to_le_bytes().to_vec()].concat();
        assert_eq!(client.both(bytes(2 * len), 7, bytes(len)).await, Ok(joined), "{len}");
    }
}

#[tokio::test(start_paused = true)]
async fn many_long_values_at_once_do_not_get_mixed_up() {
    let client = Bench::new(Limits::default()).await.client;
    let calls: Vec<_> = (0..40).map(|n| tokio::spawn(client.bytes(bytes(n * 5000)).into_future())).collect();
    for (n, call) in calls.into_iter().enumerate() {
        assert_eq!(call.await.expect("no panic"), Ok(bytes(n * 5000)));
    }
}

#[tokio::test(start_paused = true)]
async fn long_values_outlive_their_link_cut_anywhere() {
    let bench = Bench::new(Limits::default()).await;
    let len = 100_000;
    for cut in (0..210_000).step_by(9_973) {
        bench.cable.lengths(vec![(cut, cut), (cut / 2, cut / 3)]);
        bench.cable.cut();
        assert_eq!(bench.client.bytes(bytes(len)).await, Ok(bytes(len)), "cut at {cut}");
        assert_eq!(bench.client.bytes(bytes(len)).await, Ok(bytes(len)), "cut at {cut}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_argument_goes_with_its_call_to_the_next_session() {
    let window = Duration::from_secs(1);
    for len in LENGTHS {
        let bench = Bench::new(Limits { resume_window: window, ..Limits::default() }).await;
        let call = tokio::spawn(bench.client.gated(bytes(len)).into_future());
        settle().await;
        let server = bench.cable.unplug();
        tokio::time::sleep(2 * window).await;
        bench.cable.plug(server);
        bench.handlers.gate.add_permits(2);
        assert_eq!(call.await.expect("no panic"), Ok(bytes(len)), "{len}");
        assert_eq!(bench.handlers.started.get(), 2, "{len}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_limit_of_messages_holds_for_long_values() {
    let limits = Limits { max_message_bytes: 50_000, ..Limits::default() };
    let client = Bench::new(limits).await.client;
    assert!(matches!(client.bytes(bytes(50_000)).await, Err(VoxError::NotSent(vox::NotSent::TooLarge(_)))));
    assert_eq!(client.bytes(bytes(40_000)).await, Ok(bytes(40_000)));
}
