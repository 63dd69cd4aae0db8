//! What one peer may have of a server: nobody is asked who he is, so a peer is an address. The attackers' is another than the honest client's.

use std::time::Duration;

use vox::OperationId;

use super::messages::varint;
use super::store::{attempt, linger};
use crate::answer::Answer;
use crate::attack::Seen;
use crate::peers::{Ticket, join, join_from, measured, resumable, resumable_from, resume, send};
use crate::raw::{self, Frame, Raw};
use crate::row::{Local, Row};
use crate::victim::{ELSEWHERE, SLOW, THINKS, Victim};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row::scene("max_peer_sessions (here 8)", "session {n} of one address, then one of another", sessions)
            .with(|setting| setting.limits.max_peer_sessions = 8)
            .bound(8, Answer::Rejected(2)),
        Row::scene("max_peer_sessions, by default", "the hello of session {n} of one address", sessions)
            .case("under", 1_000, Answer::Fine)
            .slow("a handshake after the other is served"),
        Row::scene("max_peer_handshakes (here 8)", "{n} links of one address, the last says hello", handshakes)
            .with(|setting| setting.limits.max_peer_handshakes = 8)
            .bound(8, Answer::Fine),
        Row::scene("max_peer_handshakes, silent (here 8)", "{n} links of one address that say nothing", silent)
            .with(|setting| setting.limits.max_peer_handshakes = 8)
            .case("at", 8, Answer::Waits)
            .case("over", 9, Answer::Waits),
        Row::scene(
            "max_peer_handshakes, asked (here 8)",
            "the hello of link {n} of which is asked whose it is",
            asked_about,
        )
        .with(|setting| (setting.asks, setting.limits.max_peer_handshakes) = (true, 8))
        .bound(8, Answer::Rejected(2)),
        Row::scene("max_pending_handshakes, forged (8)", "{n} forged resumes, and a session gets its link", forged)
            .with(|setting| (setting.asks, setting.limits.max_pending_handshakes) = (true, 8))
            .case("under", 7, Answer::Fine)
            .case("at", 8, Answer::Fine)
            .case("over", 100, Answer::Fine),
        Row::scene("links that resume one session", "{n} links show its secret, to who thinks for a second", claimants)
            .with(|setting| setting.asks = true)
            .case("under", 3, Answer::Waits)
            .case("at", 4, Answer::Waits)
            .case("over", 5, Answer::Closed),
        Row::scene("links that resume, in a crowd", "four links show the secret of each of {n} sessions", claims)
            .with(|setting| setting.asks = true)
            .case("", 1_024, Answer::Waits)
            .memory(48 << 20)
            .slow("a handshake after the other is served"),
        Row::scene("max_peer_detached (here 8)", "{n} persist calls of two sessions, cancelled", detached)
            .with(|setting| setting.limits.max_peer_detached = 8)
            .case("under", 7, Answer::Failed(4))
            .case("at", 8, Answer::Failed(4))
            .case("over", 9, Answer::Failed(3)),
        Row::scene("max_detached_sessions, shared (here 8)", "{n} sessions lose their links after another's", outlived)
            .with(|setting| setting.limits.max_detached_sessions = 8)
            .case("under", 7, Answer::Fine)
            .case("at", 8, Answer::Fine)
            .case("over", 100, Answer::Fine),
        Row::scene("store: max_peer_records (here 8)", "{n} operations of one address, then one of another", records)
            .with(|setting| setting.store.max_peer_records = 8)
            .bound(8, Answer::Failed(11)),
        Row::scene("store: max_peer_bytes (here 1 MiB)", "{n} outcomes of 64 KiB of one address", outcomes)
            .with(|setting| setting.store.max_peer_bytes = 1 << 20)
            .case("under", 15, Answer::Fine)
            .case("over", 17, Answer::Failed(11))
            .memory(4 << 20),
        Row::scene("store: max_peer_records, by default", "{n} small operations of one address", records)
            .bound(10_000, Answer::Failed(11))
            .memory(8 << 20)
            .slow("10,000 calls are served before it"),
    ]
}

