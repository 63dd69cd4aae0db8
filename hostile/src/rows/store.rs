//! Handlers that outlive their callers, and what is remembered of operations.

use std::ops::Range;
use std::time::{Duration, SystemTime};

use vox::OperationId;

use crate::answer::Answer;
use crate::attack::Seen;
use crate::peers::{greet, join, measured, send};
use crate::raw::{self, Frame, Raw, call, frame};
use crate::row::{Local, Row};
use crate::victim::Victim;

pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row::scene("max_detached (here 8)", "{n} persist calls, one after the other cancelled", detached)
            .with(|setting| setting.limits.max_detached = 8)
            .case("under", 7, Answer::Failed(4))
            .case("at", 8, Answer::Failed(4))
            .case("over", 9, Answer::Failed(3)),
        Row::scene("max_server_detached (here 8)", "{n} such calls of two sessions", server_detached)
            .with(|setting| setting.limits.max_server_detached = 8)
            .case("under", 7, Answer::Failed(4))
            .case("at", 8, Answer::Failed(4))
            .case("over", 9, Answer::Failed(3)),
        Row::scene("store: max_principal_records (here 8)", "{n} operations, none acknowledged", records)
            .with(|setting| setting.store.max_principal_records = 8)
            .bound(8, Answer::Failed(11)),
        Row::scene("store: max_records (here 8)", "{n} operations, none acknowledged", records)
            .with(|setting| setting.store.max_records = 8)
            .bound(8, Answer::Failed(11)),
        Row::scene("store: max_bytes (here 1 MiB)", "{n} outcomes of 64 KiB", outcomes)
            .with(|setting| setting.store.max_bytes = 1 << 20)
            .case("under", 15, Answer::Fine)
            .case("over", 17, Answer::Failed(11)),
        Row::scene("store: max_principal_bytes (here 1 MiB)", "{n} outcomes of 64 KiB", outcomes)
            .with(|setting| setting.store.max_principal_bytes = 1 << 20)
            .case("under", 15, Answer::Fine)
            .case("over", 17, Answer::Failed(11)),
        Row::scene("store: max_tombstones (here 4)", "{n} operations are acknowledged, then an older one", tombstones)
            .with(|setting| setting.store.max_tombstones = 4)
            .bound(4, Answer::Failed(10)),
        Row::scene("store: max_floors (here 2)", "{n} principals have a floor, then another's older one", floors)
            .with(|setting| {
                setting.asks = true;
                setting.store.max_tombstones = 0;
                setting.store.max_floors = 2;
            })
            .bound(2, Answer::Failed(10)),
        Row::scene("store: max_outcome_bytes", "an operation whose outcome has {n} bytes", outcome)
            .bound(1 << 20, Answer::Failed(8)),
        Row::scene("store: retention", "an operation of {n} minutes ago", age)
            .case("under", 24 * 60 - 1, Answer::Fine)
            .case("over", 24 * 60 + 1, Answer::Failed(10)),
        Row::scene("store: clock_slack", "an operation in {n} minutes", ahead).case("under", 4, Answer::Fine).case(
            "over",
            6,
            Answer::Failed(10),
        ),
    ]
}

/// A call that names an operation.
pub(super) fn attempt(request: u64, method: &str, id: OperationId, arguments: &[u8]) -> Frame {
    let id = id.to_u128().to_be_bytes();
    frame(raw::CALL).var(1).var(request).method(method).u8(8).bytes(&id).bytes(arguments)
}

/// Makes `n` calls whose handlers run on without a caller, and then another, which is cancelled too.
pub(super) async fn linger(raw: &mut Raw, n: u64, then: bool) -> Answer {
    let calls = |range: Range<u64>| range.map(|n| call(1, 2 * n + 1, "Prey.linger", &[]));
    let cancels = |range: Range<u64>| range.map(|n| frame(raw::CANCEL).var(1).var(2 * n + 1));
    // They run before they are cancelled: what was not started is not detached.
    match send(raw, calls(0..n), 0).await {
        Answer::Fine => {}
        answer => return answer,
    }
    match send(raw, cancels(0..n), n as usize).await {
        Answer::Failed(4) if then => match send(raw, calls(n..n + 1), 0).await {
            Answer::Fine => send(raw, cancels(n..n + 1), 1).await,
            answer => answer,
        },
        answer => answer,
    }
}

