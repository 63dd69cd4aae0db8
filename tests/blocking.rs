//! Handlers that block their thread: nothing else in their session notices, while the runtime has other threads.
//!
//! The threads really block, until the test lets them go on. Where a session is held up, a test waits for ever: each gives up
//! after [`PATIENCE`].

#![allow(unreachable_pub, reason = "modules of a test share what they have in common")]

mod support;

use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use support::Count;
use support::raw::{self, Raw, call, call_with, frame};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::task::{JoinSet, block_in_place};
use vox::{Limits, Rx, Server, Session, Tx, VoxError};

/// How long a test waits for what comes at once unless something is held up.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a handler blocks.
#[derive(Debug, Clone, Copy, PartialEq, facet::Facet)]
#[repr(u8)]
pub enum How {
    /// It takes the thread as it is.
    Plain,
    /// As tokio wants it.
    InPlace,
    /// Once it has a task of its own.
    AfterAnAwait,
}

#[vox::service]
trait Forge {
    /// Blocks its thread until the hammer falls.
    async fn temper(&self, how: How) -> u32;
    async fn quick(&self, n: u32) -> u32;
    /// Blocks once in eight calls.
    async fn sometimes(&self, n: u32) -> u32;
    async fn hang(&self);
    async fn count(&self, to: u32, out: Tx<u32>) -> u32;
    async fn echo(&self, numbers: Rx<u32>, out: Tx<u32>);
    /// Asks the caller, and waits for the answer on its own thread.
    async fn ask(&self, cx: &vox::Context, n: u32) -> Result<u32, String>;
}

/// Something that threads wait for.
#[derive(Default)]
struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn wait(&self) {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.opened.wait_while(open, |open| !*open).unwrap_or_else(PoisonError::into_inner));
    }

    fn open(&self) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.opened.notify_all();
    }
}

/// However a test ends, no thread is left behind.
struct Opens(Arc<Gate>);

impl Drop for Opens {
    fn drop(&mut self) {
        self.0.open();
    }
}

#[derive(Clone, Default)]
struct Smith {
    hammer: Arc<Gate>,
    began: Count,
    ended: Count,
    calls: Arc<AtomicU32>,
    caller: Arc<OnceLock<ForgeClient>>,
}

impl Smith {
    fn new() -> (Self, Opens) {
        let smith = Self::default();
        let opens = Opens(Arc::clone(&smith.hammer));
        (smith, opens)
    }

    fn block(&self) {
        self.began.add();
        self.hammer.wait();
        self.ended.add();
    }
}

impl Forge for Smith {
    async fn temper(&self, how: How) -> u32 {
        match how {
            How::Plain => self.block(),
            How::InPlace => block_in_place(|| self.block()),
            How::AfterAnAwait => {
                tokio::task::yield_now().await;
                self.block();
            }
        }
        1
    }
    async fn quick(&self, n: u32) -> u32 {
        n
    }
    async fn sometimes(&self, n: u32) -> u32 {
        if self.calls.fetch_add(1, Ordering::SeqCst) % 8 == 7 {
            std::thread::sleep(Duration::from_millis(20));
        }
        n
    }
    async fn hang(&self) {
        std::future::pending().await
    }
    async fn count(&self, to: u32, out: Tx<u32>) -> u32 {
        for n in 0..to {
            if out.send(n).await.is_err() {
                return n;
            }
        }
        out.close();
        to
    }
    async fn echo(&self, mut numbers: Rx<u32>, out: Tx<u32>) {
        while let Ok(Some(n)) = numbers.recv().await {
            if out.send(n).await.is_err() {
                return;
            }
        }
    }
    async fn ask(&self, cx: &vox::Context, n: u32) -> Result<u32, String> {
        if self.caller.get().is_none() {
            let caller = cx.session().open().await.map_err(|error| error.to_string())?;
            let _ = self.caller.set(caller);
        }
        let Some(caller) = self.caller.get() else { return Err("nobody to ask".to_owned()) };
        block_in_place(|| Handle::current().block_on(caller.quick(n).timeout(PATIENCE / 2)))
            .map_err(|error| error.to_string())
    }
}

async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_) => panic!("{what}: held up"),
    }
}

