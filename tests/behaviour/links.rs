//! Links of every kind, and what peers do to them before there is a session.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use vox::transport::Link;
use vox::{ConnectError, EndReason, Limits, Server};

use crate::lab::{Bench, LabClient, LabDispatcher, serve};
use crate::support::raw::{self, Raw};
use crate::support::settle;

async fn bind(address: &str) -> Server {
    Server::builder().service(LabDispatcher::new(Bench::default())).bind(address).await.expect("it is free")
}

async fn works(server: &Server) {
    let lab: LabClient = vox::connect(server.address()).await.expect("a session");
    assert_eq!(lab.echo(5).await, Ok(5));
    let (tx, rx) = vox::channel();
    let call = tokio::spawn(lab.sum(rx).into_future());
    for n in 0..1_000 {
        tx.send(n).await.expect("the handler reads");
    }
    tx.close();
    assert_eq!(call.await.expect("no panic"), Ok(499_500));
    let bytes = vec![1; 3 << 20];
    assert_eq!(lab.size(&bytes).await, Ok(3 << 20));
}

#[tokio::test]
async fn calls_cross_tcp() {
    works(&bind("tcp://127.0.0.1:0").await).await;
}

#[tokio::test]
async fn calls_cross_tcp_over_ipv6() {
    if let Err(error) = std::net::TcpListener::bind("[::1]:0") {
        return eprintln!("skipped: this machine has no ::1: {error}");
    }
    let server = bind("tcp://[::1]:0").await;
    assert!(server.address().starts_with("tcp://[::1]:"), "{}", server.address());
    works(&server).await;
}

#[tokio::test]
async fn calls_cross_memory() {
    works(&bind("mem://links").await).await;
}

#[cfg(unix)]
fn socket(name: &str) -> (std::path::PathBuf, String) {
    let path = std::env::temp_dir().join(format!("vox-{}-{name}.sock", std::process::id()));
    let address = format!("unix://{}", path.display());
    (path, address)
}

#[cfg(unix)]
#[tokio::test]
async fn calls_cross_a_unix_socket_whose_file_goes_with_its_server() {
    let (path, address) = socket("calls");
    let server = bind(&address).await;
    works(&server).await;
    assert!(path.exists());
    server.shutdown(Duration::ZERO).await;
    assert!(!path.exists());
}

