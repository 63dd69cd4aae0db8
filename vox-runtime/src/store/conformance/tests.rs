//! The suite itself: each rule is broken once, and named.

use std::collections::HashMap;
use std::sync::Mutex;

use std::time::Duration;

use super::violations;
use crate::descriptor::RetryPolicy;
use crate::operation::{Admission, Digest, Fence, NewOperation, OperationKey, Outcome, Principal};
use crate::schema::Schema;
use crate::store::{MemoryStore, OperationStore, StoreFuture, StoreLimits};

/// A store with one thing wrong.
struct Broken {
    store: MemoryStore,
    fault: Fault,
    fences: Mutex<HashMap<OperationKey, Fence>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    RefusesAll,
    GrantsTwice,
    AdmitsInTwoSteps,
    KeepsWhatNobodyHeardOf,
    ForgetsArguments,
    ForgetsMethod,
    ForgetsTime,
    ForgetsPrincipal,
    CutsOutcomes,
    SealsTheLast,
    SealsAnyLength,
    ReplaysAnySchema,
    ReleaseGivesUp,
    GiveUpReleases,
    NothingIsIdem,
    GiveUpIsSilent,
    AnyFence,
    AcknowledgesNothing,
    AcknowledgesWhatRuns,
}

impl Broken {
    fn new(fault: Fault) -> Self {
        let mut limits = StoreLimits::default();
        match fault {
            Fault::SealsAnyLength => limits.max_outcome_bytes *= 2,
            Fault::ForgetsTime => {
                limits.retention = Duration::from_secs(u32::MAX.into());
                limits.clock_slack = limits.retention;
            }
            _ => {}
        }
        Self { store: MemoryStore::with_limits(limits).expect("as the table says"), fault, fences: Mutex::default() }
    }

    fn key(&self, key: &OperationKey) -> OperationKey {
        let mut key = key.clone();
        if self.fault == Fault::ForgetsPrincipal {
            key.principal = Principal::anonymous();
        }
        key
    }

    fn fence(&self, key: &OperationKey, fence: Fence) -> Fence {
        match self.fault {
            Fault::AnyFence => self.fences.lock().expect("no panic").get(key).copied().unwrap_or(fence),
            _ => fence,
        }
    }

    fn schema() -> Schema {
        Schema::from_bytes(*b"any")
    }
}

impl OperationStore for Broken {
    fn admit<'a>(&'a self, operation: &'a NewOperation) -> StoreFuture<'a, Admission> {
        let mut asked = NewOperation { key: self.key(&operation.key), ..operation.clone() };
        Box::pin(async move {
            match self.fault {
                Fault::RefusesAll => return Ok(Admission::Indeterminate),
                Fault::ForgetsArguments => asked.digest = Digest([0; 32]),
                Fault::ForgetsMethod => {
                    (asked.method, asked.digest) = (crate::descriptor::MethodId(0), Digest([0; 32]))
                }
                Fault::ReplaysAnySchema => asked.schema = Self::schema(),
                Fault::NothingIsIdem => asked.policy = RetryPolicy::PERSIST,
                _ => {}
            }
            let admission = self.store.admit(&asked).await;
            match self.fault {
                Fault::KeepsWhatNobodyHeardOf => tokio::task::yield_now().await,
                Fault::AdmitsInTwoSteps if admission == Ok(Admission::Running) => {
                    tokio::task::yield_now().await;
                    let fences = self.fences.lock().expect("no panic");
                    // One that looked at once, before the first was there to be seen.
                    return Ok(fences.get(&asked.key).map_or(Admission::Running, |&fence| Admission::Granted(fence)));
                }
                Fault::GrantsTwice if admission == Ok(Admission::Running) => {
                    return Ok(Admission::Granted(Fence(u64::MAX)));
                }
                _ => {}
            }
            if let Ok(Admission::Granted(fence)) = admission {
                self.fences.lock().expect("no panic").insert(asked.key, fence);
            }
            admission
        })
    }

    fn seal<'a>(&'a self, key: &'a OperationKey, fence: Fence, mut outcome: Outcome) -> StoreFuture<'a, Outcome> {
        Box::pin(async move {
            match self.fault {
                Fault::CutsOutcomes => outcome.bytes.truncate(1_000),
                Fault::ReplaysAnySchema => outcome.schema = Self::schema(),
                _ => {}
            }
            let sealed = self.store.seal(&self.key(key), self.fence(key, fence), outcome.clone()).await?;
            Ok(if self.fault == Fault::SealsTheLast { outcome } else { sealed })
        })
    }

