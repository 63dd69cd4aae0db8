//! How an operation ends, and what is so afterwards.

use bytes::Bytes;

use super::subject::{Checked, Subject, idem_operation, operation, outcome, same};
use crate::descriptor::RetryPolicy;
use crate::operation::{Admission, Digest, Fence, NewOperation, Outcome};
use crate::schema::Schema;
use crate::store::{OperationStore, StoreError};

pub(super) async fn a_sealed_outcome_is_replayed<S: OperationStore>(subject: &Subject<S>) -> Checked {
    let longest = Outcome { bytes: vec![0xa5; subject.store.max_outcome_bytes()].into(), ..outcome(b"") };
    for outcome in [outcome(b"\0\x01\xffany bytes"), outcome(b""), longest] {
        for operation in [operation(), idem_operation()] {
            subject.run(&operation, &outcome).await?;
            for _ in 0..2 {
                match subject.admit(&operation).await? {
                    Admission::Replay(replayed) if replayed == outcome => {}
                    Admission::Replay(_) => return Err("an outcome is replayed as other bytes".to_owned()),
                    other => return Err(format!("an attempt at a sealed operation is answered {other:?}")),
                }
            }
        }
    }
    Ok(())
}

pub(super) async fn sealing_is_absorbing<S: OperationStore>(subject: &Subject<S>) -> Checked {
    let operation = operation();
    let fence = subject.run(&operation, &outcome(b"first")).await?;
    let second = subject.seal(&operation, fence, &outcome(b"second")).await?;
    same("what a second seal gives", second, outcome(b"first"))?;
    subject.expect(&operation, Admission::Replay(outcome(b"first"))).await
}

pub(super) async fn an_outcome_that_is_too_long_is_refused<S: OperationStore>(subject: &Subject<S>) -> Checked {
    let operation = operation();
    let fence = subject.grant(&operation).await?;
    let limit = subject.store.max_outcome_bytes();
    let long = Outcome { bytes: Bytes::from(vec![0; limit + 1]), ..outcome(b"") };
    let refused = subject.store.seal(&operation.key, fence, long).await;
    same("sealing too much", refused, Err(StoreError::OutcomeTooLarge { len: limit + 1, limit }))?;
    // It ran, so it is still its owner's to end.
    subject.expect(&operation, Admission::Running).await?;
    subject.seal(&operation, fence, &outcome(b"too long")).await?;
    subject.expect(&operation, Admission::Replay(outcome(b"too long"))).await
}

pub(super) async fn an_outcome_of_another_schema_is_replayed_with_it<S: OperationStore>(
    subject: &Subject<S>,
) -> Checked {
    // `Result<u16, bool>`, `Result<u32, bool>`, and what is no schema at all.
    let old = Schema::from_bytes(*b"\x01\x05\x01\x03u16\x01\x04bool");
    let wider = Schema::from_bytes(*b"\x01\x05\x01\x03u32\x01\x04bool");
    let broken = Schema::from_bytes(*b"a response of another version");
    let sealed = Outcome { schema: old.clone(), ..outcome(b"old") };

    let persist = NewOperation { schema: old.clone(), ..operation() };
    subject.run(&persist, &sealed).await?;
    for schema in [&wider, &broken, &old] {
        let changed = NewOperation { schema: schema.clone(), ..persist.clone() };
        subject.expect(&changed, Admission::Replay(sealed.clone())).await?;
    }

    let idem = NewOperation { schema: old, ..idem_operation() };
    subject.run(&idem, &sealed).await?;
    let changed = NewOperation { schema: wider, ..idem.clone() };
    subject.expect(&changed, Admission::Replay(sealed)).await?;
    let changed = NewOperation { schema: broken.clone(), ..idem };
    let fence = subject.grant(&changed).await?;
    let new = Outcome { schema: broken, ..outcome(b"new") };
    subject.seal(&changed, fence, &new).await?;
    subject.expect(&changed, Admission::Replay(new)).await
}

pub(super) async fn a_released_id_is_free<S: OperationStore>(subject: &Subject<S>) -> Checked {
    let operation = operation();
    let first = subject.grant(&operation).await?;
    subject.store.release(&operation.key, first).await.map_err(|error| error.to_string())?;
    subject.fenced(&operation, first, "released").await?;
    let second = subject.grant(&operation).await?;
    subject.fenced(&operation, first, "released, and the id granted again").await?;
    subject.seal(&operation, second, &outcome(b"second")).await?;
    same("releasing what is sealed", subject.store.release(&operation.key, second).await, Err(StoreError::Fenced))?;
    subject.expect(&operation, Admission::Replay(outcome(b"second"))).await
}

pub(super) async fn what_was_granted_anew_and_released_is_given_up<S: OperationStore>(subject: &Subject<S>) -> Checked {
    let operation = idem_operation();
    let first = subject.grant(&operation).await?;
    same("giving up", subject.store.give_up(&operation.key, first).await, Ok(None))?;
    for _ in 0..2 {
        let anew = subject.grant(&operation).await?;
        subject.store.release(&operation.key, anew).await.map_err(|error| error.to_string())?;
        // It may have run, under the first admission: the id is not another's, and it must not run where once is too often.
        let other = NewOperation { digest: Digest::of(operation.method, b"other arguments"), ..operation.clone() };
        subject.expect(&other, Admission::Conflict).await?;
        let persist = NewOperation { policy: RetryPolicy::PERSIST, ..operation.clone() };
        subject.expect(&persist, Admission::Indeterminate).await?;
    }
    Ok(())
}

