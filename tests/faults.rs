//! Faults of the user's code, on both ends, by kind: each costs its attempt, its line or its call, and nothing that others need.

#![allow(unreachable_pub, reason = "modules of a test share what they have in common")]

mod support;

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use support::raw::{self, Raw, call};
use support::settle;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use vox::store::{MemoryStore, StoreLimits};
use vox::transport::{Connector, Link};
use vox::{OperationId, Server};

/// Panics as a fault does, without a sound: no hook is asked.
fn fault() -> ! {
    std::panic::resume_unwind(Box::new("on purpose"))
}

/// Panics when a bad one is dropped.
#[derive(Debug, Clone, PartialEq, facet::Facet)]
pub struct Heavy {
    bad: bool,
    broken: Option<bool>,
}

impl Drop for Heavy {
    fn drop(&mut self) {
        if self.bad && !std::thread::panicking() {
            fault();
        }
    }
}

#[vox::service]
trait Works {
    async fn echo(&self, n: u64) -> u64;
    async fn carry(&self, things: Vec<Heavy>) -> u64;
    async fn bring(&self, bad: bool) -> Heavy;
    #[vox(persist)]
    async fn keep(&self, n: u64) -> u64;
}

/// Panics when the last one is dropped, if it is to.
#[derive(Clone, Default)]
struct Workshop(Arc<Tools>);

#[derive(Default)]
struct Tools {
    explode: AtomicBool,
}

impl Drop for Tools {
    fn drop(&mut self) {
        if self.explode.load(SeqCst) {
            fault();
        }
    }
}

impl Works for Workshop {
    async fn echo(&self, n: u64) -> u64 {
        n
    }
    async fn carry(&self, things: Vec<Heavy>) -> u64 {
        let len = things.len() as u64;
        things.into_iter().for_each(std::mem::forget);
        len
    }
    async fn bring(&self, bad: bool) -> Heavy {
        Heavy { bad, broken: None }
    }
    async fn keep(&self, n: u64) -> u64 {
        n
    }
}

fn server_of(set_up: impl FnOnce(vox::ServerBuilder) -> vox::ServerBuilder) -> Arc<Server> {
    let builder = Server::builder().service(WorksDispatcher::new(Workshop::default()));
    Arc::new(set_up(builder).start().expect("a server"))
}

async fn client_of(server: &Server) -> WorksClient {
    let (ours, theirs) = vox::transport::memory_pair();
    let (accepted, client) = tokio::join!(server.accept(theirs), vox::connect(ours));
    accepted.expect("a session");
    client.expect("a session")
}

async fn works(client: &WorksClient) {
    assert_eq!(client.echo(7).await, Ok(7));
}

// ---- values ----

/// Of three of which the last cannot be read, the first panics when it is dropped.
#[tokio::test(start_paused = true)]
async fn what_was_read_of_arguments_may_panic_when_it_is_dropped() {
    let server = server_of(|builder| builder);
    let other = client_of(&server).await;
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let accepting = server.accept(Link::new(theirs, "raw"));
    let (accepted, mut raw) = tokio::join!(accepting, Raw::initiate(ours, Some("Works")));
    accepted.expect("a session");
    for n in 0..50 {
        raw.send(&call(1, 2 * n + 1, "Works.carry", &[3, 1, 0, 0, 0, 9])).await;
        // An error as a value, and it is that of its call.
        assert_eq!(raw.read_kind(raw::REPLY).await.body[2 + usize::from(2 * n + 1 >= 128)], 1);
    }
    raw.send(&call(1, 201, "Works.echo", &[7])).await;
    raw.read_kind(raw::REPLY).await;
    works(&other).await;
}

/// It has been sent by then, so it is its handler's own affair.
#[tokio::test(start_paused = true)]
async fn a_response_may_panic_when_it_is_dropped() {
    let server = server_of(|builder| builder);
    let client = client_of(&server).await;
    for _ in 0..50 {
        std::mem::forget(client.bring(true).await.expect("it was sent"));
    }
    works(&client).await;
}

// ---- what is given to the runtime, and dropped by it ----

