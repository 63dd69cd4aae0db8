//! What it costs to connect where the two ends know a service otherwise, in round trips: none. The acceptor's contract comes with its welcome, and the
//! opener's leaves with its first call. The next connection of the two tells neither again.
//!
//! On a paused clock, over links whose bytes arrive a fixed time after they were written.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use package_versions_case::Stage;
use package_versions_new::ledger as new;
use package_versions_old::ledger as old;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;
use vox::transport::{Connector, Link};
use vox::{Server, Session};

/// How long a byte takes, one way.
const LATENCY: Duration = Duration::from_millis(100);

/// Carries bytes, each [`LATENCY`] after it was written, and counts them.
async fn carry(
    mut from: impl AsyncRead + Unpin + Send + 'static,
    mut to: impl AsyncWrite + Unpin,
    carried: Arc<AtomicUsize>,
) {
    let (put, mut arriving) = mpsc::unbounded_channel();
    // No more than a session may have under way. Nothing is read any more once this is dropped.
    let mut reading = JoinSet::new();
    reading.spawn(async move {
        let mut buffer = vec![0; 16 << 10];
        while let Ok(read @ 1..) = from.read(&mut buffer).await {
            carried.fetch_add(read, Ordering::SeqCst);
            if put.send((Instant::now() + LATENCY, buffer[..read].to_vec())).is_err() {
                break;
            }
        }
    });
    while let Some((at, bytes)) = arriving.recv().await {
        tokio::time::sleep_until(at).await;
        if to.write_all(&bytes).await.is_err() {
            break;
        }
    }
}

/// A server, links to it, and how many bytes they have carried.
#[derive(Clone)]
struct Far {
    server: Arc<Server>,
    carried: Arc<AtomicUsize>,
    cut: Arc<Notify>,
}

impl Far {
    fn new() -> Self {
        let builder = Server::builder().service(old::LedgerDispatcher::new(old::Book(Stage::new(|| ()))));
        let server = Arc::new(builder.start().expect("a server"));
        Self { server, carried: Arc::default(), cut: Arc::default() }
    }

    fn link(&self) -> Link {
        let (ours, near) = tokio::io::duplex(64 << 10);
        let (theirs, far) = tokio::io::duplex(64 << 10);
        let ((from_client, to_client), (from_server, to_server)) = (tokio::io::split(near), tokio::io::split(far));
        let this = self.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = carry(from_client, to_server, Arc::clone(&this.carried)) => {}
                () = carry(from_server, to_client, Arc::clone(&this.carried)) => {}
                () = this.cut.notified() => {}
            }
        });
        let server = Arc::clone(&self.server);
        tokio::spawn(async move { server.accept(Link::new(theirs, "far")).await });
        Link::new(ours, "far")
    }

    /// How many bytes it has carried since this was asked last.
    fn carried(&self) -> usize {
        self.carried.swap(0, Ordering::SeqCst)
    }
}

/// How many round trips went by since then.
fn trips(since: Instant) -> f64 {
    // To a tenth: timers have milliseconds.
    (since.elapsed().as_secs_f64() / (2.0 * LATENCY.as_secs_f64()) * 10.0).round() / 10.0
}

/// What a client pays: round trips until it is connected, and then until its first call is answered; and bytes in all.
#[derive(Debug, PartialEq)]
struct Paid {
    connected: f64,
    called: f64,
    bytes: usize,
}

/// A client of its own connects to the server.
async fn connect<C: vox::Client, F: Future<Output = ()>>(far: &Far, call: impl FnOnce(C) -> F) -> Paid {
    let began = Instant::now();
    let client = vox::connect::<C>(far.link()).await.expect("connected");
    let (connected, began) = (trips(began), Instant::now());
    call(client).await;
    Paid { connected, called: trips(began), bytes: far.carried() }
}

/// A session opens a connection, and then another.
async fn open<C: vox::Client, F: Future<Output = ()>>(call: impl Fn(C) -> F) -> [Paid; 2] {
    let far = Far::new();
    let session = Session::connect(far.link()).await.expect("connected");
    far.carried();
    let opened = async || {
        let began = Instant::now();
        let client = session.open::<C>().await.expect("opened");
        let (connected, began) = (trips(began), Instant::now());
        call(client).await;
        Paid { connected, called: trips(began), bytes: far.carried() }
    };
    [opened().await, opened().await]
}

/// A client connects, loses its session, and has another: the bytes of each.
async fn reconnect<C: vox::Client, F: Future<Output = ()>>(call: impl Fn(C) -> F) -> [usize; 2] {
    let far = Far::new();
    let links = far.clone();
    let connector = Connector::new("far", move || {
        let link = links.link();
        async move { Ok(link) }
    });
    let client = vox::connect::<C>(connector).no_resume().await.expect("connected");
    call(client.clone()).await;
    let first = far.carried();
    far.cut.notify_waiters();
    // Until there is the next session.
    tokio::time::sleep(100 * LATENCY).await;
    call(client).await;
    [first, far.carried()]
}

/// Calls what is answered at once.
async fn call_old(ledger: old::LedgerClient) {
    let (tx, _rx) = vox::channel();
    ledger.watch(0, tx).await.expect("it is answered");
}

async fn call_new(ledger: new::LedgerClient) {
    let (tx, _rx) = vox::channel();
    ledger.watch(0, tx).await.expect("it is answered");
}

/// How many bytes more it is to name a contract that was told before.
fn names_it(more: usize) {
    assert!((32..40).contains(&more), "{more} bytes more, for the name of a contract that was told before");
}

#[tokio::test(start_paused = true)]
async fn versions_that_differ_cost_no_round_trip_and_equal_ones_no_bytes_either() {
    let (same, first) = (connect(&Far::new(), call_old).await, connect(&Far::new(), call_new).await);
    let ([same_opened, _], [opened, again]) = (open(call_old).await, open(call_new).await);
    for paid in [&same, &first, &same_opened, &opened, &again] {
        assert_eq!((paid.connected, paid.called), (1.0, 1.0));
    }
    for (same, first) in [(&same, &first), (&same_opened, &opened)] {
        assert!(same.bytes < 300, "{} bytes, without a contract", same.bytes);
        assert!(first.bytes > same.bytes + 300, "{} bytes, with two contracts", first.bytes);
    }
    names_it(again.bytes - same_opened.bytes);
}

#[tokio::test(start_paused = true)]
async fn the_next_session_of_a_client_tells_no_contract_again() {
    let ([_, same], [first, again]) = (reconnect(call_old).await, reconnect(call_new).await);
    assert!(first > same + 300, "{first} bytes, with two contracts");
    names_it(again - same);
}

/// What one server was told no other knows, nor what another client of the process was told.
#[tokio::test(start_paused = true)]
async fn contracts_that_were_told_are_known_to_one_client_and_to_one_server() {
    let (one, other) = (Far::new(), Far::new());
    let first = connect(&one, call_new).await.bytes;
    assert_eq!(connect(&other, call_new).await.bytes, first, "the other server is told as well");
    let next = connect(&one, call_new).await.bytes;
    let same = connect(&one, call_old).await.bytes;
    assert!(
        next < first && next > same + 100,
        "{next} bytes of {first}: the server knows this client's, and tells its own"
    );
}
