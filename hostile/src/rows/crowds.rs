//! A thousand clients at once.

use crate::answer::Answer;
use crate::attack::Seen;
use crate::peers::{join_from, measured, send};
use crate::raw::{self, call, frame};
use crate::row::{Local, Row};
use crate::victim::{ELSEWHERE, Victim};

/// What each of a crowd that holds something makes the server keep: so many calls, each with so many bytes.
const CALLS: u64 = 16;
const BYTES: u64 = 4 << 10;

pub(crate) fn rows() -> Vec<Row> {
    const WHY: &str = "a handshake after the other is served";
    vec![
        Row::scene("a crowd at rest", "{n} clients with a session each", at_rest)
            .case("", 1_000, Answer::Fine)
            .memory(32 << 20)
            .slow(WHY),
        Row::scene("a crowd that holds", "{n} clients, each with 16 calls of 4 KiB that run", holding)
            .case("", 1_000, Answer::Fine)
            .memory(256 << 20)
            .slow(WHY),
        Row::scene("a crowd that floods", "{n} clients, each with 100 pings and 20 calls for nothing", flooding)
            .case("", 1_000, Answer::Failed(1))
            .memory(64 << 20)
            .slow(WHY),
    ]
}

/// So many clients. Each sends this, and hears as many replies.
fn crowd(victim: &Victim, n: u64, bytes: Vec<raw::Frame>, replies: usize) -> Local<'_, Seen> {
    Box::pin(measured(victim, n, async move {
        let mut crowd = Vec::new();
        for _ in 0..n {
            match join_from(victim, ELSEWHERE).await {
                Ok(raw) => crowd.push(raw),
                Err(answer) => return answer,
            }
        }
        let mut answer = Answer::Fine;
        for raw in &mut crowd {
            answer = send(raw, bytes.clone(), replies).await;
        }
        answer
    }))
}

fn at_rest(victim: &Victim, n: u64) -> Local<'_, Seen> {
    crowd(victim, n, Vec::new(), 0)
}

fn holding(victim: &Victim, n: u64) -> Local<'_, Seen> {
    let mut bytes = super::messages::varint(BYTES);
    bytes.resize(bytes.len() + BYTES as usize, 7);
    crowd(victim, n, (0..CALLS).map(|n| call(1, 2 * n + 1, "Prey.hold", &bytes)).collect(), 0)
}

fn flooding(victim: &Victim, n: u64) -> Local<'_, Seen> {
    let pings = (0..100).map(|n| frame(raw::PING).var(n));
    let calls = (0..20).map(|n| call(1, 2 * n + 1, "Prey.absent", &[]));
    crowd(victim, n, pings.chain(calls).collect(), 20)
}