/// A link that panics when it is dropped.
struct Fragile(DuplexStream, Arc<AtomicUsize>);

impl Drop for Fragile {
    fn drop(&mut self) {
        self.1.fetch_add(1, SeqCst);
        if !std::thread::panicking() {
            fault();
        }
    }
}

impl AsyncRead for Fragile {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Fragile {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// Links of both ends panic when they are dropped: when one is lost, the session goes on over the next.
#[tokio::test(start_paused = true)]
async fn a_link_may_panic_when_it_is_dropped() {
    let server = server_of(|builder| builder);
    let (dropped, cuts) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
    let connector = {
        let (server, dropped, cuts) = (Arc::clone(&server), Arc::clone(&dropped), Arc::clone(&cuts));
        Connector::new("fragile", move || {
            let (ours, near) = tokio::io::duplex(1 << 16);
            let (far, theirs) = tokio::io::duplex(1 << 16);
            let copying = tokio::spawn(async move {
                let (mut near, mut far) = (near, far);
                let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
            });
            cuts.lock().expect("no panic").push(copying.abort_handle());
            let (server, their_drops) = (Arc::clone(&server), Arc::clone(&dropped));
            tokio::spawn(async move { server.accept(Link::new(Fragile(theirs, their_drops), "fragile")).await });
            let link = Link::new(Fragile(ours, Arc::clone(&dropped)), "fragile");
            async move { Ok(link) }
        })
    };
    let client: WorksClient = vox::connect(connector).await.expect("a session");
    for round in 1..=3 {
        works(&client).await;
        cuts.lock().expect("no panic").drain(..).for_each(|cut| cut.abort());
        settle().await;
        works(&client).await;
        assert_eq!(server.sessions(), 1, "it was resumed");
        assert!(dropped.load(SeqCst) >= 2 * round, "both ends have dropped theirs");
    }
    let other = client_of(&server).await;
    works(&other).await;
}

/// The last one who has the service is a session's task.
#[tokio::test(start_paused = true)]
async fn a_service_may_panic_when_it_is_dropped() {
    let (workshop, other) = (Workshop::default(), server_of(|builder| builder));
    workshop.0.explode.store(true, SeqCst);
    let server = Server::builder().service(WorksDispatcher::new(workshop)).start().expect("a server");
    let (client, beside) = (client_of(&server).await, client_of(&other).await);
    works(&client).await;
    let ended = tokio::spawn(async move {
        drop(server);
    });
    let _ = ended.await;
    let reason = tokio::time::timeout(Duration::from_secs(60), vox::Client::caller(&client).closed()).await;
    assert!(reason.is_ok(), "the client is told");
    works(&beside).await;
}

// ---- stores and their clocks ----

#[tokio::test(start_paused = true)]
async fn a_clock_of_the_store_that_panics_costs_what_asked_for_the_time() {
    let bad = Arc::new(AtomicBool::new(false));
    let clock = {
        let bad = Arc::clone(&bad);
        move || if bad.load(SeqCst) { fault() } else { SystemTime::now() }
    };
    let store = MemoryStore::with_clock(StoreLimits::default(), clock).expect("limits");
    let server = server_of(|builder| builder.store(Arc::new(store)));
    let (client, other) = (client_of(&server).await, client_of(&server).await);
    assert_eq!(client.keep(1).operation(OperationId::new()).await, Ok(1));
    bad.store(true, SeqCst);
    let failed = client.keep(2).operation(OperationId::new()).await;
    assert!(failed.is_err(), "{failed:?}");
    // A handshake needs the time as well.
    let (ours, theirs) = vox::transport::memory_pair();
    let accepting = Arc::clone(&server);
    let accepted = tokio::spawn(async move { accepting.accept(theirs).await });
    let connected = tokio::time::timeout(Duration::from_secs(60), vox::connect::<WorksClient>(ours)).await;
    assert!(!matches!(connected, Ok(Ok(_))));
    let _ = accepted.await;
    bad.store(false, SeqCst);
    works(&other).await;
    works(&client).await;
    assert_eq!(client.keep(3).operation(OperationId::new()).await, Ok(3));
    works(&client_of(&server).await).await;
}
