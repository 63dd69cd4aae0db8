//! Replies that come faster than their callers take them: the session keeps no more of them than it may.

use std::time::Duration;

use vox::transport::Link;
use vox::{Client, Limits, Ran, VoxError};

use crate::lab::LabClient;
use crate::support::raw::{self, Raw, frame};
use crate::support::settle;

const MEMORY: usize = 4 << 20;
const REPLY: usize = 1 << 20;

/// A client, and the end that answers it.
async fn client() -> (LabClient, Raw) {
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let limits = Limits { session_memory: MEMORY, ..Limits::default() };
    let server = tokio::spawn(async move { Raw::accept(theirs, raw::LIMITS).await });
    let client = vox::connect(Link::new(ours, "server")).limits(limits).await.expect("a session");
    (client, server.await.expect("no panic"))
}

/// A text of `REPLY` bytes in parts, which answers the `n`th call.
async fn answer(server: &mut Raw, n: u64) {
    let text = frame(0).u8(0).text(&"x".repeat(REPLY)).into_bytes().split_off(1);
    let head = frame(raw::LONG).var(n + 1).var(text.len() as u64).u8(raw::REPLY).var(1).var(2 * n + 1);
    server.send(&head).await;
    for part in text.chunks(256 << 10) {
        server.send(&frame(raw::PART).var(n + 1).bytes(part)).await;
    }
}

async fn poll_once<F: Future + Unpin>(future: &mut F) {
    let pending =
        std::future::poll_fn(|cx| std::task::Poll::Ready(std::pin::Pin::new(&mut *future).poll(cx).is_pending()));
    assert!(pending.await);
}

#[tokio::test(start_paused = true)]
async fn of_replies_that_nobody_takes_no_more_are_kept_than_may_be() {
    let (client, mut server) = client().await;
    let mut calls: Vec<_> = (0..20).map(|_| client.name("")).collect();
    for call in &mut calls {
        poll_once(call).await;
    }
    for n in 0..20 {
        answer(&mut server, n).await;
    }
    // Not read any further, until that is of no use.
    tokio::time::sleep(Duration::from_secs(10)).await;
    let session = Client::caller(&client).session();
    let kept = session.memory();
    assert!((MEMORY - REPLY..=MEMORY + REPLY).contains(&kept), "{kept}");
    let mut taken = 0;
    for call in calls {
        match call.await {
            Ok(text) => taken += usize::from(text.len() == REPLY),
            Err(error) => {
                assert!(matches!(error, VoxError::InvalidResponse(_)) && error.ran() == Ran::Yes, "{error:?}");
                assert!(error.to_string().contains("`Limits::session_memory`"), "{error}");
            }
        }
    }
    assert!((3..=5).contains(&taken), "{taken}");
    assert_eq!((session.memory(), session.refusals().replies), (0, 20 - taken as u64));
    // There is room again.
    let call = client.name("");
    let (name, ()) = tokio::join!(call.into_future(), answer(&mut server, 20));
    assert_eq!(name.map(|text| text.len()), Ok(REPLY));
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_is_never_taken_counts_no_more_once_its_call_is_dropped() {
    let (client, mut server) = client().await;
    let mut call = client.name("");
    poll_once(&mut call).await;
    answer(&mut server, 0).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let session = Client::caller(&client).session();
    assert!(session.memory() > REPLY);
    drop(call);
    assert_eq!(session.memory(), 0);
}

/// All are asked for at once and none is lost, where they are taken as they come.
#[tokio::test(start_paused = true)]
async fn replies_that_are_taken_late_are_waited_for() {
    let (client, mut server) = client().await;
    let mut calls: Vec<_> = (0..20).map(|_| client.name("")).collect();
    for call in &mut calls {
        poll_once(call).await;
    }
    let answers = tokio::spawn(async move {
        for n in 0..20 {
            answer(&mut server, n).await;
        }
        server
    });
    let session = Client::caller(&client).session();
    settle().await;
    for (n, call) in calls.into_iter().enumerate() {
        let kept = session.memory();
        assert!(
            n > 16 || (3 * REPLY..MEMORY).contains(&kept),
            "{kept} before {n}: each that is taken lets the next come"
        );
        assert_eq!(call.await.map(|text| text.len()), Ok(REPLY));
        settle().await;
    }
    drop(answers.await);
    assert_eq!(session.refusals().replies, 0);
}