/// Whatever one address has, there is room for another's.
async fn keep(victim: &Victim, n: u64, attempts: impl Fn(u64) -> Frame) -> Answer {
    let (Ok(mut raw), Ok(mut honest)) = (join_from(victim, ELSEWHERE).await, join(victim).await) else {
        return Answer::Closed;
    };
    let mut answer = Answer::Fine;
    for begun in (0..n).step_by(64) {
        let end = n.min(begun + 64);
        answer = send(&mut raw, (begun..end).map(&attempts), (end - begun) as usize).await;
    }
    match send(&mut honest, [attempt(1, "Prey.keep", OperationId::new(), &[1])], 1).await {
        Answer::Fine => answer,
        _ => Answer::Wrong,
    }
}

fn records(victim: &Victim, n: u64) -> Local<'_, Seen> {
    let attempts = |n: u64| attempt(2 * n + 1, "Prey.keep", OperationId::new(), &[1]);
    Box::pin(measured(victim, n, keep(victim, n, attempts)))
}

fn outcomes(victim: &Victim, n: u64) -> Local<'_, Seen> {
    let attempts = |n: u64| attempt(2 * n + 1, "Prey.keep_big", OperationId::new(), &varint(64 << 10));
    Box::pin(measured(victim, n, keep(victim, n, attempts)))
}

fn sessions(victim: &Victim, n: u64) -> Local<'_, Seen> {
    Box::pin(measured(victim, n, async move {
        let mut held = Vec::new();
        let mut answer = Answer::Fine;
        for _ in 0..n {
            match join_from(victim, ELSEWHERE).await {
                Ok(raw) => held.push(raw),
                Err(refused) => answer = refused,
            }
        }
        // Whatever they have, there is a place for another.
        if join(victim).await.is_ok() { answer } else { Answer::Wrong }
    }))
}

/// So many links of one address that say nothing.
async fn mute(victim: &Victim, n: u64) -> Vec<Raw> {
    let mut links = Vec::new();
    for _ in 0..n {
        links.push(Raw::new(victim.stream_from(ELSEWHERE).await));
    }
    // They have been taken in: one that comes after them is answered.
    drop(join(victim).await);
    links
}

fn handshakes(victim: &Victim, n: u64) -> Local<'_, Seen> {
    Box::pin(measured(victim, n, async move {
        let _held = mute(victim, n - 1).await;
        let answer = join_from(victim, ELSEWHERE).await.map_or_else(|answer| answer, |_| Answer::Fine);
        if join(victim).await.is_ok() { answer } else { Answer::Wrong }
    }))
}

fn silent(victim: &Victim, n: u64) -> Local<'_, Seen> {
    Box::pin(measured(victim, n, async move {
        let mut links = mute(victim, n).await;
        let Some(last) = links.last_mut() else { return Answer::Silent };
        let answer = match tokio::time::timeout(Duration::from_millis(500), last.read()).await {
            Err(_) => Answer::Waits,
            Ok(None) => Answer::Closed,
            Ok(Some(read)) => Answer::Rejected(*read.body.get(4).unwrap_or(&0)),
        };
        if join(victim).await.is_ok() { answer } else { Answer::Wrong }
    }))
}

/// All but the last are of a peer about whom the server thinks; whatever that one has, there is a place for another.
fn asked_about(victim: &Victim, n: u64) -> Local<'_, Seen> {
    Box::pin(measured(victim, n, async move {
        let slow = raw::hello_with(&[("name", 0, SLOW)], raw::LIMITS).wire();
        let mut held = Vec::new();
        for _ in 1..n {
            let mut raw = Raw::new(victim.stream_from(ELSEWHERE).await);
            raw.try_write(&slow).await;
            held.push(raw);
        }
        // They have been heard: one that comes after them is answered.
        drop(join(victim).await);
        let answer = join_from(victim, ELSEWHERE).await.map_or_else(|answer| answer, |_| Answer::Fine);
        if join(victim).await.is_ok() { answer } else { Answer::Wrong }
    }))
}

