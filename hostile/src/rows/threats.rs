//! What peers do who mean harm.

use vox::OperationId;

use super::channels::{held, items_of, open};
use super::clocks::flood;
use super::messages::{long, part};
use super::store::attempt;
use crate::answer::Answer;
use crate::attack::{Attack, Seen};
use crate::peers::{join, measured, resumable, resume, send};
use crate::raw::{self, Frame, Raw, call, call_with, frame};
use crate::row::{Local, Row};
use crate::victim::Victim;

/// What a server may hold for a number that was only claimed.
const CLAIM: isize = 256 << 10;

pub(crate) fn rows() -> Vec<Row> {
    [lies(), ids(), floods(), owners()].concat()
}

fn lies() -> Vec<Row> {
    let one = |name, sends, attack, answer| Row::frames(name, sends, attack).case("", 1, answer).memory(CLAIM);
    vec![
        one("length prefix that lies", "a length of 4 GiB", |_| Attack::bytes(vec![0xff; 4]), Answer::Violation(2)),
        Row::scene("length prefix that is never filled", "a length of 4 MiB and a byte", unfilled)
            .case("", 1, Answer::Waits)
            .memory(CLAIM),
        one(
            "total that lies",
            "a long call of 4 MiB, one byte of it",
            |_| Attack::of([long(1, 4 << 20, 1, "Prey.blob"), part(1, &[7])]),
            Answer::Fine,
        ),
        one(
            "collection length that lies",
            "a list of 2³⁴ numbers in 7 bytes",
            |_| Attack::of([call(1, 1, "Prey.list", &[0xff, 0xff, 0xff, 0xff, 0x3f, 1])]).answered(1),
            Answer::Failed(2),
        ),
        one(
            "elements of size zero",
            "a list of 10⁹ units in 5 bytes",
            |_| Attack::of([call(1, 1, "Prey.units", &[0x80, 0x94, 0xeb, 0xdc, 0x03])]).answered(1),
            Answer::Failed(2),
        ),
        one(
            "deep nesting",
            "a value that is nested 50,000 times",
            |_| Attack::of([call(1, 1, "Prey.nest", &[1; 50_000])]).answered(1),
            Answer::Failed(2),
        ),
        one("a kind that is none", "a frame of kind 0x7f", |_| Attack::of([frame(0x7f)]), Answer::Violation(1)),
    ]
}

fn ids() -> Vec<Row> {
    vec![
        Row::frames("wrong parity", "request {n} of an initiator", |n| {
            Attack::of([call(1, n, "Prey.echo", &[1])]).answered(1)
        })
        .case("at", 1, Answer::Fine)
        .case("over", 2, Answer::Violation(3)),
        Row::frames("id reused", "request {n} after 5", |n| {
            Attack::of([call(1, n, "Prey.wait", &[])]).after([call(1, 5, "Prey.wait", &[])])
        })
        .case("at", 7, Answer::Fine)
        .case("over", 5, Answer::Violation(4)),
        Row::frames("unknown channel", "an item on channel {n} of 1", |n| {
            Attack::of([items_of(1, n, 1)]).after([held()])
        })
        .case("at", 1, Answer::Fine)
        .case("over", 3, Answer::Violation(11)),
        Row::frames("wrong direction", "a reply from the caller", |_| {
            Attack::of([frame(raw::REPLY).var(1).var(1).u8(0)])
        })
        .case("", 1, Answer::Violation(13)),
        Row::frames("a false ack", "an ack of {n} bytes in a session that cannot be resumed", |n| {
            Attack::of([frame(raw::ACK).var(n)])
        })
        .case("", 1 << 60, Answer::Violation(16)),
    ]
}