    fn release<'a>(&'a self, key: &'a OperationKey, fence: Fence) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            match self.fault {
                Fault::ReleaseGivesUp => self.store.give_up(key, fence).await.map(|_| ()),
                _ => self.store.release(&self.key(key), self.fence(key, fence)).await,
            }
        })
    }

    fn give_up<'a>(&'a self, key: &'a OperationKey, fence: Fence) -> StoreFuture<'a, Option<Outcome>> {
        Box::pin(async move {
            match self.fault {
                Fault::GiveUpReleases => self.store.release(key, fence).await.map(|()| None),
                Fault::GiveUpIsSilent => self.store.give_up(key, fence).await.map(|_| None),
                _ => self.store.give_up(&self.key(key), self.fence(key, fence)).await,
            }
        })
    }

    fn acknowledge<'a>(&'a self, key: &'a OperationKey) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            match self.fault {
                Fault::AcknowledgesNothing => return Ok(()),
                Fault::AcknowledgesWhatRuns => {
                    let fence = self.fences.lock().expect("no panic").get(key).copied();
                    if let Some(fence) = fence {
                        let _ = self.store.give_up(key, fence).await;
                    }
                }
                _ => {}
            }
            self.store.acknowledge(&self.key(key)).await
        })
    }
}

fn broken_by(fault: Fault) -> Vec<&'static str> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let violations = runtime.block_on(violations(async || Broken::new(fault)));
    violations.iter().map(|violation| violation.rule()).collect()
}

#[track_caller]
fn caught(fault: Fault, rule: &str) {
    let broken = broken_by(fault);
    assert!(broken.contains(&rule), "{fault:?} breaks {broken:?}");
}

#[test]
fn a_store_with_nothing_wrong_passes() {
    assert_eq!(broken_by(Fault::None), [""; 0]);
}

#[test]
fn each_fault_is_caught_by_its_rule() {
    caught(Fault::RefusesAll, "a_first_attempt_is_granted");
    caught(Fault::GrantsTwice, "a_duplicate_of_what_runs_is_told_so");
    caught(Fault::AdmitsInTwoSteps, "of_many_at_once_one_is_granted");
    caught(Fault::KeepsWhatNobodyHeardOf, "an_admission_that_nobody_heard_of_does_not_stay");
    caught(Fault::ForgetsTime, "ids_out_of_time_are_expired");
    caught(Fault::SealsAnyLength, "an_outcome_that_is_too_long_is_refused");
    caught(Fault::ReleaseGivesUp, "a_released_id_is_free");
    caught(Fault::NothingIsIdem, "what_was_given_up_is_not_run_again_unless_it_may");
    caught(Fault::GiveUpIsSilent, "giving_up_what_is_sealed_gives_the_outcome");
    caught(Fault::AnyFence, "every_end_asks_for_the_fence");
    caught(Fault::AnyFence, "an_older_fence_no_longer_counts");
    caught(Fault::AcknowledgesWhatRuns, "acknowledging_what_is_not_ended_does_nothing");
}

#[test]
fn pitfall_3_a_replay_that_checks_neither_method_nor_arguments_is_caught() {
    caught(Fault::ForgetsArguments, "another_method_or_other_arguments_conflict");
    caught(Fault::ForgetsMethod, "another_method_or_other_arguments_conflict");
}

#[test]
fn pitfall_2_a_replay_of_another_schema_is_caught() {
    caught(Fault::ReplaysAnySchema, "an_outcome_of_another_schema_is_replayed_with_it");
    caught(Fault::CutsOutcomes, "a_sealed_outcome_is_replayed");
}

#[test]
fn pitfall_4_one_principal_that_gets_anothers_outcome_is_caught() {
    caught(Fault::ForgetsPrincipal, "principals_do_not_see_each_other");
}

#[test]
fn pitfall_9_an_operation_that_is_forgotten_when_it_fails_is_caught() {
    caught(Fault::GiveUpReleases, "what_was_given_up_is_not_run_again_unless_it_may");
}

#[test]
fn pitfall_10_an_outcome_that_is_not_final_is_caught() {
    caught(Fault::SealsTheLast, "sealing_is_absorbing");
}

#[test]
fn pitfall_11_records_that_stay_for_ever_are_caught() {
    caught(Fault::AcknowledgesNothing, "an_acknowledged_operation_is_expired");
}