/// Each shows a secret that is not the session's, and names a peer about whom the server thinks.
fn forged(victim: &Victim, n: u64) -> Local<'_, Seen> {
    Box::pin(measured(victim, n, async move {
        let Ok((raw, ticket)) = resumable(victim).await else { return Answer::Closed };
        drop(raw);
        while victim.linked() > 1 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let forged = Ticket { secret: vec![7; 32], name: Some(SLOW.to_owned()), ..ticket.clone() };
        let mut held = Vec::new();
        for _ in 0..n {
            let mut raw = Raw::new(victim.stream_from(ELSEWHERE).await);
            raw.try_write(&forged.resume(0).wire()).await;
            held.push(raw);
        }
        let resumes = resume(Raw::new(victim.stream().await), &ticket);
        tokio::time::timeout(THINKS / 2, resumes).await.unwrap_or(Answer::Waits)
    }))
}

fn detached(victim: &Victim, n: u64) -> Local<'_, Seen> {
    Box::pin(measured(victim, 2 * n, async move {
        let (one, other) = (join_from(victim, ELSEWHERE).await, join_from(victim, ELSEWHERE).await);
        let (Ok(mut one), Ok(mut other), Ok(mut honest)) = (one, other, join(victim).await) else {
            return Answer::Closed;
        };
        let answer = match linger(&mut one, 4, false).await {
            Answer::Failed(4) => linger(&mut other, n - 5, true).await,
            answer => return answer,
        };
        match linger(&mut honest, 1, false).await {
            Answer::Failed(4) => answer,
            _ => Answer::Wrong,
        }
    }))
}

/// The session that lost its link first is another's, and is kept.
fn outlived(victim: &Victim, n: u64) -> Local<'_, Seen> {
    Box::pin(measured(victim, n, async move {
        let Ok((raw, ticket)) = resumable(victim).await else { return Answer::Closed };
        drop(raw);
        for _ in 0..n {
            if resumable_from(victim, ELSEWHERE).await.is_err() {
                return Answer::Closed;
            }
        }
        while victim.linked() > 1 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        resume(Raw::new(victim.stream().await), &ticket).await
    }))
}

/// What becomes of the first of so many links that show the secret of one session.
fn claimants(victim: &Victim, n: u64) -> Local<'_, Seen> {
    Box::pin(measured(victim, n, async move {
        let Ok((raw, ticket)) = resumable(victim).await else { return Answer::Closed };
        drop(raw);
        let mut links = claim(victim, &ticket, n).await;
        // They have been heard: one that comes after them is answered.
        drop(join(victim).await);
        waits(&mut links[0]).await
    }))
}

fn claims(victim: &Victim, n: u64) -> Local<'_, Seen> {
    Box::pin(measured(victim, 4 * n, async move {
        let mut links = Vec::new();
        for _ in 0..n {
            let Ok((raw, ticket)) = resumable(victim).await else { return Answer::Closed };
            drop(raw);
            links.extend(claim(victim, &ticket, 4).await);
        }
        drop(join(victim).await);
        let Some(last) = links.last_mut() else { return Answer::Silent };
        waits(last).await
    }))
}

/// So many links show the secret of a session, of a peer about whom the server thinks.
async fn claim(victim: &Victim, ticket: &Ticket, n: u64) -> Vec<Raw> {
    let ticket = Ticket { name: Some(SLOW.to_owned()), ..ticket.clone() };
    let mut links = Vec::new();
    for _ in 0..n {
        let mut raw = Raw::new(victim.stream_from(ELSEWHERE).await);
        raw.try_write(&ticket.resume(0).wire()).await;
        links.push(raw);
    }
    links
}

async fn waits(raw: &mut Raw) -> Answer {
    match tokio::time::timeout(Duration::from_millis(100), raw.read()).await {
        Err(_) => Answer::Waits,
        Ok(None) => Answer::Closed,
        Ok(Some(read)) => Answer::Rejected(*read.body.get(4).unwrap_or(&0)),
    }
}