/// Waits, on another thread than a worker's, until so many handlers have begun.
async fn begun(smith: &Smith, count: usize) {
    let smith = smith.clone();
    let waiting = tokio::task::spawn_blocking(move || {
        while smith.began.get() < count {
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    soon("the handler begins", waiting).await.expect("it only looks");
}

/// An address of each kind, for a server of its own.
fn addresses(name: &str) -> Vec<String> {
    let path = std::env::temp_dir().join(format!("vox-blocking-{name}-{}", std::process::id()));
    vec!["tcp://127.0.0.1:0".to_owned(), format!("unix://{}", path.display()), format!("mem://blocking-{name}")]
}

async fn serve(address: &str, smith: &Smith) -> Server {
    Server::builder().service(ForgeDispatcher::new(smith.clone())).bind(address).await.expect("it listens")
}

/// While a handler blocks, calls, items, deadlines and cancels of the same session go on; so do calls beside `blocked` others.
async fn goes_on_beside(forge: &ForgeClient, smith: &Smith, how: How) {
    let before = smith.began.get();
    let blocked: Vec<_> = (0..2).map(|_| tokio::spawn(forge.temper(how))).collect();
    begun(smith, before + 2).await;
    for n in 0..50 {
        assert_eq!(soon("a quick call", forge.quick(n)).await, Ok(n));
    }
    let late = soon("a deadline", forge.hang().timeout(Duration::from_millis(20))).await;
    assert_eq!(late, Err(VoxError::DeadlineExceeded));
    let (out, mut numbers): (Tx<u32>, Rx<u32>) = vox::channel();
    let counting = tokio::spawn(forge.count(600, out));
    for n in 0..600 {
        assert_eq!(soon("an item", numbers.recv()).await, Ok(Some(n)));
    }
    assert_eq!(soon("its call", counting).await.expect("no panic"), Ok(600));
    assert!(blocked.iter().all(|call| !call.is_finished()), "{how:?}");
    smith.hammer.open();
    for call in blocked {
        assert_eq!(soon("what blocked", call).await.expect("no panic"), Ok(1));
    }
    assert_eq!(soon("a quick call afterwards", forge.quick(7)).await, Ok(7));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_handler_that_blocks_holds_up_nobody() {
    for (index, how) in [How::Plain, How::InPlace, How::AfterAnAwait].into_iter().enumerate() {
        for address in addresses(&format!("server-{index}")) {
            let (smith, _opens) = Smith::new();
            let server = serve(&address, &smith).await;
            let forge: ForgeClient = vox::connect(server.address()).await.expect("it is there");
            goes_on_beside(&forge, &smith, how).await;
        }
    }
}

/// The session's thread wakes the reader of an item, and then runs a handler that blocks.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn what_was_woken_just_before_a_handler_that_blocks_goes_on() {
    let (smith, _opens) = Smith::new();
    let server = serve("tcp://127.0.0.1:0", &smith).await;
    let stream = TcpStream::connect(server.address().trim_start_matches("tcp://")).await.expect("accepted");
    let mut peer = Raw::initiate(stream, Some("Forge")).await;
    let item = |n: u64| frame(raw::ITEMS).var(1).var(1).var(1).var(n);
    peer.send(&call_with(1, 1, "Forge.echo", &[(1, 0), (3, 1)], &[0, 1])).await;
    peer.send(&item(1)).await;
    soon("an item", peer.read_kind(raw::ITEMS)).await;
    let temper = call(1, 3, "Forge.temper", &[How::Plain as u8]);
    peer.write(&[item(2).wire(), temper.wire()].concat()).await;
    begun(&smith, 1).await;
    soon("an item beside a handler that blocks", peer.read_kind(raw::ITEMS)).await;
    assert_eq!(smith.ended.get(), 0);
}

/// The client serves, and the server calls.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nor_does_one_of_the_end_that_connected() {
    for (index, how) in [How::Plain, How::InPlace, How::AfterAnAwait].into_iter().enumerate() {
        for address in addresses(&format!("client-{index}")) {
            let (mut sessions, server) = callers(&address).await;
            let (smith, _opens) = Smith::new();
            let dispatcher = ForgeDispatcher::new(smith.clone());
            let session = Session::connect(server.address()).serving(dispatcher).await.expect("it is there");
            let porch: PorchClient = session.open().await.expect("it is served");
            porch.join().await.expect("it is heard");
            let back = sessions.recv().await.expect("it joined");
            let forge: ForgeClient = back.open().await.expect("it is served");
            goes_on_beside(&forge, &smith, how).await;
        }
    }
}

#[vox::service]
trait Porch {
    /// Hands out the caller's session.
    async fn join(&self, cx: &vox::Context);
}

struct Keeper(tokio::sync::mpsc::Sender<Session>);

impl Porch for Keeper {
    async fn join(&self, cx: &vox::Context) {
        let _ = self.0.send(cx.session()).await;
    }
}

async fn callers(address: &str) -> (tokio::sync::mpsc::Receiver<Session>, Server) {
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let server = Server::builder().service(PorchDispatcher::new(Keeper(sender))).bind(address).await;
    (receiver, server.expect("it listens"))
}

/// What was read together with the call that blocks waits for nobody either.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_that_came_with_one_that_blocks_are_answered() {
    let (smith, _opens) = Smith::new();
    let server = serve("mem://blocking-together", &smith).await;
    let forge: ForgeClient = vox::connect(server.address()).await.expect("it is there");
    let (first, rest) = (tokio::spawn(forge.temper(How::Plain)), JoinSet::from_iter((0..100).map(|n| forge.quick(n))));
    let mut answers = soon("calls that came together", rest.join_all()).await;
    answers.sort_by_key(|answer| answer.as_ref().copied().unwrap_or(u32::MAX));
    assert_eq!(answers, (0..100).map(Ok).collect::<Vec<_>>());
    assert!(!first.is_finished());
    smith.hammer.open();
    assert_eq!(soon("what blocked", first).await.expect("no panic"), Ok(1));
}

/// A computation longer than keepalive and its timeout: the peer's probes are answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_link_is_not_lost_to_a_long_computation() {
    let (smith, _opens) = Smith::new();
    let server = serve("tcp://127.0.0.1:0", &smith).await;
    let limits = Limits {
        keepalive: Duration::from_millis(150),
        keepalive_timeout: Duration::from_secs(1),
        ..Limits::default()
    };
    let forge: ForgeClient = vox::connect(server.address()).limits(limits).no_reconnect().await.expect("it is there");
    let computing = tokio::spawn(forge.temper(How::Plain));
    begun(&smith, 1).await;
    // Three times as long as it takes to lose a link.
    tokio::time::sleep(Duration::from_millis(3500)).await;
    smith.hammer.open();
    assert_eq!(soon("the computation", computing).await.expect("no panic"), Ok(1));
}

