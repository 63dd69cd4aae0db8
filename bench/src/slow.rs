//! Large messages beside small ones: over a slow line, and on one session of a fast one.
//!
//! The slow line is a proxy on the loopback with small socket buffers, which carries so many bytes in a second each way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream, tcp};
use tokio::sync::mpsc;
use vox::transport::{Connector, Link};

use crate::contender::Fault;

#[vox::service]
trait Files {
    async fn put(&self, file: Vec<u8>) -> u64;
    async fn nothing(&self);
    async fn hang(&self);
    async fn mirror(&self, numbers: vox::Rx<u64>, back: vox::Tx<u64>);
}

struct Disk(mpsc::UnboundedSender<()>);

struct Stopped(mpsc::UnboundedSender<()>);

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

impl Files for Disk {
    async fn put(&self, file: Vec<u8>) -> u64 {
        file.len() as u64
    }
    async fn nothing(&self) {}
    async fn hang(&self) {
        let _stopped = Stopped(self.0.clone());
        std::future::pending::<()>().await;
    }
    async fn mirror(&self, mut numbers: vox::Rx<u64>, back: vox::Tx<u64>) {
        while let Ok(Some(number)) = numbers.recv().await {
            if back.send(number).await.is_err() {
                return;
            }
        }
    }
}

/// Bytes in a second over the slow line, and the length of the large call.
const RATE: usize = 50_000;
const FILE: usize = 4_000_000;
/// What each socket of the proxy keeps.
const BUFFER: u32 = 4 << 10;
/// How many large calls go at once over the fast line, and how long each is.
const LARGE: usize = 16;
const LARGE_LEN: usize = 1 << 20;
/// How many small calls are timed beside them.
const SMALL: usize = 3_000;

/// Measures, and prints the figures: over both lines, or over the one that is named.
pub(crate) fn run(arguments: &[String]) -> Result<(), Fault> {
    let line = arguments.first().map(String::as_str);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match line {
            None => {
                slow_line().await?;
                fast_line().await
            }
            Some("slow") => slow_line().await,
            Some("fast") => fast_line().await,
            Some(other) => Err(format!("no line `{other}`: slow or fast").into()),
        }
    })
}

// ---- the slow line ----

async fn slow_line() -> Result<(), Fault> {
    let (stopped, mut stops) = mpsc::unbounded_channel();
    let server = vox::Server::builder().service(FilesDispatcher::new(Disk(stopped))).bind("tcp://127.0.0.1:0").await?;
    let links = Arc::new(AtomicUsize::new(0));
    let line = slow(server.address().trim_start_matches("tcp://").to_owned(), Arc::clone(&links)).await?;
    let files: FilesClient = vox::connect(line).await?;
    let (numbers, theirs) = vox::channel();
    let (back, mut answers) = vox::channel();
    let mirror = tokio::spawn(files.mirror(theirs, back).into_future());
    let hanging = tokio::spawn(files.hang().timeout(Duration::from_secs(600)).into_future());
    files.nothing().await?;

    let began = Instant::now();
    let large = tokio::spawn(files.put(vec![7; FILE]).into_future());
    tokio::time::sleep(Duration::from_secs(5)).await;
    let (mut calls, mut items) = (Vec::new(), Vec::new());
    for number in 0..10 {
        let before = Instant::now();
        files.nothing().await?;
        calls.push(before.elapsed());
        let before = Instant::now();
        numbers.send(number).await?;
        answers.recv().await?;
        items.push(before.elapsed());
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let before = Instant::now();
    hanging.abort();
    stops.recv().await.ok_or("no handler was stopped")?;
    let cancel = before.elapsed();
    let put = large.await?;
    println!("{FILE} bytes at {RATE} bytes/s, default limits: {put:?} after {:.1?}", began.elapsed());
    println!("links used: {}", links.load(Ordering::Relaxed));
    println!(
        "beside it, the slowest of ten: an empty call {:.2?}, an item there and back {:.2?}",
        most(&calls),
        most(&items)
    );
    println!("beside it: a cancel, until its handler is stopped, {cancel:.2?}");
    mirror.abort();
    Ok(())
}

fn most(times: &[Duration]) -> Duration {
    times.iter().copied().max().unwrap_or_default()
}

/// Links by way of a proxy that carries so much in a second.
async fn slow(to: String, links: Arc<AtomicUsize>) -> Result<Connector, Fault> {
    let listener = {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(BUFFER)?;
        socket.set_send_buffer_size(BUFFER)?;
        socket.bind("127.0.0.1:0".parse()?)?;
        socket.listen(8)?
    };
    let proxy = listener.local_addr()?;
    tokio::spawn(carry_all(listener, to, links));
    Ok(Connector::new("a slow line", move || async move { Link::tcp(TcpStream::connect(proxy).await?) }))
}

async fn carry_all(listener: TcpListener, to: String, links: Arc<AtomicUsize>) {
    while let Ok((near, _)) = listener.accept().await {
        links.fetch_add(1, Ordering::Relaxed);
        let Ok(far) = TcpStream::connect(&to).await else { return };
        let ((from_client, to_client), (from_server, to_server)) = (near.into_split(), far.into_split());
        tokio::spawn(carry(from_client, to_server));
        tokio::spawn(carry(from_server, to_client));
    }
}

async fn carry(mut from: tcp::OwnedReadHalf, mut to: tcp::OwnedWriteHalf) {
    let mut bytes = vec![0; RATE / 50];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        tokio::time::sleep(Duration::from_secs_f64(read as f64 / RATE as f64)).await;
        if to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}

// ---- the fast line ----

async fn fast_line() -> Result<(), Fault> {
    let (stopped, _stops) = mpsc::unbounded_channel();
    let server = vox::Server::builder().service(FilesDispatcher::new(Disk(stopped))).bind("tcp://127.0.0.1:0").await?;
    let small: FilesClient = vox::connect(server.address()).await?;
    let other: FilesClient = vox::connect(server.address()).await?;
    println!("{SMALL} empty calls, one in flight, beside {LARGE} calls of {LARGE_LEN} bytes in flight:");
    for round in 1..=3 {
        let apart = beside(&small, &other).await?;
        let together = beside(&small, &small).await?;
        let ratio = together.1.as_secs_f64() / apart.1.as_secs_f64();
        println!(
            "round {round}: on another session p50 {:.2?}, p99 {:.2?}; on the same p50 {:.2?}, p99 {:.2?}: {ratio:.2} times",
            apart.0, apart.1, together.0, together.1
        );
    }
    Ok(())
}

/// The median and the 99th percentile of small calls while large ones are made.
async fn beside(small: &FilesClient, large: &FilesClient) -> Result<(Duration, Duration), Fault> {
    let over = Arc::new(AtomicBool::new(false));
    let calls: Vec<_> = (0..LARGE)
        .map(|_| {
            let (large, over) = (large.clone(), Arc::clone(&over));
            tokio::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    if large.put(vec![7; LARGE_LEN]).await.is_err() {
                        return;
                    }
                }
            })
        })
        .collect();
    let mut times = Vec::with_capacity(SMALL);
    for _ in 0..SMALL {
        let before = Instant::now();
        small.nothing().await?;
        times.push(before.elapsed());
    }
    over.store(true, Ordering::Relaxed);
    for call in calls {
        call.await?;
    }
    times.sort_unstable();
    Ok((times[SMALL / 2], times[SMALL * 99 / 100]))
}
