//! Limits that are times. They run on a paused clock.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::sleep;
use vox::Server;
use vox::transport::{Connector, Link};

use super::messages::varint;
use crate::answer::{Answer, hear};
use crate::peers::{Ticket, greet, resume, send};
use crate::prey::{Deer, PreyClient, PreyDispatcher};
use crate::raw::{self, Raw, call, call_with, frame};
use crate::row::{Local, Row};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row::paused("handshake_timeout", "half a hello, the rest {n} ms later", handshake)
            .case("under", 9_999, Answer::Fine)
            .case("over", 10_001, Answer::Closed),
        Row::paused("write_stall", "a call for items without end, nothing read for {n} ms", stall)
            .case("under", 29_990, Answer::Fine)
            .case("over", 30_010, Answer::Closed),
        Row::paused("keepalive + keepalive_timeout", "a call, then nothing for {n} ms", silence)
            .case("under", 49_990, Answer::Fine)
            .case("over", 50_010, Answer::Closed),
        Row::paused("idle_keepalive + keepalive_timeout", "nothing for {n} ms", idle)
            .case("under", 1_819_990, Answer::Fine)
            .case("over", 1_820_010, Answer::Closed),
        Row::paused("resume_window", "a session whose link is lost is resumed {n} ms later", window)
            .case("under", 119_990, Answer::Fine)
            .case("over", 120_010, Answer::Rejected(5)),
        Row::paused("call_timeout (of a client)", "no reply for {n} ms", unanswered)
            .case("under", 29_990, Answer::Waits)
            .case("over", 30_010, Answer::Failed(5)),
        Row::paused("link_wait (of a client)", "no session for {n} ms, for a call without a deadline", lonely)
            .case("under", 599_990, Answer::Waits)
            .case("over", 600_010, Answer::NotSent),
        Row::paused("outbox_bytes", "a call for {n} items, credit for all, none read", unread)
            .case("under", 20_000, Answer::Fine)
            .case("over", 200_000, Answer::Waits)
            .memory(1 << 20),
    ]
}

/// A server on links of memory, and the peer's end of one.
pub(super) fn den(capacity: usize) -> (Arc<Server>, Raw) {
    let server = Arc::new(Server::builder().service(PreyDispatcher::new(Deer::default())).start().expect("a server"));
    let raw = link(&server, capacity);
    (server, raw)
}

pub(super) fn link(server: &Arc<Server>, capacity: usize) -> Raw {
    let (ours, theirs) = tokio::io::duplex(capacity);
    let server = Arc::clone(server);
    tokio::spawn(async move { server.accept(Link::new(theirs, "memory")).await });
    Raw::new(ours)
}

pub(super) async fn joined(capacity: usize) -> Result<(Arc<Server>, Raw), Answer> {
    let (server, mut raw) = den(capacity);
    greet(&mut raw, &raw::hello(Some("Prey"), raw::LIMITS)).await?;
    Ok((server, raw))
}

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn handshake(n: u64) -> Local<'static, Answer> {
    Box::pin(async move {
        let (_server, mut raw) = den(64 << 10);
        let hello = raw::hello(Some("Prey"), raw::LIMITS).wire();
        raw.try_write(&hello[..20]).await;
        sleep(millis(n)).await;
        raw.try_write(&hello[20..]).await;
        match raw.read().await {
            Some(read) if read.kind == raw::WELCOME => Answer::Fine,
            Some(_) => Answer::Rejected(0),
            None => Answer::Closed,
        }
    })
}

fn stall(n: u64) -> Local<'static, Answer> {
    Box::pin(async move {
        let Ok((_server, mut raw)) = joined(256).await else { return Answer::Closed };
        let pour = call_with(1, 1, "Prey.pour", &[(1, 1)], &[0xff, 0xff, 0xff, 0x7f, 0]);
        raw.try_write(&pour.wire()).await;
        sleep(millis(n)).await;
        send(&mut raw, [frame(raw::RESET).var(1).var(1).u8(0).var(0)], 1).await
    })
}

fn silence(n: u64) -> Local<'static, Answer> {
    Box::pin(async move {
        let Ok((_server, mut raw)) = joined(64 << 10).await else { return Answer::Closed };
        raw.try_write(&call(1, 1, "Prey.wait", &[]).wire()).await;
        sleep(millis(n)).await;
        send(&mut raw, [], 0).await
    })
}

