//! What one peer may have of a server: nobody is asked who he is, so a peer is an address. The attackers' is another than the honest client's.

use std::time::Duration;

use super::store::linger;
use crate::answer::Answer;
use crate::attack::Seen;
use crate::peers::{join, join_from, measured, resumable, resumable_from, resume};
use crate::raw::Raw;
use crate::row::{Local, Row};
use crate::victim::{ELSEWHERE, Victim};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row::scene("max_peer_sessions (here 8)", "session {n} of one address, then one of another", sessions)
            .with(|setting| setting.limits.max_peer_sessions = 8)
            .bound(8, Answer::Rejected(2)),
        Row::scene("max_peer_sessions, by default", "the hello of session {n} of one address", sessions)
            .case("under", 1_000, Answer::Fine)
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
    ]
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
