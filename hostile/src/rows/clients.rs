//! What a server can make its clients do again and again: the victim is a client, on a paused clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::DuplexStream;
use vox::transport::{Connector, Link};

use crate::answer::Answer;
use crate::prey::PreyClient;
use crate::raw::{self, Raw, frame};
use crate::row::{Local, Row};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        // Once in 15 s on average, once the bound of the waits is reached.
        Row::paused("reconnect backoff (of a client)", "each link is cut at once, for {n} s", cut).case(
            "",
            3_600,
            Answer::Fine,
        ),
        Row::paused("attempts per operation (of a client)", "{n} sessions in a row are lost with a call", attempts)
            .case("under", 4, Answer::Fine)
            .case("over", 5, Answer::Failed(7)),
    ]
}

/// A connector, each of whose links goes to `serve`, with its number from 0 on.
fn connector<F>(dialled: &Arc<AtomicU64>, serve: impl Fn(u64, DuplexStream) -> F + Send + Sync + 'static) -> Connector
where
    F: Future<Output = ()> + Send + 'static,
{
    let dialled = Arc::clone(dialled);
    Connector::new("memory", move || {
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        tokio::spawn(serve(dialled.fetch_add(1, Ordering::SeqCst), theirs));
        std::future::ready(Ok(Link::new(ours, "memory")))
    })
}

/// The client has one session, and no other.
fn cut(n: u64) -> Local<'static, Answer> {
    Box::pin(async move {
        let dialled = Arc::new(AtomicU64::new(0));
        let serve = |number, link| async move {
            if number == 0 {
                drop(Raw::accept(link, raw::LIMITS).await);
            }
        };
        let _client: PreyClient = vox::connect(connector(&dialled, serve)).await.expect("a welcome");
        tokio::time::sleep(Duration::from_secs(n)).await;
        match dialled.load(Ordering::SeqCst) {
            2..=480 => Answer::Fine,
            _ => Answer::Wrong,
        }
    })
}

/// Each of the first sessions is lost once it has brought the call. No call is made more often than five times.
fn attempts(n: u64) -> Local<'static, Answer> {
    Box::pin(async move {
        let (dialled, calls) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let made = Arc::clone(&calls);
        let serve = move |_, link| {
            let made = Arc::clone(&made);
            async move {
                let mut raw = Raw::accept(link, raw::LIMITS).await;
                while let Some(read) = raw.read().await {
                    let mut fields = read.reader();
                    match read.kind {
                        raw::CALL if made.fetch_add(1, Ordering::SeqCst) < n => return,
                        raw::CALL => {
                            let reply = frame(raw::REPLY).var(fields.var()).var(fields.var()).u8(0).var(7);
                            raw.try_write(&reply.wire()).await;
                        }
                        // The client hears of the loss before its call does, and asks for no service in the next handshake.
                        raw::OPEN => drop(raw.try_write(&frame(raw::ACCEPT).var(fields.var()).u8(0).wire()).await),
                        raw::PING => drop(raw.try_write(&frame(raw::PONG).var(fields.var()).wire()).await),
                        _ => {}
                    }
                }
            }
        };
        let client: PreyClient = vox::connect(connector(&dialled, serve)).await.expect("a welcome");
        let answer = client.look(7).await;
        match (answer, calls.load(Ordering::SeqCst)) {
            (Ok(7), calls) if calls == n + 1 => Answer::Fine,
            (Err(vox::VoxError::Indeterminate { .. }), 5) => Answer::Failed(7),
            _ => Answer::Wrong,
        }
    })
}