fn detached(victim: &Victim, n: u64) -> Local<'_, Seen> {
    Box::pin(measured(victim, 2 * n, async move {
        match join(victim).await {
            Ok(mut raw) => linger(&mut raw, n - 1, true).await,
            Err(answer) => answer,
        }
    }))
}

fn server_detached(victim: &Victim, n: u64) -> Local<'_, Seen> {
    Box::pin(measured(victim, 2 * n, async move {
        let (Ok(mut one), Ok(mut other)) = (join(victim).await, join(victim).await) else { return Answer::Closed };
        match linger(&mut one, 4, false).await {
            Answer::Failed(4) => linger(&mut other, n - 5, true).await,
            answer => answer,
        }
    }))
}

fn records(victim: &Victim, n: u64) -> Local<'_, Seen> {
    Box::pin(measured(victim, n, async move {
        let attempts = (0..n).map(|n| attempt(2 * n + 1, "Prey.keep", OperationId::new(), &[1]));
        match join(victim).await {
            Ok(mut raw) => send(&mut raw, attempts, n as usize).await,
            Err(answer) => answer,
        }
    }))
}

fn outcomes(victim: &Victim, n: u64) -> Local<'_, Seen> {
    let arguments = super::messages::varint(64 << 10);
    Box::pin(measured(victim, n, async move {
        let attempts = (0..n).map(|n| attempt(2 * n + 1, "Prey.keep_big", OperationId::new(), &arguments));
        match join(victim).await {
            Ok(mut raw) => send(&mut raw, attempts, n as usize).await,
            Err(answer) => answer,
        }
    }))
}

/// An id that was made so many seconds ago.
fn ago(seconds: u64) -> OperationId {
    OperationId::at(SystemTime::now() - Duration::from_secs(seconds))
}

/// Runs an operation and acknowledges it.
async fn run_and_acknowledge(raw: &mut Raw, request: u64, id: OperationId) -> Answer {
    match send(raw, [attempt(request, "Prey.keep", id, &[1])], 1).await {
        Answer::Fine => {
            let told = frame(raw::ACKNOWLEDGE).var(1).bytes(&id.to_u128().to_be_bytes());
            send(raw, [told], 0).await
        }
        answer => answer,
    }
}

fn tombstones(victim: &Victim, n: u64) -> Local<'_, Seen> {
    Box::pin(measured(victim, n, async move {
        let Ok(mut raw) = join(victim).await else { return Answer::Closed };
        for n in 0..n {
            match run_and_acknowledge(&mut raw, 2 * n + 1, ago(60)).await {
                Answer::Fine => {}
                answer => return answer,
            }
        }
        send(&mut raw, [attempt(2 * n + 1, "Prey.keep", ago(120), &[1])], 1).await
    }))
}

fn floors(victim: &Victim, n: u64) -> Local<'_, Seen> {
    Box::pin(measured(victim, n, async move {
        for n in 0..n {
            let mut raw = Raw::new(victim.stream().await);
            if let Err(answer) = greet(&mut raw, &raw::hello_as(&format!("p{n}"), "Prey")).await {
                return answer;
            }
            match run_and_acknowledge(&mut raw, 1, ago(60)).await {
                Answer::Fine => {}
                answer => return answer,
            }
        }
        match join(victim).await {
            Ok(mut raw) => send(&mut raw, [attempt(1, "Prey.keep", ago(120), &[1])], 1).await,
            Err(answer) => answer,
        }
    }))
}

fn outcome(victim: &Victim, n: u64) -> Local<'_, Seen> {
    Box::pin(measured(victim, 1, async move {
        // Before the bytes: that it is well, and their length in three bytes.
        let arguments = super::messages::varint(n - 4);
        let attempt = attempt(1, "Prey.keep_big", OperationId::new(), &arguments);
        match join(victim).await {
            Ok(mut raw) => send(&mut raw, [attempt], 1).await,
            Err(answer) => answer,
        }
    }))
}

fn at(victim: &Victim, time: SystemTime) -> Local<'_, Seen> {
    Box::pin(measured(victim, 1, async move {
        match join(victim).await {
            Ok(mut raw) => send(&mut raw, [attempt(1, "Prey.keep", OperationId::at(time), &[1])], 1).await,
            Err(answer) => answer,
        }
    }))
}

fn age(victim: &Victim, minutes: u64) -> Local<'_, Seen> {
    at(victim, SystemTime::now() - Duration::from_secs(60 * minutes))
}

fn ahead(victim: &Victim, minutes: u64) -> Local<'_, Seen> {
    at(victim, SystemTime::now() + Duration::from_secs(60 * minutes))
}