pub(super) async fn what_was_given_up_is_not_run_again_unless_it_may<S: OperationStore>(
    subject: &Subject<S>,
) -> Checked {
    let persist = operation();
    let fence = subject.grant(&persist).await?;
    for _ in 0..2 {
        same("giving up", subject.store.give_up(&persist.key, fence).await, Ok(None))?;
        subject.expect(&persist, Admission::Indeterminate).await?;
    }
    let sealed = subject.store.seal(&persist.key, fence, outcome(b"late")).await;
    same("sealing what was given up", sealed, Err(StoreError::Fenced))?;
    let released = subject.store.release(&persist.key, fence).await;
    same("releasing what was given up", released, Err(StoreError::Fenced))?;
    subject.expect(&persist, Admission::Indeterminate).await?;

    // What the method says now counts, not what it said then.
    let now_idem = NewOperation { policy: RetryPolicy::IDEM_PERSIST, ..persist };
    let fence = subject.grant(&now_idem).await?;
    subject.expect(&now_idem, Admission::Running).await?;
    subject.seal(&now_idem, fence, &outcome(b"again")).await?;
    subject.expect(&now_idem, Admission::Replay(outcome(b"again"))).await
}

pub(super) async fn giving_up_what_is_sealed_gives_the_outcome<S: OperationStore>(subject: &Subject<S>) -> Checked {
    let operation = operation();
    let fence = subject.run(&operation, &outcome(b"sealed")).await?;
    let given_up = subject.store.give_up(&operation.key, fence).await;
    same("giving up what is sealed", given_up, Ok(Some(outcome(b"sealed"))))?;
    subject.expect(&operation, Admission::Replay(outcome(b"sealed"))).await
}

pub(super) async fn every_end_asks_for_the_fence<S: OperationStore>(subject: &Subject<S>) -> Checked {
    let unknown = operation();
    subject.fenced(&unknown, Fence(0), "of an operation that is not known").await?;
    let running = operation();
    let fence = subject.grant(&running).await?;
    let sealed = operation();
    let of_sealed = subject.run(&sealed, &outcome(b"sealed")).await?;
    for wrong in [0, 1, fence.0.wrapping_add(1), u64::MAX].map(Fence) {
        if wrong != fence {
            subject.fenced(&running, wrong, "never given").await?;
        }
        if wrong != of_sealed {
            subject.fenced(&sealed, wrong, "never given").await?;
        }
    }
    subject.expect(&running, Admission::Running).await?;
    subject.expect(&sealed, Admission::Replay(outcome(b"sealed"))).await
}

pub(super) async fn an_older_fence_no_longer_counts<S: OperationStore>(subject: &Subject<S>) -> Checked {
    let operation = idem_operation();
    let old = subject.grant(&operation).await?;
    same("giving up", subject.store.give_up(&operation.key, old).await, Ok(None))?;
    let new = subject.grant(&operation).await?;
    if new <= old {
        return Err(format!("the fence {} follows the fence {}", new.0, old.0));
    }
    subject.fenced(&operation, old, "older").await?;
    subject.seal(&operation, new, &outcome(b"new")).await?;
    subject.fenced(&operation, old, "older").await?;
    subject.expect(&operation, Admission::Replay(outcome(b"new"))).await
}

pub(super) async fn an_acknowledged_operation_is_expired<S: OperationStore>(subject: &Subject<S>) -> Checked {
    let sealed = operation();
    let fence = subject.run(&sealed, &outcome(b"sealed")).await?;
    let given_up = idem_operation();
    let of_given_up = subject.grant(&given_up).await?;
    same("giving up", subject.store.give_up(&given_up.key, of_given_up).await, Ok(None))?;
    for (operation, fence) in [(sealed, fence), (given_up, of_given_up)] {
        for _ in 0..2 {
            subject.acknowledge(&operation).await?;
            subject.expect(&operation, Admission::Expired).await?;
        }
        // An attempt that comes late never runs, whatever its policy.
        let idem = NewOperation { policy: RetryPolicy::IDEM_PERSIST, ..operation.clone() };
        subject.expect(&idem, Admission::Expired).await?;
        subject.fenced(&operation, fence, "acknowledged").await?;
    }
    Ok(())
}

/// It may be as one that was acknowledged, or as one that never was.
pub(super) async fn a_forgotten_operation_is_not_replayed<S: OperationStore>(subject: &Subject<S>) -> Checked {
    let forget =
        async |key: &crate::operation::OperationKey| same("forgetting", subject.store.forget(key).await, Ok(()));
    let running = operation();
    forget(&running.key).await?;
    let fence = subject.grant(&running).await?;
    forget(&running.key).await?;
    subject.expect(&running, Admission::Running).await?;
    subject.seal(&running, fence, &outcome(b"sealed")).await?;
    let other = operation();
    subject.run(&other, &outcome(b"other")).await?;
    for _ in 0..2 {
        forget(&running.key).await?;
    }
    subject.fenced(&running, fence, "forgotten").await?;
    match subject.store.admit(&running).await {
        Ok(Admission::Granted(_) | Admission::Expired) => {}
        said => return Err(format!("an operation that was forgotten is answered {said:?}")),
    }
    subject.expect(&other, Admission::Replay(outcome(b"other"))).await
}

pub(super) async fn acknowledging_what_is_not_ended_does_nothing<S: OperationStore>(subject: &Subject<S>) -> Checked {
    let operation = operation();
    subject.acknowledge(&operation).await?;
    let fence = subject.grant(&operation).await?;
    subject.acknowledge(&operation).await?;
    subject.expect(&operation, Admission::Running).await?;
    subject.seal(&operation, fence, &outcome(b"sealed")).await?;
    subject.expect(&operation, Admission::Replay(outcome(b"sealed"))).await
}
