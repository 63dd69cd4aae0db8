//! Peers that are not there, do not answer, or say goodbye; and texts that are no ids and no addresses.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use vox::transport::{Address, Link};
use vox::{Client, Limits, NotSent, OperationId, Server, VoxError};

use super::support::block_on;
use super::support::cable::Cable;
use super::support::raw::{LIMITS, Raw};
use super::{BankClient, BankDispatcher, Found, MyBank, SOON, bank, text};

pub(super) async fn provoke(found: &mut Found) {
    not_sent(found).await;
    ends(found).await;
    connecting(found).await;
    found.push(("ServeError::Stopped", stopped()));
    let outside = std::thread::spawn(without_a_runtime).join();
    found.extend(outside.expect("no panic"));
    found.push(("InvalidOperationId", text("order 17".parse::<OperationId>())));
    found.push(("AddressError", text("bank".parse::<Address>())));
}

/// The reason of a call that was not sent, by itself.
fn why<T, E: std::fmt::Debug>(result: Result<T, VoxError<E>>) -> String {
    match result {
        Err(VoxError::NotSent(why)) => text::<(), NotSent>(Err(why)),
        Err(error) => panic!("it was sent: {error:?}"),
        Ok(_) => panic!("it went well"),
    }
}

async fn not_sent(found: &mut Found) {
    let here = bank(Limits::default()).await;
    found.push(("NotSent::DeadlineExceeded", why(here.explode().timeout(Duration::ZERO).await)));
    found.push(("NotSent::TooLarge", why(here.name("x".repeat(5 << 20)).await)));
    let (tx, _rx) = vox::channel();
    tx.send(1).await.expect("it is kept");
    found.push(("NotSent::InvalidArgument", why(here.watch(super::How::Close, tx).await)));
    let lazy: BankClient = vox::connect("unix:///no/such/folder/lazy").lazy().expect("a client");
    let nowhere = why(lazy.explode().timeout(SOON).await);
    let (said, _) = nowhere.rsplit_once(", ").expect("how many attempts");
    found.push(("NotSent::NoLink", format!("{said}, ATTEMPTS")));
    let server = Server::builder().service(BankDispatcher::new(MyBank));
    let narrow =
        server.limits(Limits { max_calls: 1, ..Limits::default() }).bind("mem://errors-one").await.expect("it");
    let one: BankClient = vox::connect("mem://errors-one").no_reconnect().await.expect("a session");
    let _hanging = tokio::spawn(one.hang());
    tokio::time::sleep(SOON).await;
    found.push(("NotSent::Waited", why(one.explode().timeout(SOON).await)));
    narrow.shutdown(Duration::ZERO).await;
    one.caller().session().closed().await;
    found.push(("NotSent::Closed", why(one.explode().await)));
    found.push(("EndReason::Goodbye", why(one.explode().await)));
}

async fn ends(found: &mut Found) {
    let closed = bank(Limits::default()).await;
    closed.caller().session().close("done").await;
    found.push(("EndReason::ClosedHere", why(closed.explode().await)));
    found.push(("EndReason::Lost", lost().await));
    let soon = Limits { keepalive: SOON, idle_keepalive: SOON, keepalive_timeout: SOON, ..Limits::default() };
    found.push(("EndReason::KeepaliveTimeout", silent(soon, 0).await));
    let soon = Limits { write_stall: SOON, ..Limits::default() };
    found.push(("EndReason::WriteStalled", silent(soon, 1 << 20).await));
}

/// What a call of a session is told that gets no link within its window after the first.
async fn lost() -> String {
    let server = Server::builder().service(BankDispatcher::new(MyBank)).start().expect("a server");
    let cable = Cable::to(server);
    let bank: BankClient = vox::connect(cable.connector()).resume(SOON).await.expect("a session");
    let caller = bank.caller().clone();
    let closed = tokio::spawn(async move { caller.closed().await });
    let _server = cable.unplug();
    cable.cut();
    text::<(), vox::EndReason>(Err(closed.await.expect("no panic")))
}

/// A call after another on a session whose peer neither reads nor says anything.
async fn silent(limits: Limits, len: usize) -> String {
    let (ours, theirs) = tokio::io::duplex(16 << 10);
    let peer = tokio::spawn(async move {
        let _raw = Raw::accept(theirs, LIMITS).await;
        std::future::pending::<()>().await;
    });
    let bank: BankClient = vox::connect(Link::new(ours, "raw://peer")).limits(limits).await.expect("a session");
    let _unheard = tokio::spawn(bank.name("x".repeat(len)));
    bank.caller().session().closed().await;
    peer.abort();
    why(bank.explode().await)
}