fn floods() -> Vec<Row> {
    vec![
        Row::paused("flood of pings", "{n} pings, no pong read", |n| {
            Box::pin(flood((0..n).map(|n| frame(raw::PING).var(n))))
        })
        .case("under", 1_000, Answer::Fine)
        .case("over", 2_000, Answer::Violation(15)),
        Row::paused("flood of opens", "{n} opens of no service, no answer read", |n| {
            Box::pin(flood((1..=n).map(|n| open(2 * n + 1, "Nothing"))))
        })
        .case("under", 15, Answer::Refused(1))
        .case("over", 3_000, Answer::Violation(15)),
        Row::paused("calls beyond unread replies", "{n} calls, no reply read", |n| {
            Box::pin(flood((0..n).map(|n| call(1, 2 * n + 1, "Prey.echo", &[1]))))
        })
        .case("under", 100, Answer::Fine)
        .case("over", 1_000, Answer::Violation(5)),
        Row::frames("flood of cancels", "{n} calls, each cancelled 20 times", |n| {
            let cancelled = |n: u64| {
                let cancel = std::iter::repeat_n(frame(raw::CANCEL).var(1).var(2 * n + 1), 20);
                std::iter::once(call(1, 2 * n + 1, "Prey.wait", &[])).chain(cancel)
            };
            Attack::of((0..n).flat_map(cancelled)).answered(n as usize)
        })
        .case("", 100, Answer::Failed(4)),
        Row::scene("calls in a time", "{n} calls that are answered at once, to compare", |victim, n| {
            in_batches(victim, n, |n| vec![call(1, 2 * n + 1, "Prey.echo", &[1])])
        })
        .case("", 10_000, Answer::Fine)
        .memory(1 << 20)
        .slow("as many calls as it serves are served before"),
        Row::scene("cancels in a time", "{n} calls, each cancelled at once", |victim, n| {
            in_batches(victim, n, |n| {
                vec![call(1, 2 * n + 1, "Prey.wait", &[]), frame(raw::CANCEL).var(1).var(2 * n + 1)]
            })
        })
        .case("", 10_000, Answer::Failed(4))
        .memory(1 << 20)
        .slow("as many calls as it serves are served before"),
        Row::frames("flood of tiny items", "{n} frames of an item for a channel that is gone", |n| {
            let gone = frame(raw::RESET).var(1).var(1).u8(0).var(0);
            Attack::of((0..n).map(|_| items_of(1, 1, 1))).after([held(), gone])
        })
        .case("", 10_000, Answer::Fine)
        .memory(1 << 20),
        Row::frames("flood of pongs", "{n} pongs that nobody asked for", |n| {
            Attack::of((0..n).map(|n| frame(raw::PONG).var(n)))
        })
        .case("", 10_000, Answer::Fine)
        .memory(1 << 20),
        Row::frames("flood of calls for nothing", "{n} calls of a method that there is not", |n| {
            Attack::of((0..n).map(|n| call(1, 2 * n + 1, "Prey.absent", &[]))).answered(n as usize)
        })
        .case("", 100, Answer::Failed(1))
        .memory(1 << 20),
        Row::frames("flood of channels", "{n} calls whose channel nobody takes", |n| {
            let call = |n: u64| call_with(1, 2 * n + 1, "Prey.echo", &[(2 * n + 1, 0)], &[1]);
            Attack::of((0..n).map(call)).answered(n as usize)
        })
        .case("", 100, Answer::Fine)
        .memory(1 << 20),
        Row::frames("credit leaked by cancel", "{n} calls with a channel of 8 items, cancelled", |n| {
            let leaked = |n: u64| {
                let id = 2 * n + 1;
                let call = call_with(1, id, "Prey.sit_on", &[(id, 0)], &[0]);
                [call, items_of(1, id, 8), frame(raw::CANCEL).var(1).var(id)]
            };
            Attack::of((0..n).flat_map(leaked)).answered(n as usize)
        })
        .case("", 100, Answer::Failed(4))
        .memory(2 << 20),
    ]
}

fn owners() -> Vec<Row> {
    vec![
        Row::frames("handler panics", "{n} calls of a handler that panics", |n| {
            Attack::of((0..n).map(|n| call(1, 2 * n + 1, "Prey.explode", &[]))).answered(n as usize)
        })
        .case("", 100, Answer::Failed(6)),
        Row::scene("resume secret guessed", "{n} resumes with another secret, then the right one", guessed).case(
            "",
            100,
            Answer::Fine,
        ),
        Row::scene("resume secret replayed", "a secret that was used is shown again", replayed).case(
            "",
            1,
            Answer::Rejected(5),
        ),
        Row::scene("an operation's id used again", "an operation's id with other arguments", conflict).case(
            "",
            1,
            Answer::Failed(9),
        ),
    ]
}

/// So many calls, as fast as they are answered: 64 at a time.
fn in_batches(victim: &Victim, n: u64, frames: fn(u64) -> Vec<Frame>) -> Local<'_, Seen> {
    Box::pin(measured(victim, n, async move {
        let mut raw = match join(victim).await {
            Ok(raw) => raw,
            Err(answer) => return answer,
        };
        let mut answer = Answer::Silent;
        for begun in (0..n).step_by(64) {
            let end = n.min(begun + 64);
            answer = send(&mut raw, (begun..end).flat_map(frames), (end - begun) as usize).await;
        }
        answer
    }))
}

fn unfilled(victim: &Victim, _: u64) -> Local<'_, Seen> {
    Box::pin(measured(victim, 1, async move {
        let mut raw = match join(victim).await {
            Ok(raw) => raw,
            Err(answer) => return answer,
        };
        raw.try_write(&[&(4u32 << 20).to_le_bytes()[..], &[raw::CALL]].concat()).await;
        match tokio::time::timeout(std::time::Duration::from_millis(100), raw.read()).await {
            Err(_) => Answer::Waits,
            Ok(_) => Answer::Closed,
        }
    }))
}

fn guessed(victim: &Victim, n: u64) -> Local<'_, Seen> {
    Box::pin(measured(victim, n, async move {
        let (raw, ticket) = match resumable(victim).await {
            Ok(joined) => joined,
            Err(answer) => return answer,
        };
        for n in 0..n {
            let mut guess = ticket.clone();
            guess.secret[n as usize % 32] ^= 1 << (n % 8);
            match resume(Raw::new(victim.stream().await), &guess).await {
                Answer::Rejected(5) => {}
                answer => return answer,
            }
        }
        drop(raw);
        resume(Raw::new(victim.stream().await), &ticket).await
    }))
}

fn replayed(victim: &Victim, _: u64) -> Local<'_, Seen> {
    Box::pin(measured(victim, 1, async move {
        let (raw, ticket) = match resumable(victim).await {
            Ok(joined) => joined,
            Err(answer) => return answer,
        };
        drop(raw);
        match resume(Raw::new(victim.stream().await), &ticket).await {
            Answer::Fine => resume(Raw::new(victim.stream().await), &ticket).await,
            answer => answer,
        }
    }))
}

fn conflict(victim: &Victim, _: u64) -> Local<'_, Seen> {
    Box::pin(measured(victim, 2, async move {
        let id = OperationId::new();
        let attempts = [attempt(1, "Prey.keep", id, &[1]), attempt(3, "Prey.keep", id, &[2])];
        match join(victim).await {
            Ok(mut raw) => send(&mut raw, attempts, 2).await,
            Err(answer) => answer,
        }
    }))
}
