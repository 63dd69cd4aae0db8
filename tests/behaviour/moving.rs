//! What becomes of a call's channels when its session is lost: they go with it to the next, or end with it.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_sink::Sink;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use vox::{Backoff, Limits, Metadata, RecvError, Rx, SendError, Server, TrySendError, Tx, VoxError};

use crate::lab::{kind, send_kind};
use crate::support::cable::Cable;
use crate::support::{Count, settle};

#[vox::service]
pub trait Doubling {
    #[vox(idem)]
    async fn idem(&self, numbers: Rx<u64>, doubles: Tx<u64>) -> u64;
    async fn volatile(&self, numbers: Rx<u64>, doubles: Tx<u64>) -> u64;
    /// Says hello before it reads.
    #[vox(idem)]
    async fn greeting(&self, numbers: Rx<u64>, doubles: Tx<u64>) -> u64;
    #[vox(idem)]
    async fn bytes(&self, bytes: Rx<Vec<u8>>) -> u64;
    /// Keeps the channel for longer than the call.
    #[vox(idem)]
    async fn keeping(&self, numbers: Rx<u64>);
}

#[derive(Clone)]
struct Handlers {
    started: Count,
    /// How the numbers of each call ended.
    ends: Arc<Mutex<Vec<String>>>,
    /// One permit lets one handler return.
    gate: Arc<Semaphore>,
}

impl Handlers {
    fn ended(&self, end: impl Into<String>) {
        self.ends.lock().expect("no panic").push(end.into());
    }

    fn ends(&self) -> Vec<String> {
        self.ends.lock().expect("no panic").clone()
    }

    async fn run(&self, mut numbers: Rx<u64>, doubles: Tx<u64>) -> u64 {
        self.started.add();
        let mut sum = 0;
        let end = loop {
            match numbers.recv().await {
                Ok(Some(n)) => {
                    sum += n;
                    if let Err(error) = doubles.send(2 * n).await {
                        break format!("send: {}", send_kind(&error));
                    }
                }
                Ok(None) => break format!("closed {:?}", numbers.close_metadata().and_then(|m| m.get("by"))),
                Err(error) => break kind(&error),
            }
        };
        self.ended(end);
        self.gate.acquire().await.expect("never closed").forget();
        doubles.close();
        sum
    }
}

impl Doubling for Handlers {
    async fn idem(&self, numbers: Rx<u64>, doubles: Tx<u64>) -> u64 {
        self.run(numbers, doubles).await
    }
    async fn volatile(&self, numbers: Rx<u64>, doubles: Tx<u64>) -> u64 {
        self.run(numbers, doubles).await
    }
    async fn greeting(&self, numbers: Rx<u64>, doubles: Tx<u64>) -> u64 {
        let _ = doubles.send(0).await;
        self.run(numbers, doubles).await
    }
    async fn bytes(&self, mut bytes: Rx<Vec<u8>>) -> u64 {
        self.started.add();
        let mut len = 0;
        while let Ok(Some(item)) = bytes.recv().await {
            len += item.len() as u64;
        }
        len
    }
    async fn keeping(&self, mut numbers: Rx<u64>) {
        tokio::spawn(async move { while let Ok(Some(_)) = numbers.recv().await {} });
    }
}

type Outcome = JoinHandle<Result<u64, VoxError>>;

struct Bench {
    cable: Cable,
    handlers: Handlers,
    client: DoublingClient,
}

/// A call, and the halves that its caller keeps.
struct Kept {
    call: Outcome,
    numbers: Tx<u64>,
    doubles: Rx<u64>,
}

impl Bench {
    async fn new() -> Self {
        Self::with(Limits::default()).await
    }

    /// Its sessions are lost with their links.
    async fn with(limits: Limits) -> Self {
        let handlers =
            Handlers { started: Count::default(), ends: Arc::default(), gate: Arc::new(Semaphore::new(100)) };
        let cable = Cable::to(server(&handlers, limits));
        let backoff = Backoff { most: Duration::from_millis(200), ..Backoff::default() };
        let connecting = vox::connect(cable.connector()).no_resume().reconnect(backoff);
        let client = connecting.await.expect("a session");
        Self { cable, handlers, client }
    }

