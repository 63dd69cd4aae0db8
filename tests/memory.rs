//! How much of the heap idle sessions and pending calls hold, both ends together.
//!
//! What this thread asked for and has not given back, on which everything runs. `docs/performance.md` says where it is; resident memory, which
//! is more, is measured by the benchmarks.

#![allow(unreachable_pub, reason = "modules of a test share what they have in common")]

mod support;

use std::pin::Pin;
use std::task::Poll;

use support::heap;

#[global_allocator]
static ALLOCATOR: heap::Counting = heap::Counting;

#[vox::service]
trait Meter {
    async fn echo(&self, number: u64) -> u64;
    async fn hold(&self) -> u64;
    async fn long(&self, bytes: Vec<u8>) -> Vec<u8>;
}

struct Bench;

impl Meter for Bench {
    async fn echo(&self, number: u64) -> u64 {
        number
    }

    async fn hold(&self) -> u64 {
        std::future::pending().await
    }

    async fn long(&self, bytes: Vec<u8>) -> Vec<u8> {
        bytes
    }
}

/// How much more each of `count` holds that `more` adds. The least of three: buffers that are in use just then are some KiB in all.
fn check<T>(most: f64, count: usize, more: impl AsyncFn(&str, usize) -> Vec<T>) {
    let each = (0..3).map(|_| measure(count, &more)).fold(f64::INFINITY, f64::min);
    println!("{each:.0} bytes each");
    assert!(each <= most, "{each} bytes each, over the bound of {most}");
}

fn measure<T>(count: usize, more: impl AsyncFn(&str, usize) -> Vec<T>) -> f64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let server = vox::Server::builder().service(MeterDispatcher::new(Bench));
        let server = server.bind("tcp://127.0.0.1:0").await.expect("a server");
        // What is made once is made by the first few.
        let first = more(&server.address(), 10).await;
        let before = heap::live();
        let then = more(&server.address(), count).await;
        let each = (heap::live() - before) as f64 / count as f64;
        drop((first, then));
        each
    })
}

async fn connect(address: &str) -> MeterClient {
    let client: MeterClient = vox::connect(address).await.expect("a client");
    assert_eq!(client.echo(7).await, Ok(7));
    client
}

/// Sessions that have made a call each.
async fn idle(address: &str, count: usize) -> Vec<MeterClient> {
    let mut clients = Vec::with_capacity(count);
    for _ in 0..count {
        clients.push(connect(address).await);
    }
    clients
}

/// Calls that nobody answers, a hundred in a session: what the session holds is counted with them.
async fn pending(address: &str, count: usize) -> Vec<(MeterClient, Vec<Hold>)> {
    let mut sessions = Vec::with_capacity(count.div_ceil(100));
    let mut left = count;
    while left > 0 {
        let client = connect(address).await;
        let mut calls = Vec::with_capacity(100);
        for _ in 0..left.min(100) {
            let mut call = client.hold();
            assert!(poll_once(&mut call).await.is_none());
            calls.push(call);
        }
        left -= calls.len();
        // A call after them is answered when they are all in hand.
        assert_eq!(client.echo(8).await, Ok(8));
        sessions.push((client, calls));
    }
    sessions
}

type Hold = vox::Call<u64, vox::Never>;

/// What a future gives at its first poll.
async fn poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|cx| match Pin::new(&mut *future).poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

#[test]
fn an_idle_session_holds_little() {
    // The task that keeps the peer reached is a part of it.
    check(13_135.0, 200, idle);
}

#[test]
fn a_pending_call_holds_little() {
    check(1_600.0, 10_000, pending);
}

/// Sessions that have made a long call each, and a short one after it: the peer has said that it has the reply.
async fn sated(address: &str, count: usize) -> Vec<MeterClient> {
    let mut clients = Vec::with_capacity(count);
    for _ in 0..count {
        let client = connect(address).await;
        assert_eq!(client.long(vec![7; 1 << 20]).await.map(|bytes| bytes.len()), Ok(1 << 20));
        assert_eq!(client.echo(7).await, Ok(7));
        clients.push(client);
    }
    clients
}

/// What long frames are read into is the process's, not the session's: it is given back.
#[test]
fn a_session_that_was_sent_much_holds_little_of_it() {
    check(21_500.0, 50, sated);
}