async fn connecting(found: &mut Found) {
    let connect = async |link| vox::connect::<BankClient>(link).await;
    found.push(("ConnectError::Broken", text(connect(Link::new(Failing, "wire://broken")).await)));
    let (ours, theirs) = tokio::io::duplex(1 << 10);
    let peer = tokio::spawn(async move { Raw::new(theirs).read().await });
    found.push(("ConnectError::Handshake", text(connect(Link::new(ours, "wire://gone")).await)));
    assert!(peer.await.expect("no panic").is_some(), "it was told hello");
    let (ours, theirs) = tokio::io::duplex(1 << 10);
    drop(ours);
    let serving = Server::builder().service(BankDispatcher::new(MyBank)).serve_link(Link::new(theirs, "wire://gone"));
    found.push(("ServeError::Handshake(Handshake)", text(serving.await)));
    found.push(("ServeError::LinkPanicked", panicking().await));
    let nobody = || vox::connect::<BankClient>("mem://errors-nobody");
    let none = async || Err::<vox::Metadata, _>("the vault is sealed");
    found.push(("ConnectError::Credentials", text(nobody().credentials(none).await)));
    let panics = async || -> Result<vox::Metadata, &str> { panic!("on purpose") };
    found.push(("ConnectError::Credentials, of a closure that panics", text(nobody().credentials(panics).await)));
    found.push(("ConnectError::Metadata", text(nobody().metadata("tenant", "x".repeat(10_000)).await)));
    found.push(("ConnectError::NotLazy", text(nobody().no_reconnect().lazy())));
    let twice = nobody().serving(BankDispatcher::new(MyBank)).serving(BankDispatcher::new(MyBank));
    found.push(("ConnectError::DuplicateService", text(twice.await)));
    found.push(("ConnectError::Timeout, with what went wrong before", text(nobody().wait().timeout(SOON).await)));
}

/// What a server says of a link that panics once the handshake is over.
async fn panicking() -> String {
    let (ours, theirs) = tokio::io::duplex(1 << 10);
    let armed = Arc::new(AtomicBool::new(false));
    let link = Link::new(Panicking { io: theirs, armed: Arc::clone(&armed) }, "wire://panics");
    let serving = tokio::spawn(Server::builder().service(BankDispatcher::new(MyBank)).serve_link(link));
    let bank: BankClient = vox::connect(Link::new(ours, "wire://there")).await.expect("a session");
    armed.store(true, Ordering::SeqCst);
    assert!(bank.explode().await.is_err());
    text(serving.await.expect("no panic"))
}

/// A link that panics when it is read, once it is armed.
struct Panicking {
    io: DuplexStream,
    armed: Arc<AtomicBool>,
}

impl AsyncRead for Panicking {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        assert!(!self.armed.load(Ordering::SeqCst), "on purpose, in a link");
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Panicking {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// The runtime that accepts links ends, and the one that waits is elsewhere.
fn stopped() -> String {
    std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let mut serving = Box::pin(vox::serve("mem://errors-stopped", BankDispatcher::new(MyBank)));
        {
            let _runtime = runtime.enter();
            assert!(serving.as_mut().poll(&mut Context::from_waker(std::task::Waker::noop())).is_pending());
        }
        drop(runtime);
        text(block_on(serving))
    })
    .join()
    .expect("no panic")
}

/// What is awaited in a thread that has no runtime.
fn without_a_runtime() -> Found {
    let server = || Server::builder().service(BankDispatcher::new(MyBank));
    let mut found = Vec::new();
    for (name, target) in [
        ("ConnectError::NoRuntime", vox::Target::from("mem://errors-outside")),
        ("ConnectError::NoRuntime, TCP", "tcp://127.0.0.1:1".into()),
        ("ConnectError::NoRuntime, a link", vox::transport::memory_pair().0.into()),
        ("ConnectError::NoRuntime, a server in memory", server().into()),
    ] {
        found.push((name, text(block_on(vox::connect::<BankClient>(target).wait()))));
    }
    found.push(("ConnectError::NoRuntime, lazy", text(vox::connect::<BankClient>("mem://errors-outside").lazy())));
    let (ours, theirs) = vox::transport::memory_pair();
    let accepting = server().start().expect("it is given its links");
    found.push(("ConnectError::NoRuntime, accept", text(block_on(accepting.accept(ours)))));
    found.push(("ServeError::NoRuntime", text(block_on(server().bind("unix:///no/such/folder/outside")))));
    found.push(("ServeError::NoRuntime, a link", text(block_on(server().serve_link(theirs)))));
    found
}

/// A link that fails.
struct Failing;

fn broken<T>() -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::Error::other("on purpose")))
}

impl AsyncRead for Failing {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        broken()
    }
}

impl AsyncWrite for Failing {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        broken()
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        broken()
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        broken()
    }
}