#[cfg(unix)]
#[tokio::test]
async fn a_stale_socket_file_is_replaced_and_a_live_one_is_not() {
    let (path, address) = socket("stale");
    // What a process leaves behind that was killed.
    drop(std::os::unix::net::UnixListener::bind(&path).expect("the path is free"));
    assert!(path.exists());
    let server = bind(&address).await;
    works(&server).await;
    let second = Server::builder().service(LabDispatcher::new(Bench::default())).bind(address.as_str()).await;
    assert!(matches!(second, Err(vox::ServeError::Listen { .. })), "{second:?}");
    works(&server).await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_is_no_socket_is_left_alone() {
    let (path, address) = socket("file");
    std::fs::write(&path, "mine").expect("a file");
    let server = Server::builder().service(LabDispatcher::new(Bench::default())).bind(address.as_str()).await;
    assert!(matches!(server, Err(vox::ServeError::Listen { .. })));
    assert_eq!(std::fs::read_to_string(&path).expect("still there"), "mine");
    std::fs::remove_file(&path).expect("still there");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_times_out() {
    let (ours, _theirs) = vox::transport::memory_pair();
    let limits = Limits { handshake_timeout: Duration::from_secs(3), ..Limits::default() };
    let before = tokio::time::Instant::now();
    let error = vox::connect::<LabClient>(ours).limits(limits).await.expect_err("silence");
    assert!(matches!(error, ConnectError::Timeout { .. }), "{error:?}");
    assert_eq!(before.elapsed().as_secs(), 3);
}

#[tokio::test(start_paused = true)]
async fn connecting_as_a_whole_has_a_timeout_too() {
    let (ours, _theirs) = vox::transport::memory_pair();
    let error = vox::connect::<LabClient>(ours).timeout(Duration::from_secs(1)).await.expect_err("silence");
    assert!(matches!(error, ConnectError::Timeout { .. }), "{error:?}");
}

/// Idle clients and those that speak another language hold up nobody, and are closed.
// proves: handshake.time, handshake.wrong
#[tokio::test(start_paused = true)]
async fn pitfall_24_a_client_that_says_nothing_or_nonsense_blocks_nobody() {
    let (silent, theirs) = tokio::io::duplex(1024);
    let idle = serve(Link::new(theirs, "silent"), Bench::default(), Limits::default());
    let (mut garbage, theirs) = tokio::io::duplex(1024);
    let nonsense = serve(Link::new(theirs, "garbage"), Bench::default(), Limits::default());
    garbage.write_all(b"GET / HTTP/1.1\r\n\r\n").await.expect("taken");
    let ended = nonsense.await.expect("no panic");
    assert!(matches!(ended, Err(vox::ServeError::Handshake(ConnectError::Handshake { .. }))), "{ended:?}");
    let mut rest = Vec::new();
    garbage.read_to_end(&mut rest).await.expect("closed");
    assert_eq!(rest, b"", "nothing is said to who speaks no vox");
    let ended = idle.await.expect("no panic");
    assert!(matches!(ended, Err(vox::ServeError::Handshake(ConnectError::Timeout { .. }))), "{ended:?}");
    drop(silent);
}

#[tokio::test]
async fn pitfall_24_the_accept_loop_survives_bad_clients() {
    let server = bind("tcp://127.0.0.1:0").await;
    let address = server.address().replace("tcp://", "");
    let mut kept = Vec::new();
    for n in 0..50u8 {
        let mut bad = tokio::net::TcpStream::connect(&address).await.expect("accepted");
        match n % 5 {
            0 => drop(bad),
            1 => kept.push(bad),
            2 => {
                let _ = bad.write_all(&[0xff; 64]).await;
                kept.push(bad);
            }
            3 => {
                // Half a hello, then a reset.
                let _ = bad.write_all(&raw::hello(None, raw::LIMITS).wire()[..9]).await;
                let _ = bad.set_zero_linger();
            }
            _ => {
                let _ = bad.write_all(&0u32.to_le_bytes()).await;
                kept.push(bad);
            }
        }
    }
    works(&server).await;
}

// proves: handshake.version
#[tokio::test(start_paused = true)]
async fn a_peer_of_another_version_is_rejected_with_a_reason() {
    let (ours, theirs) = tokio::io::duplex(4096);
    let server = serve(Link::new(theirs, "old"), Bench::default(), Limits::default());
    let mut peer = Raw::new(ours);
    let mut hello = raw::frame(raw::HELLO).bytes(raw::MAGIC).var(7).var(9).var(0);
    for limit in raw::LIMITS {
        hello = hello.var(limit);
    }
    peer.send(&hello.var(raw::TIME).var(0).u8(0)).await;
    let answer = peer.read().await.expect("an answer");
    assert_eq!((answer.kind, answer.body[4]), (raw::REJECTED, 255));
    assert_eq!(peer.read().await, None);
    assert!(matches!(server.await.expect("no panic"), Err(vox::ServeError::Handshake(ConnectError::Refused { .. }))));
}

/// Frames that come in one byte at a time are the same frames.
#[tokio::test(start_paused = true)]
async fn pitfall_20_a_stream_in_single_bytes_is_read_like_any_other() {
    let (ours, theirs) = tokio::io::duplex(1);
    serve(Link::new(theirs, "slow"), Bench::default(), Limits::default());
    let lab: LabClient = vox::connect(Link::new(ours, "slow")).await.expect("a session");
    for n in 0..50 {
        assert_eq!(lab.echo(n).await, Ok(n));
    }
    assert_eq!(lab.name(&"x".repeat(2000)).await.map(|name| name.len()), Ok(2000));
}

/// Probes fire in the middle of frames that take long to arrive, and desynchronise nothing.
#[tokio::test(start_paused = true)]
async fn pitfall_20_probes_in_the_middle_of_large_frames_do_no_harm() {
    let limits = Limits {
        keepalive: Duration::from_millis(20),
        keepalive_timeout: Duration::from_secs(20),
        call_timeout: Duration::from_secs(3600),
        ..Limits::default()
    };
    let (near, mut a) = tokio::io::duplex(64);
    let (far, b) = tokio::io::duplex(64);
    serve(Link::new(far, "slow"), Bench::default(), limits.clone());
    // A link that passes 50 bytes every 10 ms.
    let (mut b_read, mut b_write) = tokio::io::split(b);
    tokio::spawn(async move {
        let (mut up, mut down) = ([0; 50], [0; 50]);
        loop {
            tokio::select! {
                n = a.read(&mut up) => match n {
                    Ok(n) if n > 0 => b_write.write_all(&up[..n]).await.expect("up"),
                    _ => return,
                },
                n = b_read.read(&mut down) => match n {
                    Ok(n) if n > 0 => a.write_all(&down[..n]).await.expect("up"),
                    _ => return,
                },
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    let lab: LabClient = vox::connect(Link::new(near, "slow")).limits(limits).await.expect("a session");
    let long = "y".repeat(5_000);
    for _ in 0..3 {
        assert_eq!(lab.name(&long).await.as_deref(), Ok(long.as_str()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_answers_no_probe_is_given_up() {
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let accept = tokio::spawn(Raw::accept(theirs, raw::LIMITS));
    let lab: LabClient = vox::connect(Link::new(ours, "raw")).await.expect("welcome");
    let mut peer = accept.await.expect("no panic");
    let (_tx, rx) = vox::channel::<u64>();
    let call = tokio::spawn(lab.sum(rx).into_future());
    peer.read_kind(raw::PING).await;
    assert_eq!(vox::Client::caller(&lab).closed().await, EndReason::KeepaliveTimeout);
    assert_eq!(call.await.expect("no panic"), Err(vox::VoxError::Indeterminate));
}

/// The session ends, at once and not after a busy second, and the link with it, though the client is still held.
// proves: write.stall
#[tokio::test(start_paused = true)]
async fn a_peer_that_stops_reading_is_given_up_and_its_link_closed() {
    let (ours, theirs) = tokio::io::duplex(256);
    let accept = tokio::spawn(Raw::accept(theirs, raw::LIMITS));
    let lab: LabClient = vox::connect(Link::new(ours, "raw")).await.expect("welcome");
    let mut peer = accept.await.expect("no panic");
    let bytes = vec![0; 10_000];
    let call = tokio::spawn(lab.size(&bytes).timeout(Duration::from_secs(3600)).into_future());
    let before = tokio::time::Instant::now();
    assert_eq!(vox::Client::caller(&lab).closed().await, EndReason::WriteStalled);
    assert_eq!(before.elapsed().as_secs(), 30);
    assert_eq!(call.await.expect("no panic"), Err(vox::VoxError::Indeterminate));
    // Time passes only where nobody is busy.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut rest = Vec::new();
    peer.io.read_to_end(&mut rest).await.expect("the link ends");
    assert!(rest.len() <= 256, "{}", rest.len());
    drop(lab);
}

/// Also where it is a handler's reply that it does not read, written by the handler's own task.
#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_a_reply_is_given_up() {
    let (ours, theirs) = tokio::io::duplex(256);
    let bench = Bench::default();
    let probe = bench.probe.clone();
    let server = serve(Link::new(theirs, "raw"), bench, Limits::default());
    let mut peer = Raw::initiate(ours, Some("Lab")).await;
    peer.send(&raw::call(1, 1, "Lab.gate", &[1])).await;
    settle().await;
    // Fill the link with pongs, then let the handler answer.
    for n in 0..100 {
        peer.send(&raw::frame(raw::PING).var(n)).await;
    }
    probe.gate.add_permits(1);
    let before = tokio::time::Instant::now();
    server.await.expect("no panic").expect("an end");
    assert_eq!(before.elapsed().as_secs(), 30);
}

/// A link whose flush takes its time, as those do that encrypt.
struct Lazy {
    inner: DuplexStream,
    flushed: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl AsyncRead for Lazy {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl AsyncWrite for Lazy {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        self.flushed = Some(Box::pin(tokio::time::sleep(Duration::from_millis(5))));
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match &mut self.flushed {
            Some(sleep) => {
                std::task::ready!(sleep.as_mut().poll(cx));
                self.flushed = None;
                Poll::Ready(Ok(()))
            }
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[tokio::test(start_paused = true)]
async fn a_flush_that_took_its_time_is_no_stall_later() {
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    serve(Link::new(theirs, "lazy"), Bench::default(), Limits::default());
    let lazy = Lazy { inner: ours, flushed: None };
    let lab: LabClient = vox::connect(Link::new(lazy, "lazy")).await.expect("a session");
    assert_eq!(lab.echo(1).await, Ok(1));
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(lab.echo(2).await, Ok(2));
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(lab.echo(3).await, Ok(3));
}

/// Both ends send more than the link holds, and neither reads first: reading never waits for writing.
#[tokio::test(start_paused = true)]
async fn pitfall_17_two_busy_peers_do_not_wait_for_each_other() {
    let (ours, theirs) = tokio::io::duplex(512);
    tokio::spawn(vox::serve(Link::new(theirs, "narrow"), LabDispatcher::new(Bench::default())));
    let lab: LabClient = vox::connect(Link::new(ours, "narrow")).await.expect("a session");
    let text = "z".repeat(20_000);
    let calls: Vec<_> = (0..100).map(|_| tokio::spawn(lab.name(&text).into_future())).collect();
    for call in calls {
        assert_eq!(call.await.expect("no panic").as_deref(), Ok(text.as_str()));
    }
}

/// A channel that floods the link one way keeps no call, reply or end waiting.
#[tokio::test(start_paused = true)]
async fn pitfall_18_inbound_load_starves_nothing() {
    let (ours, theirs) = vox::transport::memory_pair();
    let bench = Bench::default();
    serve(theirs, bench, Limits::default());
    let lab: LabClient = vox::connect(ours).await.expect("a session");
    let mut floods = Vec::new();
    for _ in 0..2 {
        let (tx, mut rx) = vox::channel();
        floods.push(tokio::spawn(lab.count(u64::MAX, tx).into_future()));
        tokio::spawn(async move { while let Ok(Some(_)) = rx.recv().await {} });
    }
    for n in 0..50 {
        assert_eq!(lab.echo(n).await, Ok(n));
    }
    let late = lab.hang().timeout(Duration::from_millis(1)).into_future();
    // The clock stands still while there is work, so only an end of the floods lets it pass: they end by a cancel.
    for flood in floods {
        flood.abort();
    }
    assert!(late.await.is_err());
}