fn idle(n: u64) -> Local<'static, Answer> {
    Box::pin(async move {
        let Ok((_server, mut raw)) = joined(64 << 10).await else { return Answer::Closed };
        sleep(millis(n)).await;
        send(&mut raw, [], 0).await
    })
}

fn window(n: u64) -> Local<'static, Answer> {
    Box::pin(async move {
        let (server, mut raw) = den(64 << 10);
        let welcome = match greet(&mut raw, &raw::resumable_hello("Prey", raw::LIMITS)).await {
            Ok(welcome) => welcome,
            Err(answer) => return answer,
        };
        drop(raw);
        sleep(millis(n)).await;
        resume(link(&server, 64 << 10), &Ticket::of(&welcome)).await
    })
}

fn unanswered(n: u64) -> Local<'static, Answer> {
    Box::pin(async move {
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        let accept = tokio::spawn(async move { Raw::accept(theirs, raw::LIMITS).await });
        let client: PreyClient = vox::connect(Link::new(ours, "memory")).await.expect("a welcome");
        let mut server = accept.await.expect("no panic");
        let made = tokio::spawn(client.echo(1).into_future());
        if server.read().await.is_none_or(|read| read.kind != raw::CALL) {
            return Answer::Silent;
        }
        sleep(millis(n)).await;
        if !made.is_finished() {
            return Answer::Waits;
        }
        let cancelled = server.read().await.is_some_and(|read| read.kind == raw::CANCEL);
        match made.await.expect("no panic") {
            Err(error) if cancelled && error == vox::VoxError::DeadlineExceeded => Answer::Failed(5),
            _ => Answer::Silent,
        }
    })
}

/// The server ends the session, and is not there any more.
fn lonely(n: u64) -> Local<'static, Answer> {
    Box::pin(async move {
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        let accept = tokio::spawn(async move { Raw::accept(theirs, raw::LIMITS).await });
        let links = Mutex::new(vec![Link::new(ours, "memory")]);
        let connector = Connector::new("memory", move || {
            let link = links.lock().unwrap_or_else(PoisonError::into_inner).pop();
            std::future::ready(link.ok_or_else(|| std::io::Error::other("there is no other")))
        });
        let client: PreyClient = vox::connect(connector).no_resume().await.expect("a welcome");
        let mut server = accept.await.expect("no panic");
        server.try_write(&frame(raw::GOODBYE).text("").wire()).await;
        drop(server);
        sleep(millis(1)).await;
        let (_numbers, rx) = vox::channel();
        let made = tokio::spawn(client.drink(rx).into_future());
        sleep(millis(n)).await;
        if !made.is_finished() {
            return Answer::Waits;
        }
        match made.await.expect("no panic") {
            Err(vox::VoxError::NotSent(_)) => Answer::NotSent,
            _ => Answer::Wrong,
        }
    })
}

/// A handler's items wait where too many do already; the peer's own frames are read all the same.
fn unread(n: u64) -> Local<'static, Answer> {
    Box::pin(async move {
        let deer = Deer::default();
        let poured = Arc::clone(&deer.poured);
        let server = Arc::new(Server::builder().service(PreyDispatcher::new(deer)).start().expect("a server"));
        let mut raw = link(&server, 1 << 10);
        let mut limits = raw::LIMITS;
        (limits[4], limits[5]) = (1 << 31, 1 << 31);
        if let Err(answer) = greet(&mut raw, &raw::hello(Some("Prey"), limits)).await {
            return answer;
        }
        raw.try_write(&call_with(1, 1, "Prey.pour", &[(1, 1)], &[&varint(n)[..], &[0]].concat()).wire()).await;
        sleep(millis(1_000)).await;
        let all = poured.load(Ordering::SeqCst) == n;
        match send(&mut raw, [], 1).await {
            Answer::Fine if all => Answer::Fine,
            Answer::Fine => Answer::Waits,
            answer => answer,
        }
    })
}

/// So many frames to a server whose answers nobody reads meanwhile.
pub(super) async fn flood(frames: impl IntoIterator<Item = raw::Frame>) -> Answer {
    let Ok((_server, mut raw)) = joined(1 << 10).await else { return Answer::Closed };
    for frame in frames {
        raw.try_write(&frame.wire()).await;
        tokio::task::yield_now().await;
    }
    raw.try_write(&crate::answer::ping()).await;
    hear(&mut raw, 0).await
}
