//! One of a thousand.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::kinds::{Kind, Manner, held};
use crate::raw::{self, REPLY};
use crate::victim::Victim;

/// What the clients do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// They say what they have to say.
    Sends,
    /// They hold what they have, and try for more.
    Stays,
    Ends,
}

/// How they ended.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// How many have said all, or as much as was taken.
    pub(super) said: AtomicUsize,
    /// Calls that were answered `Busy`.
    pub(super) busy: AtomicU64,
    /// Sessions that the server ended.
    pub(super) ended: AtomicU64,
}

/// How long a server may take nothing before a client says no more: longer than it is ever read no further.
const STALLED: Duration = Duration::from_secs(7);

/// As many share an address: less than may be in their handshake.
const NEIGHBOURS: usize = 125;

/// The first call that a client makes later, beside those of its kind.
const LATER: u64 = 100;

/// Makes a link, and a session where there is to be one.
pub(super) async fn greet(victim: &Victim, kind: &Kind, n: usize) -> Result<TcpStream, String> {
    let address = Ipv4Addr::new(127, 0, 0, 2 + (n / NEIGHBOURS) as u8);
    let mut stream = victim.stream_from(address).await;
    if kind.manner == Manner::Stays {
        return Ok(stream);
    }
    let welcomed = async {
        stream.write_all(&(kind.hello)().wire()).await.ok()?;
        (read(&mut stream).await?.first() == Some(&raw::WELCOME)).then_some(())
    };
    match timeout(STALLED, welcomed).await {
        Ok(Some(())) => Ok(stream),
        _ => Err(format!("client {n} has no session")),
    }
}

/// The next frame.
async fn read(from: &mut (impl AsyncRead + Unpin)) -> Option<Vec<u8>> {
    let mut frame = vec![0; from.read_u32_le().await.ok()? as usize];
    from.read_exact(&mut frame).await.ok()?;
    Some(frame)
}

/// Says all, and holds on to what it has until the end.
pub(super) async fn hold(stream: TcpStream, kind: Arc<Kind>, tally: Arc<Tally>, mut phase: watch::Receiver<Phase>) {
    let (mut from, mut to) = stream.into_split();
    let hears = async {
        if kind.manner == Manner::NeverReads {
            std::future::pending::<()>().await;
        }
        while let Some(frame) = read(&mut from).await {
            hear(&frame, &tally);
        }
        tally.ended.fetch_add(1, Ordering::SeqCst);
        std::future::pending::<()>().await;
    };
    let lives = async {
        let mut n = 0;
        while let Some(piece) = (kind.piece)(n) {
            if !write(&mut to, &piece).await {
                break;
            }
            if n == 0 {
                // The connections that it asked for are there before their calls.
                sleep(Duration::from_millis(100)).await;
            }
            n += 1;
        }
        if kind.manner == Manner::Leaves {
            // What it asked for comes first.
            sleep(Duration::from_secs(2)).await;
        }
        tally.said.fetch_add(1, Ordering::SeqCst);
        match kind.manner {
            Manner::Leaves => {}
            Manner::Quiet | Manner::NeverReads | Manner::Stays => std::future::pending().await,
            Manner::Reads => tries(&mut to).await,
        }
    };
    let ends = async {
        let _ = phase.wait_for(|phase| *phase == Phase::Ends).await;
    };
    tokio::select! {
        () = lives => {}
        () = hears => {}
        () = ends => {}
    }
}

/// Makes another call, now and then.
async fn tries(to: &mut (impl AsyncWrite + Unpin)) {
    for n in LATER.. {
        sleep(Duration::from_secs(1)).await;
        if !write(to, &held(n, 16 << 10).wire()).await {
            break;
        }
    }
    std::future::pending().await
}

fn hear(frame: &[u8], tally: &Tally) {
    let read = raw::Read { kind: frame[0], body: frame[1..].to_vec() };
    let mut fields = read.reader();
    if read.kind == REPLY {
        fields.var();
        fields.var();
        if fields.0.starts_with(&[1, BUSY]) {
            tally.busy.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// The error `Busy`, by its number in the protocol.
const BUSY: u8 = 3;

/// Writes all, while some of it is taken. Whether it was.
async fn write(to: &mut (impl AsyncWrite + Unpin), mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        match timeout(STALLED, to.write(bytes)).await {
            Ok(Ok(taken @ 1..)) => bytes = &bytes[taken..],
            _ => return false,
        }
    }
    true
}
