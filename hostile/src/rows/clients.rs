//! What a server can make its clients do again and again: the victim is a client, on a paused clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::DuplexStream;
use vox::transport::{Connector, Link};

use crate::answer::Answer;
use crate::prey::PreyClient;
use crate::raw::{self, Raw};
use crate::row::{Local, Row};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        // Once in 15 s on average, once the bound of the waits is reached.
        Row::paused("reconnect backoff (of a client)", "each link is cut at once, for {n} s", cut).case(
            "",
            3_600,
            Answer::Fine,
        ),
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
