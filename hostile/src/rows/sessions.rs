//! How many sessions there are, in their handshake, with a link and without one, and what they leave unread.

use std::time::Duration;

use crate::answer::Answer;
use crate::attack::Seen;
use crate::peers::{join, measured, resumable, resume};
use crate::raw::{self, Raw, call, frame};
use crate::row::{Local, Row};
use crate::victim::{ELSEWHERE, Victim};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row::scene("max_sessions (here 8)", "the hello of session {n}", sessions)
            .with(|setting| setting.limits.max_sessions = 8)
            .bound(8, Answer::Rejected(2)),
        Row::scene("max_pending_handshakes (here 8)", "{n} links, of which the last says hello", pending)
            .with(|setting| setting.limits.max_pending_handshakes = 8)
            .case("under", 7, Answer::Fine)
            .case("at", 8, Answer::Fine)
            .case("over", 100, Answer::Fine),
        Row::scene("max_detached_sessions (here 4)", "{n} sessions lose their links; the first is resumed", detached)
            .with(|setting| setting.limits.max_detached_sessions = 4)
            .bound(4, Answer::Rejected(5)),
        Row::scene("replay_bytes (here 4 MiB)", "{n} calls for 64 KiB each, none acknowledged", unacknowledged)
            .with(|setting| setting.limits.replay_bytes = 4 << 20)
            .case("under", 40, Answer::Fine)
            .case("over", 120, Answer::Waits)
            .memory(8 << 20),
    ]
}

fn sessions(victim: &Victim, n: u64) -> Local<'_, Seen> {
    Box::pin(measured(victim, 1, async move {
        let mut held = Vec::new();
        // The honest client has one.
        for _ in 1..n {
            match join(victim).await {
                Ok(raw) => held.push(raw),
                Err(answer) => return answer,
            }
        }
        Answer::Fine
    }))
}

/// All but the last have sent half of their hello, and none of them keeps it out.
fn pending(victim: &Victim, n: u64) -> Local<'_, Seen> {
    Box::pin(measured(victim, 1, async move {
        let mut halves = Vec::new();
        let hello = raw::hello(Some("Prey"), raw::LIMITS).wire();
        for _ in 1..n {
            let mut half = Raw::new(victim.stream_from(ELSEWHERE).await);
            half.try_write(&hello[..hello.len() / 2]).await;
            halves.push(half);
        }
        match tokio::time::timeout(Duration::from_secs(5), join(victim)).await {
            Ok(joined) => joined.map_or_else(|answer| answer, |_| Answer::Fine),
            Err(_) => Answer::Waits,
        }
    }))
}

fn detached(victim: &Victim, n: u64) -> Local<'_, Seen> {
    Box::pin(measured(victim, n, async move {
        let mut tickets = Vec::new();
        for kept in 1..=n {
            match resumable(victim).await {
                Ok((_, ticket)) => tickets.push(ticket),
                Err(answer) => return answer,
            }
            while victim.server.detached_sessions() < kept.min(4) as usize || victim.linked() > 1 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        resume(Raw::new(victim.stream().await), &tickets[0]).await
    }))
}

/// A call of `big`.
pub(super) fn big(request: u64, len: u64) -> raw::Frame {
    call(1, request, "Prey.big", &super::messages::varint(len))
}

fn unacknowledged(victim: &Victim, n: u64) -> Local<'_, Seen> {
    Box::pin(measured(victim, n, async move {
        let (mut raw, _) = match resumable(victim).await {
            Ok(joined) => joined,
            Err(answer) => return answer,
        };
        let calls: Vec<u8> = (0..n).flat_map(|n| big(2 * n + 1, 64 << 10).wire()).collect();
        raw.try_write(&calls).await;
        let (mut replies, mut received) = (0, 0);
        while replies < n {
            match tokio::time::timeout(Duration::from_millis(500), raw.read_frame()).await {
                Ok(None) => return Answer::Closed,
                Ok(Some(read)) if read.kind == raw::VIOLATION => return Answer::Violation(read.body[0]),
                Ok(Some(read)) => {
                    received += 5 + read.body.len() as u64;
                    replies += u64::from(read.kind == raw::REPLY);
                }
                // The rest comes for an acknowledgement.
                Err(_) => {
                    raw.try_write(&frame(raw::ACK).var(received).wire()).await;
                    return match raw.read_frame().await {
                        Some(_) => Answer::Waits,
                        None => Answer::Closed,
                    };
                }
            }
        }
        Answer::Fine
    }))
}