    async fn call(&self, policy: Policy) -> Kept {
        self.call_within(policy, Duration::from_secs(3600)).await
    }

    async fn call_within(&self, policy: Policy, timeout: Duration) -> Kept {
        let (numbers, theirs) = vox::channel();
        let (answers, doubles) = vox::channel();
        let call = match policy {
            Policy::Idem => self.client.idem(theirs, answers),
            Policy::Volatile => self.client.volatile(theirs, answers),
            Policy::Greeting => self.client.greeting(theirs, answers),
        };
        let call = tokio::spawn(call.timeout(timeout).into_future());
        settle().await;
        Kept { call, numbers, doubles }
    }

    /// Loses the session, until the peer is there again.
    async fn away(&self) -> Arc<Server> {
        let server = self.cable.unplug();
        settle().await;
        server
    }

    async fn back(&self, server: Arc<Server>) {
        self.cable.plug(server);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }

    async fn lose_session(&self) {
        let server = self.away().await;
        self.back(server).await;
    }

    /// Another server, with other limits.
    fn fresh(&self, limits: Limits) -> Arc<Server> {
        Arc::new(server(&self.handlers, limits))
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Policy {
    Idem,
    Volatile,
    Greeting,
}

fn server(handlers: &Handlers, limits: Limits) -> Server {
    Server::builder().service(DoublingDispatcher::new(handlers.clone())).limits(limits).start().expect("a server")
}

impl Kept {
    /// The channels work, in order, and the call returns.
    async fn works(mut self) {
        for n in 1..=100 {
            self.numbers.send(n).await.expect("sent");
        }
        for n in 1..=100 {
            assert_eq!(self.doubles.recv().await, Ok(Some(2 * n)));
        }
        self.numbers.close();
        assert_eq!(self.call.await.expect("no panic"), Ok(5050));
        assert_eq!(self.doubles.recv().await, Ok(None));
    }

    /// Both channels end, with an error that says that the session was lost.
    async fn is_lost(&mut self) {
        let sent = self.numbers.send(9).await;
        assert!(matches!(sent, Err(SendError::ConnectionLost(_))), "{sent:?}");
        let received = self.doubles.recv().await;
        assert!(matches!(received, Err(RecvError::ConnectionLost(_))), "{received:?}");
    }
}

// proves: guide.lost.channels
#[tokio::test(start_paused = true)]
async fn a_call_takes_its_untouched_channels_to_the_next_session() {
    for losses in 0..=4 {
        let bench = Bench::new().await;
        let kept = bench.call(Policy::Idem).await;
        for _ in 0..losses {
            bench.lose_session().await;
        }
        assert_eq!(bench.handlers.started.get(), losses + 1);
        kept.works().await;
        assert_eq!(bench.handlers.started.get(), losses + 1);
    }
}

#[tokio::test(start_paused = true)]
async fn channels_are_lost_with_the_fifth_attempt() {
    let bench = Bench::new().await;
    let mut kept = bench.call(Policy::Idem).await;
    for _ in 0..5 {
        bench.lose_session().await;
    }
    kept.is_lost().await;
    assert_eq!(kept.call.await.expect("no panic"), Err(VoxError::Indeterminate));
}

#[tokio::test(start_paused = true)]
async fn who_waits_on_a_channel_waits_on_while_its_call_moves() {
    for losses in 1..=2 {
        let bench = Bench::new().await;
        let Kept { call, numbers, mut doubles } = bench.call(Policy::Idem).await;
        let receiving = tokio::spawn(async move { (doubles.recv().await, doubles) });
        settle().await;
        for _ in 1..losses {
            bench.lose_session().await;
        }
        let away = bench.away().await;
        assert_eq!(numbers.try_send(6), Err(TrySendError::Full(6)));
        let sending = tokio::spawn(async move { (numbers.send(7).await, numbers) });
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert!(!sending.is_finished() && !receiving.is_finished());
        bench.back(away).await;
        let (sent, numbers) = sending.await.expect("no panic");
        assert_eq!(sent, Ok(()));
        let (received, mut doubles) = receiving.await.expect("no panic");
        assert_eq!(received, Ok(Some(14)), "once, and by the handler that runs now");
        drop(numbers);
        assert_eq!(doubles.recv().await, Ok(None));
        assert_eq!(call.await.expect("no panic"), Ok(7));
        assert_eq!(bench.handlers.started.get(), losses + 1);
    }
}

// proves: guide.lost.channels.used
#[tokio::test(start_paused = true)]
async fn a_call_does_not_move_once_an_item_was_exchanged() {
    for policy in [Policy::Idem, Policy::Greeting] {
        let bench = Bench::new().await;
        let mut kept = bench.call(policy).await;
        if policy == Policy::Idem {
            kept.numbers.send(1).await.expect("sent");
            settle().await;
            assert_eq!(kept.doubles.recv().await, Ok(Some(2)));
        }
        bench.lose_session().await;
        if policy == Policy::Greeting {
            assert_eq!(kept.doubles.recv().await, Ok(Some(0)), "what has arrived is there");
        }
        kept.is_lost().await;
        assert_eq!(kept.call.await.expect("no panic"), Err(VoxError::Indeterminate), "{policy:?}");
        assert_eq!(bench.handlers.started.get(), 1, "{policy:?}");
    }
}

/// Nothing came back, but the handler may have acted on what it got.
// proves: guide.lost.channels.used
#[tokio::test(start_paused = true)]
async fn a_call_does_not_move_once_an_item_was_sent() {
    let bench = Bench::new().await;
    let (bytes, theirs) = vox::channel();
    let call = tokio::spawn(bench.client.bytes(theirs).timeout(Duration::from_secs(60)).into_future());
    settle().await;
    assert_eq!(bytes.send(vec![1]).await, Ok(()));
    bench.lose_session().await;
    assert_eq!(call.await.expect("no panic"), Err(VoxError::Indeterminate));
    assert!(matches!(bytes.send(vec![2]).await, Err(SendError::ConnectionLost(_))));
    assert_eq!(bench.handlers.started.get(), 1);
}

/// However long its future is kept.
#[tokio::test(start_paused = true)]
async fn channels_end_with_the_outcome_of_their_call() {
    let bench = Bench::new().await;
    let (bytes, theirs) = vox::channel();
    let mut call = bench.client.bytes(theirs).timeout(Duration::from_secs(10)).into_future();
    let lost = async {
        settle().await;
        bench.away().await
    };
    let (outcome, _away) = tokio::join!(&mut call, lost);
    assert_eq!(outcome, Err(VoxError::DeadlineExceeded));
    let sent = tokio::time::timeout(Duration::from_secs(1), bytes.send(vec![2])).await;
    assert!(matches!(sent, Ok(Err(SendError::ConnectionLost(_)))), "{sent:?}");
    drop(call);
}

/// On the second session as on the first.
#[tokio::test(start_paused = true)]
async fn a_call_that_has_moved_does_not_move_once_an_item_was_exchanged() {
    let bench = Bench::new().await;
    let mut kept = bench.call(Policy::Idem).await;
    bench.lose_session().await;
    kept.numbers.send(1).await.expect("sent");
    settle().await;
    bench.lose_session().await;
    assert_eq!(kept.doubles.recv().await, Ok(Some(2)));
    kept.is_lost().await;
    assert_eq!(kept.call.await.expect("no panic"), Err(VoxError::Indeterminate));
    assert_eq!(bench.handlers.started.get(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_channels_of_a_volatile_call_that_may_have_run_end_with_it() {
    let bench = Bench::new().await;
    let mut kept = bench.call(Policy::Volatile).await;
    let _away = bench.away().await;
    kept.is_lost().await;
    assert_eq!(kept.call.await.expect("no panic"), Err(VoxError::Indeterminate));
}

/// Made while there is no link, and the session is lost before there is.
#[tokio::test(start_paused = true)]
async fn the_channels_of_a_request_that_never_left_go_with_it_whatever_its_policy() {
    for policy in [Policy::Idem, Policy::Volatile] {
        let handlers =
            Handlers { started: Count::default(), ends: Arc::default(), gate: Arc::new(Semaphore::new(100)) };
        let cable = Cable::to(server(&handlers, Limits::default()));
        let backoff = Backoff { most: Duration::from_millis(200), ..Backoff::default() };
        let connecting = vox::connect(cable.connector()).resume(Duration::from_secs(10)).reconnect(backoff);
        let bench = Bench { client: connecting.await.expect("a session"), cable, handlers };
        let away = bench.away().await;
        let kept = bench.call(policy).await;
        tokio::time::sleep(Duration::from_secs(12)).await;
        assert_eq!(kept.numbers.try_send(6), Err(TrySendError::Full(6)), "it has been lost");
        bench.back(away).await;
        kept.works().await;
        assert_eq!(bench.handlers.started.get(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn the_channels_of_a_call_that_has_ended_do_not_wait_for_another_session() {
    let bench = Bench::new().await;
    let (bytes, theirs) = vox::channel();
    assert_eq!(bench.client.keeping(theirs).await, Ok(()));
    let _away = bench.away().await;
    let before = tokio::time::Instant::now();
    assert!(matches!(bytes.send(1).await, Err(SendError::ConnectionLost(_))));
    assert_eq!(before.elapsed(), Duration::ZERO);
}

/// `Some` metadata: it closes with it. `before`: before the session is lost.
async fn let_go_of_the_sender(before: bool, metadata: Option<Metadata>) {
    let bench = Bench::new().await;
    // What it returned would reach the caller.
    bench.handlers.gate.forget_permits(100);
    let Kept { call, numbers, mut doubles } = bench.call(Policy::Idem).await;
    let expected = match &metadata {
        Some(metadata) => format!("closed {:?}", metadata.get("by")),
        None => "Dropped".to_owned(),
    };
    let let_go = || match metadata {
        Some(metadata) => numbers.close_with(metadata).expect("it is short"),
        None => drop(numbers),
    };
    if before {
        let_go();
        settle().await;
        bench.lose_session().await;
    } else {
        let away = bench.away().await;
        let_go();
        bench.back(away).await;
    }
    assert_eq!(bench.handlers.ends().last(), Some(&expected), "before: {before}");
    assert_eq!(bench.handlers.started.get(), 2);
    bench.handlers.gate.add_permits(1);
    assert_eq!(doubles.recv().await, Ok(None));
    assert_eq!(call.await.expect("no panic"), Ok(0));
}

#[tokio::test(start_paused = true)]
async fn a_sender_that_was_let_go_of_without_an_item_ends_as_it_did_in_the_next_session_too() {
    for before in [true, false] {
        let_go_of_the_sender(before, None).await;
        let mut metadata = Metadata::new();
        metadata.insert("by", "hand");
        let_go_of_the_sender(before, Some(metadata)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_was_let_go_of_is_reset_in_the_next_session_too() {
    for before in [true, false] {
        let bench = Bench::new().await;
        let Kept { call, numbers, doubles } = bench.call(Policy::Idem).await;
        let away = if before {
            drop(doubles);
            settle().await;
            bench.away().await
        } else {
            let away = bench.away().await;
            drop(doubles);
            away
        };
        bench.back(away).await;
        assert_eq!(numbers.send(1).await, Ok(()));
        assert_eq!(call.await.expect("no panic"), Ok(1));
        assert_eq!(bench.handlers.ends().last().map(String::as_str), Some("send: Reset"), "before: {before}");
    }
}

#[tokio::test(start_paused = true)]
async fn channels_end_when_the_deadline_comes_before_the_next_session() {
    let bench = Bench::new().await;
    let mut kept = bench.call_within(Policy::Idem, Duration::from_secs(10)).await;
    let _away = bench.away().await;
    let before = tokio::time::Instant::now();
    kept.is_lost().await;
    assert_eq!(before.elapsed().as_secs(), 9);
    assert_eq!(kept.call.await.expect("no panic"), Err(VoxError::DeadlineExceeded));
}

#[tokio::test(start_paused = true)]
async fn channels_end_when_no_session_comes() {
    let bench = Bench::new().await;
    let mut kept = bench.call_within(Policy::Idem, Duration::MAX).await;
    let _away = bench.away().await;
    kept.is_lost().await;
    assert_eq!(kept.call.await.expect("no panic"), Err(VoxError::Indeterminate));
}

#[tokio::test(start_paused = true)]
async fn channels_end_with_a_call_that_is_dropped_while_it_moves() {
    let bench = Bench::new().await;
    let Kept { call, numbers, mut doubles } = bench.call(Policy::Idem).await;
    let _away = bench.away().await;
    let receiving = tokio::spawn(async move { doubles.recv().await });
    let sending = tokio::spawn(async move { numbers.send(1).await });
    settle().await;
    assert!(!sending.is_finished() && !receiving.is_finished());
    call.abort();
    settle().await;
    assert!(sending.is_finished() && receiving.is_finished());
    assert!(matches!(sending.await.expect("no panic"), Err(SendError::ConnectionLost(_))));
    assert!(matches!(receiving.await.expect("no panic"), Err(RecvError::ConnectionLost(_))));
}

/// A sink that was told that there is room has none to keep the item in.
#[tokio::test(start_paused = true)]
async fn a_sink_whose_room_was_lost_says_so_and_its_handler_sees_no_clean_end() {
    let bench = Bench::new().await;
    let Kept { call, mut numbers, mut doubles } = bench.call(Policy::Idem).await;
    poll_fn(|cx| Sink::poll_ready(Pin::new(&mut numbers), cx)).await.expect("room");
    let away = bench.away().await;
    let sent = Pin::new(&mut numbers).start_send(1);
    assert!(matches!(sent, Err(SendError::ConnectionLost(_))), "{sent:?}");
    assert_eq!(numbers.send(1).await, Err(SendError::Reset));
    drop(numbers);
    bench.back(away).await;
    let expected = [r#"Aborted("an item was lost with the connection")"#];
    assert_eq!(bench.handlers.ends(), expected, "the call had gone on before");
    assert_eq!(doubles.recv().await, Ok(None));
    assert_eq!(call.await.expect("no panic"), Ok(0));
}

/// The next session's limits are what counts.
#[tokio::test(start_paused = true)]
async fn a_call_with_more_channels_than_the_next_peer_takes_ends() {
    let bench = Bench::new().await;
    let mut kept = bench.call(Policy::Idem).await;
    drop(bench.away().await);
    bench.back(bench.fresh(Limits { max_channels: 1, ..Limits::default() })).await;
    kept.is_lost().await;
    assert_eq!(kept.call.await.expect("no panic"), Err(VoxError::Indeterminate));
    assert_eq!(bench.handlers.started.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn calls_that_move_wait_for_room_for_their_channels() {
    let bench = Bench::new().await;
    let (first, second) = (bench.call(Policy::Idem).await, bench.call(Policy::Idem).await);
    drop(bench.away().await);
    bench.back(bench.fresh(Limits { max_channels: 3, ..Limits::default() })).await;
    assert_eq!(bench.handlers.started.get(), 3, "one of the two");
    let (first, second) = (tokio::spawn(first.works()), tokio::spawn(second.works()));
    first.await.expect("it works");
    second.await.expect("it works");
    assert_eq!(bench.handlers.started.get(), 4);
}

#[tokio::test(start_paused = true)]
async fn an_item_that_waits_is_measured_by_the_limit_of_the_next_peer() {
    let bench = Bench::new().await;
    let (bytes, theirs) = vox::channel();
    let call = tokio::spawn(bench.client.bytes(theirs).into_future());
    settle().await;
    drop(bench.away().await);
    let sending = tokio::spawn(async move { (bytes.send(vec![0; 200 << 10]).await, bytes) });
    settle().await;
    bench.back(bench.fresh(Limits { max_message_bytes: 100 << 10, ..Limits::default() })).await;
    let (sent, bytes) = sending.await.expect("no panic");
    assert!(matches!(sent, Err(SendError::InvalidItem(_))), "{sent:?}");
    assert_eq!(bytes.send(vec![0; 100]).await, Ok(()));
    bytes.close();
    assert_eq!(call.await.expect("no panic"), Ok(100));
}
