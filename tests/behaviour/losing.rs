//! What becomes of a call when its link or its session is lost: the rows of the table in the guide, under each policy.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use vox::{Backoff, Client, Limits, NotSent, Ran, Server, VoxError};

use crate::support::cable::Cable;
use crate::support::{Count, settle};

#[vox::service]
pub trait Policies {
    async fn volatile(&self, n: u64) -> u64;
    #[vox(idem)]
    async fn idem(&self, n: u64) -> u64;
    #[vox(persist)]
    async fn persist(&self, n: u64) -> u64;
    #[vox(idem, persist)]
    async fn both(&self, n: u64) -> u64;
    #[vox(idem)]
    async fn large(&self, bytes: &[u8]) -> u64;
}

#[derive(Clone)]
struct Handlers {
    started: Count,
    stopped: Count,
    /// One permit lets one handler return.
    gate: Arc<Semaphore>,
}

impl Handlers {
    async fn run(&self, n: u64) -> u64 {
        self.started.add();
        let _stopped = self.stopped.on_drop();
        self.gate.acquire().await.expect("never closed").forget();
        n
    }
}

impl Policies for Handlers {
    async fn volatile(&self, n: u64) -> u64 {
        self.run(n).await
    }
    async fn idem(&self, n: u64) -> u64 {
        self.run(n).await
    }
    async fn persist(&self, n: u64) -> u64 {
        self.run(n).await
    }
    async fn both(&self, n: u64) -> u64 {
        self.run(n).await
    }
    async fn large(&self, bytes: &[u8]) -> u64 {
        let len = bytes.len() as u64;
        self.run(len).await
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Policy {
    Volatile,
    Idem,
    Persist,
    Both,
}

use Policy::{Both, Idem, Persist, Volatile};

const ALL: [Policy; 4] = [Volatile, Idem, Persist, Both];

/// How long the server waits for a new link; the client waits longer.
const WINDOW: Duration = Duration::from_secs(1);

struct Bench {
    cable: Cable,
    handlers: Handlers,
    client: PoliciesClient,
}

impl Bench {
    async fn new() -> Self {
        Self::with(Limits::default()).await
    }

    async fn with(limits: Limits) -> Self {
        let handlers =
            Handlers { started: Count::default(), stopped: Count::default(), gate: Arc::new(Semaphore::new(0)) };
        let limits = Limits { resume_window: WINDOW, ..limits };
        let server = Server::builder().service(PoliciesDispatcher::new(handlers.clone())).limits(limits);
        let cable = Cable::to(server.start().expect("a server"));
        let backoff = Backoff { most: Duration::from_millis(200), ..Backoff::default() };
        let client = vox::connect(cable.connector()).reconnect(backoff).await.expect("a session");
        Self { cable, handlers, client }
    }

    fn call(&self, policy: Policy) -> JoinHandle<Result<u64, VoxError>> {
        let client = self.client.clone();
        tokio::spawn(async move {
            match policy {
                Volatile => client.volatile(7).await,
                Idem => client.idem(7).await,
                Persist => client.persist(7).await,
                Both => client.both(7).await,
            }
        })
    }

    /// Loses the session: its link for longer than the server waits. `between` is done while there is none.
    async fn lose_session(&self, between: impl FnOnce()) {
        let server = self.cable.unplug();
        settle().await;
        between();
        tokio::time::sleep(2 * WINDOW).await;
        assert_eq!(server.sessions(), 0, "the session is lost at the server");
        self.cable.plug(server);
        tokio::time::sleep(WINDOW).await;
    }

    fn release(&self) {
        self.handlers.gate.add_permits(10);
    }
}

async fn outcome(call: JoinHandle<Result<u64, VoxError>>) -> Result<u64, VoxError> {
    call.await.expect("no panic")
}

// proves: guide.resume, guide.lost.resumed
#[tokio::test(start_paused = true)]
async fn a_link_drops_and_the_session_is_resumed() {
    for policy in ALL {
        let bench = Bench::new().await;
        let call = bench.call(policy);
        settle().await;
        bench.cable.cut();
        settle().await;
        bench.release();
        assert_eq!(outcome(call).await, Ok(7), "{policy:?}");
        assert_eq!(bench.handlers.started.get(), 1, "{policy:?}: the attempt goes on, and no other is made");
    }
}

// proves: guide.lost.unsent
#[tokio::test(start_paused = true)]
async fn the_session_is_lost_and_the_request_never_left() {
    for policy in ALL {
        let bench = Bench::new().await;
        let mut call = None;
        bench.lose_session(|| call = Some(bench.call(policy))).await;
        bench.release();
        assert_eq!(outcome(call.expect("made")).await, Ok(7), "{policy:?}: sent on the new session");
        assert_eq!(bench.handlers.started.get(), 1, "{policy:?}");
    }
}

// proves: guide.lost.sent
#[tokio::test(start_paused = true)]
async fn the_session_is_lost_and_the_request_may_have_run() {
    for policy in ALL {
        let bench = Bench::new().await;
        let call = bench.call(policy);
        settle().await;
        assert_eq!(bench.handlers.started.get(), 1);
        bench.lose_session(|| {}).await;
        bench.release();
        let (expected, started) = match policy {
            Volatile => (Err(VoxError::Indeterminate), 1),
            Idem => (Ok(7), 2),
            // The same operation is under way, and the attempt joins it.
            Persist | Both => (Ok(7), 1),
        };
        assert_eq!(outcome(call).await, expected, "{policy:?}");
        assert_eq!(bench.handlers.started.get(), started, "{policy:?}");
    }
}

// proves: guide.lost.sent
#[tokio::test(start_paused = true)]
async fn the_session_is_lost_and_the_request_has_run() {
    for policy in ALL {
        let bench = Bench::new().await;
        let call = bench.call(policy);
        settle().await;
        // It returns while nobody can hear.
        bench.lose_session(|| bench.release()).await;
        let (expected, started) = match policy {
            Volatile => (Err(VoxError::Indeterminate), 1),
            Idem => (Ok(7), 2),
            Persist | Both => (Ok(7), 1),
        };
        assert_eq!(outcome(call).await, expected, "{policy:?}: what was sealed is replayed");
        assert_eq!(bench.handlers.started.get(), started, "{policy:?}");
    }
}

// proves: guide.lost.caller
#[tokio::test(start_paused = true)]
async fn the_caller_is_gone_for_good() {
    for policy in ALL {
        let bench = Bench::new().await;
        let call = bench.call(policy);
        settle().await;
        let _server = bench.cable.unplug();
        call.abort();
        tokio::time::sleep(2 * WINDOW).await;
        let aborted = usize::from(matches!(policy, Volatile | Idem));
        assert_eq!(bench.handlers.stopped.get(), aborted, "{policy:?}");
        bench.release();
        settle().await;
        assert_eq!(bench.handlers.stopped.get(), 1, "{policy:?}: what persists runs to its end");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancel_without_a_link_reaches_the_handler_over_the_next() {
    for policy in ALL {
        let bench = Bench::new().await;
        let call = bench.call(policy);
        settle().await;
        let server = bench.cable.unplug();
        settle().await;
        call.abort();
        settle().await;
        bench.cable.plug(server);
        tokio::time::sleep(WINDOW).await;
        let aborted = usize::from(matches!(policy, Volatile | Idem));
        assert_eq!(bench.handlers.stopped.get(), aborted, "{policy:?}");
    }
}

/// No retry is without end: a server that loses its sessions with every call is not asked for ever.
// proves: guide.lost.five
#[tokio::test(start_paused = true)]
async fn a_call_is_made_five_times_at_most() {
    let bench = Bench::new().await;
    let client = bench.client.clone();
    let call = tokio::spawn(async move { client.idem(7).timeout(Duration::from_secs(3600)).await });
    for attempt in 1..=5 {
        settle().await;
        assert_eq!(bench.handlers.started.get(), attempt);
        bench.lose_session(|| {}).await;
    }
    assert_eq!(outcome(call).await, Err(VoxError::Indeterminate));
    assert_eq!(bench.handlers.started.get(), 5);
}

/// So many calls are made again, and no more while none succeeds: a peer that is well earns it that more may be.
// proves: guide.lost.budget
#[tokio::test(start_paused = true)]
async fn calls_that_succeed_make_room_for_others_to_be_made_again() {
    let bench = Bench::with(Limits { max_calls: 4096, ..Limits::default() }).await;
    let lose = async |count: usize| {
        let calls: Vec<_> = (0..count)
            .map(|_| tokio::spawn(bench.client.idem(7).timeout(Duration::from_secs(3600)).into_future()))
            .collect();
        settle().await;
        bench.lose_session(|| {}).await;
        calls
    };
    let ended = |calls: &[JoinHandle<_>]| calls.iter().filter(|call| call.is_finished()).count();
    let calls = lose(2148).await;
    assert_eq!((ended(&calls), bench.handlers.started.get()), (100, 2148 + 2048));
    bench.lose_session(|| {}).await;
    assert_eq!(ended(&calls), 2148, "none of them is made a third time");
    for call in calls {
        assert_eq!(outcome(call).await, Err(VoxError::Indeterminate));
    }
    assert_eq!(ended(&lose(1).await), 1, "nothing comes back by itself");
    bench.handlers.gate.add_permits(25);
    for _ in 0..25 {
        assert_eq!(bench.client.volatile(7).await, Ok(7));
    }
    let calls = lose(5).await;
    assert_eq!(ended(&calls), 3, "25 successes are good for two");
    bench.release();
    let mut results = Vec::new();
    for call in calls {
        results.push(outcome(call).await);
    }
    assert_eq!(results.iter().filter(|result| **result == Ok(7)).count(), 2, "{results:?}");
}

#[tokio::test(start_paused = true)]
async fn long_arguments_are_sent_again_like_short_ones() {
    let bench = Bench::new().await;
    let client = bench.client.clone();
    let call = tokio::spawn(async move { client.large(&vec![1; 1 << 20]).await });
    settle().await;
    bench.lose_session(|| {}).await;
    bench.release();
    assert_eq!(outcome(call).await, Ok(1 << 20));
    assert_eq!(bench.handlers.started.get(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_for_the_link_and_the_next_session_to_its_deadline_and_no_longer() {
    let bench = Bench::new().await;
    let _server = bench.cable.unplug();
    settle().await;
    // First the session waits for a link, later it is given up: calls wait as they did, and were not sent.
    for after in [Duration::ZERO, Duration::from_secs(200)] {
        tokio::time::sleep(after).await;
        let before = tokio::time::Instant::now();
        let error = bench.client.volatile(1).timeout(Duration::from_secs(5)).await.expect_err("nobody is there");
        assert_eq!(before.elapsed().as_secs(), 5);
        let VoxError::NotSent(NotSent::NoLink(why)) = &error else { panic!("{error:?}") };
        assert!(why.starts_with("no link to cable: connection refused, ") && why.ends_with(" attempts"), "{why}");
        assert_eq!((error.ran(), error.is_retryable()), (Ran::No, true));
    }
}

/// However long that is: also past the resume window, at the end of which those used to be told who waited for the next.
#[tokio::test(start_paused = true)]
async fn a_call_waits_past_the_resume_window() {
    let bench = Bench::new().await;
    let second: PoliciesClient = bench.client.caller().session().open().await.expect("a connection");
    let server = bench.cable.unplug();
    settle().await;
    let window = Limits::default().resume_window;
    let calls: Vec<_> = [&bench.client, &second]
        .into_iter()
        .map(|client| tokio::spawn(client.volatile(7).timeout(100 * window).into_future()))
        .collect();
    tokio::time::sleep(50 * window).await;
    assert!(calls.iter().all(|call| !call.is_finished()));
    bench.cable.plug(server);
    bench.release();
    for call in calls {
        assert_eq!(outcome(call).await, Ok(7));
    }
    assert_eq!(bench.handlers.started.get(), 2);
}

/// One link cut, with nothing set by hand: an earlier design ran a plain call twice.
#[tokio::test(start_paused = true)]
async fn pitfall_05_a_peer_that_has_forgotten_the_session_runs_no_volatile_call_again() {
    let bench = Bench::new().await;
    let calls = [bench.call(Volatile), bench.call(Volatile)];
    settle().await;
    // Another server, as after a restart: whatever it is shown, it knows no such session.
    let old = bench.cable.unplug();
    let handlers = bench.handlers.clone();
    let fresh = Server::builder().service(PoliciesDispatcher::new(handlers)).start().expect("a server");
    bench.cable.plug(Arc::new(fresh));
    tokio::time::sleep(WINDOW).await;
    bench.release();
    for call in calls {
        assert_eq!(outcome(call).await, Err(VoxError::Indeterminate));
    }
    assert_eq!(bench.handlers.started.get(), 2);
    drop(old);
    assert_eq!(bench.client.volatile(3).await, Ok(3), "and the client goes on");
}

/// A resume between a call's making and its sending must be noticed. An earlier design hung.
#[tokio::test(start_paused = true)]
async fn pitfall_06_a_link_that_goes_while_a_call_is_made_hangs_nothing() {
    for yields in 0..12 {
        let bench = Bench::new().await;
        bench.release();
        let call = bench.call(Volatile);
        for _ in 0..yields {
            tokio::task::yield_now().await;
        }
        bench.cable.cut();
        assert_eq!(outcome(call).await, Ok(7), "cut after {yields} steps");
        assert_eq!(bench.handlers.started.get(), 1);
    }
}
