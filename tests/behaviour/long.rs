//! Long byte strings and texts, which are sent as they lie: what arrives is what was given, wherever it stands and whatever becomes
//! of links and sessions meanwhile.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use vox::{Backoff, Limits, OperationId, Rx, Server, Tx, VoxError};

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
    #[vox(persist)]
    async fn kept_gated(&self, bytes: Vec<u8>) -> Vec<u8>;
    /// Sends both, and then what it got.
    #[vox(idem)]
    async fn beside(&self, first: Vec<u8>, numbers: Rx<u64>, back: Tx<Vec<u8>>, last: String) -> u64;
    async fn made(&self, len: u64) -> Vec<u8>;
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
    async fn kept_gated(&self, bytes: Vec<u8>) -> Vec<u8> {
        self.gated(bytes).await
    }
    async fn beside(&self, first: Vec<u8>, mut numbers: Rx<u64>, back: Tx<Vec<u8>>, last: String) -> u64 {
        self.started.add();
        self.gate.acquire().await.expect("never closed").forget();
        back.send(first).await.expect("the caller listens");
        back.send(last.into_bytes()).await.expect("the caller listens");
        back.close();
        numbers.recv().await.expect("the caller is there").expect("one number")
    }
    async fn made(&self, len: u64) -> Vec<u8> {
        bytes(len as usize)
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
        let server = Server::builder().service(LongsDispatcher::new(handlers.clone())).limits(limits.clone());
        let cable = Cable::to(server.start().expect("a server"));
        let backoff = Backoff { most: Duration::from_millis(200), ..Backoff::default() };
        let connecting = vox::connect(cable.connector()).limits(limits).resume(Limits::default().resume_window);
        let client = connecting.reconnect(backoff).await.expect("a session");
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

/// It is the same operation: the digest is of the same bytes.
#[tokio::test(start_paused = true)]
async fn a_long_argument_of_a_kept_call_joins_its_handler_from_the_next_session() {
    let window = Duration::from_secs(1);
    for len in LENGTHS {
        let bench = Bench::new(Limits { resume_window: window, ..Limits::default() }).await;
        let call = tokio::spawn(bench.client.kept_gated(bytes(len)).into_future());
        settle().await;
        let server = bench.cable.unplug();
        tokio::time::sleep(2 * window).await;
        bench.cable.plug(server);
        tokio::time::sleep(window).await;
        bench.handlers.gate.add_permits(1);
        assert_eq!(call.await.expect("no panic"), Ok(bytes(len)), "{len}");
        assert_eq!(bench.handlers.started.get(), 1, "{len}");
    }
}

#[tokio::test(start_paused = true)]
async fn long_arguments_and_channels_go_with_their_call_to_the_next_session() {
    let window = Duration::from_secs(1);
    for len in LENGTHS {
        let bench = Bench::new(Limits { resume_window: window, ..Limits::default() }).await;
        let (numbers, theirs) = vox::channel();
        let (answers, mut back) = vox::channel();
        let (first, last) = (bytes(LENGTHS[LENGTHS.len() - 1] - len), "ö".repeat(len / 2));
        let call = tokio::spawn(bench.client.beside(first.clone(), theirs, answers, last.clone()).into_future());
        settle().await;
        for _ in 0..2 {
            let server = bench.cable.unplug();
            tokio::time::sleep(2 * window).await;
            bench.cable.plug(server);
            tokio::time::sleep(window).await;
        }
        bench.handlers.gate.add_permits(3);
        numbers.send(7).await.expect("there is room");
        assert_eq!(back.recv().await, Ok(Some(first)), "{len}");
        assert_eq!(back.recv().await, Ok(Some(last.into_bytes())), "{len}");
        assert_eq!(call.await.expect("no panic"), Ok(7), "{len}");
        assert_eq!(bench.handlers.started.get(), 3, "{len}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_limit_of_messages_holds_for_long_values() {
    let limits = Limits { max_message_bytes: 50_000, ..Limits::default() };
    let client = Bench::new(limits).await.client;
    assert!(matches!(client.bytes(bytes(50_000)).await, Err(VoxError::NotSent(vox::NotSent::TooLarge(_)))));
    let mut sent = 0;
    for len in 49_900..50_010 {
        match client.both(bytes(0), 0, bytes(len)).await {
            Err(VoxError::NotSent(vox::NotSent::TooLarge(why))) => assert!(why.contains("argument `last` of"), "{why}"),
            answer => {
                // The answer is as long, and one byte longer by what says that it is one.
                assert!(
                    matches!(&answer, Ok(back) if back.starts_with(&bytes(len)))
                        || matches!(&answer, Err(VoxError::InvalidResponse(_))),
                    "{len}: {answer:?}"
                );
                sent = len;
            }
        }
    }
    assert!((49_900..50_000).contains(&sent), "{sent}");
    let mut answered = 0;
    for len in 49_900..50_010 {
        match client.made(len).await {
            Err(VoxError::InvalidResponse(_)) => {}
            answer => {
                assert_eq!(answer, Ok(bytes(len as usize)));
                answered = len;
            }
        }
    }
    assert!((49_900..50_000).contains(&answered), "{answered}");
    assert_eq!(client.bytes(bytes(40_000)).await, Ok(bytes(40_000)));
}