/// The first callback opens a connection, which is awaited; from the second on the first poll blocks.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_handler_may_call_back_and_wait_on_its_own_thread() {
    for address in addresses("ask") {
        let (asking, _opens) = Smith::new();
        let server = serve(&address, &asking).await;
        let (answering, _opens) = Smith::new();
        let session = Session::connect(server.address()).serving(ForgeDispatcher::new(answering)).await.expect("there");
        let forge: ForgeClient = session.open().await.expect("it is served");
        for n in 0..20 {
            assert_eq!(soon("a callback", forge.ask(n)).await, Ok(n));
        }
        assert_eq!(soon("a quick call", forge.quick(5)).await, Ok(5));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_method_that_blocks_now_and_then_ends_in_order() {
    let (smith, _opens) = Smith::new();
    let server = serve("tcp://127.0.0.1:0", &smith).await;
    let forge: ForgeClient = vox::connect(server.address()).await.expect("it is there");
    let mut calls = JoinSet::new();
    for caller in 0..8 {
        let forge = forge.clone();
        calls.spawn(async move {
            for n in 0..50 {
                assert_eq!(forge.sometimes(caller * 50 + n).await, Ok(caller * 50 + n));
                assert_eq!(forge.quick(n).await, Ok(n));
            }
        });
    }
    soon("all of them", calls.join_all()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_shutdown_takes_no_longer_than_its_grace() {
    let (smith, _opens) = Smith::new();
    let server = serve("tcp://127.0.0.1:0", &smith).await;
    let forge: ForgeClient = vox::connect(server.address()).no_reconnect().await.expect("it is there");
    let blocked = tokio::spawn(forge.temper(How::Plain));
    begun(&smith, 1).await;
    let report = soon("the shutdown", server.shutdown(Duration::from_millis(50))).await;
    assert_eq!((report.sessions, report.aborted_calls), (1, 1));
    assert!(soon("its call", blocked).await.expect("no panic").is_err());
    assert_eq!(smith.ended.get(), 0, "it blocks yet");
}

/// The session ends while a handler blocks, and nothing of it is left.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_session_ends_beside_a_handler_that_blocks() {
    for address in addresses("ends") {
        let (smith, _opens) = Smith::new();
        let server = serve(&address, &smith).await;
        let session = Session::connect(server.address()).no_reconnect().await.expect("it is there");
        let forge: ForgeClient = session.open().await.expect("it is served");
        let blocked = tokio::spawn(forge.temper(How::Plain));
        begun(&smith, 1).await;
        session.close("enough");
        assert!(soon("its call", blocked).await.expect("no panic").is_err());
        drop((forge, session));
        let gone = async {
            while server.sessions() > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        soon("the server's end of it", gone).await;
        assert_eq!(smith.ended.get(), 0, "it blocks yet");
    }
}

/// Many sessions, each with handlers that block for a while, more often than not several at a time: nothing is lost, doubled or
/// answered to another.
#[test]
fn stress() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(6).enable_all().build().expect("threads");
    runtime.block_on(async {
        for address in addresses("stress") {
            let server = serve(&address, &Smith::default()).await;
            let mut sessions = JoinSet::new();
            for session in 0..4 {
                let forge: ForgeClient = vox::connect(server.address()).await.expect("it is there");
                for caller in 0..4 {
                    let forge = forge.clone();
                    sessions.spawn(async move {
                        for n in 0..60 {
                            let n = (session * 4 + caller) * 1000 + n;
                            assert_eq!(forge.sometimes(n).await, Ok(n));
                            let (out, mut numbers): (Tx<u32>, Rx<u32>) = vox::channel();
                            let call = tokio::spawn(forge.count(3, out));
                            let mut got = Vec::new();
                            while let Ok(Some(n)) = numbers.recv().await {
                                got.push(n);
                            }
                            assert_eq!(got, [0, 1, 2]);
                            assert_eq!(call.await.expect("no panic"), Ok(3));
                        }
                    });
                }
            }
            soon("all of it", sessions.join_all()).await;
            let report = soon("the shutdown", server.shutdown(PATIENCE)).await;
            assert_eq!(report.aborted_calls, 0);
        }
    });
}
