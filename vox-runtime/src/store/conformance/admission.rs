//! Who is admitted.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::subject::{Checked, Subject, of, operation, outcome, same};
use crate::descriptor::RetryPolicy;
use crate::ids::MethodId;
use crate::operation::{Admission, Digest, NewOperation, OperationId};
use crate::store::OperationStore;

pub(super) async fn a_first_attempt_is_granted<S: OperationStore>(subject: &Subject<S>) -> Checked {
    let (first, second) = (operation(), operation());
    let (one, two) = (subject.grant(&first).await?, subject.grant(&second).await?);
    subject.seal(&first, one, &outcome(b"first")).await?;
    subject.seal(&second, two, &outcome(b"second")).await?;
    // Of callers whose clock is a little ahead or behind.
    subject.grant(&of(OperationId::at(SystemTime::now() + Duration::from_secs(60)), "acme")).await?;
    subject.grant(&of(OperationId::at(SystemTime::now() - Duration::from_secs(60)), "acme")).await?;
    Ok(())
}

pub(super) async fn a_duplicate_of_what_runs_is_told_so<S: OperationStore>(subject: &Subject<S>) -> Checked {
    let operation = operation();
    subject.grant(&operation).await?;
    for _ in 0..3 {
        subject.expect(&operation, Admission::Running).await?;
    }
    // Whatever the policy: an operation that may run again does not run twice at once.
    let idem = NewOperation { policy: RetryPolicy::IDEM_PERSIST, ..operation };
    subject.expect(&idem, Admission::Running).await
}

pub(super) async fn of_many_at_once_one_is_granted<S: OperationStore>(subject: &Subject<S>) -> Checked {
    for _ in 0..16 {
        let operation = Arc::new(operation());
        let attempts: Vec<_> = (0..32)
            .map(|_| {
                let (store, operation) = (Arc::clone(&subject.store), Arc::clone(&operation));
                tokio::spawn(async move { store.admit(&operation).await })
            })
            .collect();
        let mut granted = 0;
        for attempt in attempts {
            match attempt.await.map_err(|panic| panic.to_string())? {
                Ok(Admission::Granted(_)) => granted += 1,
                Ok(Admission::Running) => {}
                other => return Err(format!("one of many attempts at once is answered {other:?}")),
            }
        }
        same("how many of 32 attempts at once are granted", granted, 1)?;
    }
    Ok(())
}

pub(super) async fn an_admission_that_nobody_heard_of_does_not_stay<S: OperationStore>(
    subject: &Subject<S>,
) -> Checked {
    let operation = operation();
    let mut admitting = subject.store.admit(&operation);
    let polled = poll_fn(|cx| Poll::Ready(admitting.as_mut().poll(cx))).await;
    drop(admitting);
    if let Poll::Ready(admission) = polled {
        // It was heard of.
        return match admission {
            Ok(Admission::Granted(_)) => subject.expect(&operation, Admission::Running).await,
            other => Err(format!("a first attempt is answered {other:?}")),
        };
    }
    for _ in 0..MANY {
        match subject.admit(&operation).await? {
            Admission::Granted(_) => return Ok(()),
            Admission::Running => {}
            other => return Err(format!("an attempt after one that was dropped is answered {other:?}")),
        }
    }
    Err("the admission of an attempt that was dropped stays".to_owned())
}

/// How many later attempts may still find an admission that nobody heard of.
const MANY: usize = 1_000;

pub(super) async fn another_method_or_other_arguments_conflict<S: OperationStore>(subject: &Subject<S>) -> Checked {
    let [running, sealed, given_up] = [(); 3].map(|()| operation());
    subject.grant(&running).await?;
    subject.run(&sealed, &outcome(b"a secret")).await?;
    let fence = subject.grant(&given_up).await?;
    subject.store.give_up(&given_up.key, fence).await.map_err(|error| error.to_string())?;
    for operation in [running, sealed, given_up] {
        let arguments = NewOperation { digest: Digest::of(operation.method, b"others"), ..operation.clone() };
        let method = NewOperation { method: MethodId(8), ..operation.clone() };
        for policy in [RetryPolicy::PERSIST, RetryPolicy::IDEM_PERSIST] {
            subject.expect(&NewOperation { policy, ..arguments.clone() }, Admission::Conflict).await?;
            subject.expect(&NewOperation { policy, ..method.clone() }, Admission::Conflict).await?;
        }
    }
    Ok(())
}

pub(super) async fn ids_out_of_time_are_expired<S: OperationStore>(subject: &Subject<S>) -> Checked {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
    let now = SystemTime::now();
    let ids = [
        OperationId::at(now - YEAR),
        OperationId::at(now + YEAR),
        OperationId::at(UNIX_EPOCH),
        OperationId::from_u128(0),
        OperationId::from_u128(u128::MAX),
    ];
    for id in ids {
        let operation = of(id, "acme");
        for policy in [RetryPolicy::PERSIST, RetryPolicy::IDEM_PERSIST] {
            subject.expect(&NewOperation { policy, ..operation.clone() }, Admission::Expired).await?;
        }
        subject.acknowledge(&operation).await?;
    }
    Ok(())
}

pub(super) async fn principals_do_not_see_each_other<S: OperationStore>(subject: &Subject<S>) -> Checked {
    let id = OperationId::new();
    let [a, b, nobody] = ["a", "b", ""].map(|principal| of(id, principal));
    let fence = subject.run(&a, &outcome(b"of a")).await?;
    // Neither the outcome, nor that there is one.
    let other = NewOperation { digest: Digest::of(b.method, b"others"), ..b };
    let of_b = subject.grant(&other).await?;
    let of_nobody = subject.grant(&nobody).await?;
    if fence != of_b {
        subject.fenced(&other, fence, "another principal's").await?;
    }
    subject.seal(&other, of_b, &outcome(b"of b")).await?;
    subject.seal(&nobody, of_nobody, &outcome(b"of nobody")).await?;
    subject.acknowledge(&other).await?;
    subject.expect(&a, Admission::Replay(outcome(b"of a"))).await?;
    subject.expect(&other, Admission::Expired).await?;
    subject.expect(&nobody, Admission::Replay(outcome(b"of nobody"))).await
}
