//! What it costs to connect where the two ends know a service otherwise, in round trips: none. The acceptor's contract comes with its welcome, and the
//! opener's leaves with its first call. The next connection tells neither again.
//!
//! On a paused clock, over links whose bytes arrive a fixed time after they were written.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use package_versions_case::Stage;
use package_versions_new::ledger as new;
use package_versions_old::ledger as old;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::Instant;
use vox::transport::Link;
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
    // No more than a session may have under way.
    tokio::spawn(async move {
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

/// A link to this server, and how many bytes it has carried.
fn link(server: &Arc<Server>) -> (Link, Arc<AtomicUsize>) {
    let (ours, near) = tokio::io::duplex(64 << 10);
    let (theirs, far) = tokio::io::duplex(64 << 10);
    let ((from_client, to_client), (from_server, to_server)) = (tokio::io::split(near), tokio::io::split(far));
    let carried = Arc::new(AtomicUsize::new(0));
    tokio::spawn(carry(from_client, to_server, Arc::clone(&carried)));
    tokio::spawn(carry(from_server, to_client, Arc::clone(&carried)));
    let server = Arc::clone(server);
    tokio::spawn(async move { server.accept(Link::new(theirs, "far")).await });
    (Link::new(ours, "far"), carried)
}

fn server() -> Arc<Server> {
    let builder = Server::builder().service(old::LedgerDispatcher::new(old::Book(Stage::new(|| ()))));
    Arc::new(builder.start().expect("a server"))
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

async fn connect<C: vox::Client, F: Future<Output = ()>>(call: impl FnOnce(C) -> F) -> Paid {
    let server = server();
    let (link, carried) = link(&server);
    let began = Instant::now();
    let client = vox::connect::<C>(link).await.expect("connected");
    let (connected, began) = (trips(began), Instant::now());
    call(client).await;
    Paid { connected, called: trips(began), bytes: carried.load(Ordering::SeqCst) }
}

/// The same for a further connection of a session.
async fn open<C: vox::Client, F: Future<Output = ()>>(call: impl FnOnce(C) -> F) -> Paid {
    let server = server();
    let (link, carried) = link(&server);
    let session = Session::connect(link).await.expect("connected");
    let (began, before) = (Instant::now(), carried.load(Ordering::SeqCst));
    let client = session.open::<C>().await.expect("opened");
    let (connected, began) = (trips(began), Instant::now());
    call(client).await;
    Paid { connected, called: trips(began), bytes: carried.load(Ordering::SeqCst) - before }
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

#[tokio::test(start_paused = true)]
async fn versions_that_differ_cost_no_round_trip_and_equal_ones_no_bytes_either() {
    let (same, same_opened) = (connect(call_old).await, open(call_old).await);
    let (first, again, opened) = (connect(call_new).await, connect(call_new).await, open(call_new).await);
    for paid in [&same, &first, &again, &same_opened, &opened] {
        assert_eq!((paid.connected, paid.called), (1.0, 1.0));
    }
    for (same, again) in [(&same, &again), (&same_opened, &opened)] {
        assert!(same.bytes < 300, "{} bytes, without a contract", same.bytes);
        let more = again.bytes - same.bytes;
        assert!((32..40).contains(&more), "{more} bytes more, for the name of a contract that was told before");
    }
    assert!(first.bytes > same.bytes + 300, "{} bytes, with two contracts", first.bytes);
}
