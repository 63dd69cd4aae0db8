//! One promise at a time.

use bytes::Bytes;

use super::{Answer, Attempt, OperationEnd, Operations, Step, StoreFailed};
use crate::descriptor::RetryPolicy;
use crate::error::{Ran, Short};
use crate::ids::{ConnectionId, MethodId, RequestId};
use crate::operation::{Admission, Digest, Fence, NewOperation, OperationId, OperationKey, Outcome, Principal};
use crate::schema::Schema;
use crate::wire::Failure;

const FENCE: Fence = Fence(7);

fn attempt(request: u64) -> Attempt {
    Attempt { session: request, connection: ConnectionId(1), request: RequestId(request) }
}

fn operation(policy: RetryPolicy) -> NewOperation {
    let key = OperationKey { id: OperationId::from_u128(1), principal: Principal::anonymous() };
    let (method, digest, schema) = (MethodId(1), Digest([1; 32]), schema());
    NewOperation { key, peer: None, service: "Bank", method, policy, digest, schema }
}

fn schema() -> Schema {
    Schema::from_bytes(&b"schema"[..])
}

fn outcome(bytes: &'static [u8]) -> Outcome {
    Outcome { bytes: Bytes::from_static(bytes), schema: schema() }
}

/// The steps, in a word each.
fn steps(operations: &mut Operations<u64>) -> Vec<String> {
    let say = |step| match step {
        Step::Admit(_) => "admit".to_owned(),
        Step::Wait { times, .. } => format!("wait {times}"),
        Step::Run { attempt, detached, .. } => format!("run {}{}", attempt.request, said(detached, " detached")),
        Step::Abort(attempt) => format!("abort {}", attempt.request),
        Step::Seal { .. } => "seal".to_owned(),
        Step::Release { .. } => "release".to_owned(),
        Step::GiveUp { .. } => "give up".to_owned(),
        Step::Answer { attempt, answer, runs_on } => {
            format!("answer {} {}{}", attempt.request, in_words(&answer), said(runs_on, ", runs on"))
        }
        Step::Forget { .. } => "forget".to_owned(),
        Step::Over(attempt) => format!("over {}", attempt.request),
    };
    std::iter::from_fn(|| operations.poll_step()).map(say).collect()
}

fn in_words(answer: &Answer) -> String {
    match answer {
        Answer::Outcome(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Answer::Failure(failure) => format!("{failure:?}"),
    }
}

fn said(whether: bool, what: &str) -> &str {
    if whether { what } else { "" }
}

/// An operation whose handler runs for the first attempt.
fn running(policy: RetryPolicy) -> (Operations<u64>, OperationKey) {
    let mut operations = Operations::default();
    let new = operation(policy);
    let key = new.key.clone();
    operations.attempt(attempt(1), new, 1);
    assert_eq!(steps(&mut operations), ["admit"]);
    operations.admitted(&key, Ok(Admission::Granted(FENCE)));
    assert_eq!(steps(&mut operations), ["run 1"]);
    (operations, key)
}

#[test]
fn an_outcome_is_answered_once_it_is_sealed_and_as_it_is_sealed() {
    let (mut operations, key) = running(RetryPolicy::PERSIST);
    operations.handler_ended(&key, FENCE, OperationEnd::Returned(outcome(b"mine")));
    assert_eq!(steps(&mut operations), ["seal"]);
    operations.sealed(&key, Ok(outcome(b"earlier")));
    assert_eq!(steps(&mut operations), ["answer 1 earlier"]);
    assert_eq!(operations.len(), 0);
}

#[test]
fn attempts_at_a_live_operation_share_its_outcome_in_every_phase() {
    let mut operations = Operations::default();
    let new = operation(RetryPolicy::PERSIST);
    let key = new.key.clone();
    operations.attempt(attempt(1), new.clone(), 1);
    operations.attempt(attempt(2), new.clone(), 2);
    operations.admitted(&key, Ok(Admission::Granted(FENCE)));
    operations.attempt(attempt(3), new.clone(), 3);
    operations.handler_ended(&key, FENCE, OperationEnd::Returned(outcome(b"ok")));
    operations.attempt(attempt(4), new, 4);
    assert_eq!(steps(&mut operations), ["admit", "run 1", "seal"]);
    operations.sealed(&key, Ok(outcome(b"ok")));
    assert_eq!(steps(&mut operations), ["answer 1 ok", "answer 2 ok", "answer 3 ok", "answer 4 ok"]);
}

#[test]
fn pitfall_3_another_method_or_other_arguments_under_a_live_id_are_a_conflict() {
    let (mut operations, key) = running(RetryPolicy::PERSIST);
    let method = NewOperation { method: MethodId(2), ..operation(RetryPolicy::PERSIST) };
    let digest = NewOperation { digest: Digest([2; 32]), ..operation(RetryPolicy::PERSIST) };
    operations.attempt(attempt(2), method, 2);
    operations.attempt(attempt(3), digest, 3);
    assert_eq!(steps(&mut operations), ["answer 2 OperationConflict", "answer 3 OperationConflict"]);
    assert!(operations.is_live(&key));
}

#[test]
fn pitfall_8_who_cancels_ends_alone_and_is_answered_once() {
    let (mut operations, key) = running(RetryPolicy::PERSIST);
    operations.attempt(attempt(2), operation(RetryPolicy::PERSIST), 2);
    operations.attempt(attempt(3), operation(RetryPolicy::PERSIST), 3);
    operations.attempt_gone(&key, attempt(1), Failure::Cancelled);
    operations.attempt_gone(&key, attempt(1), Failure::Cancelled);
    assert_eq!(steps(&mut operations), ["answer 1 Cancelled, runs on"]);
    operations.attempt_gone(&key, attempt(3), Failure::DeadlineExceeded);
    assert_eq!(steps(&mut operations), ["answer 3 DeadlineExceeded"]);
    operations.handler_ended(&key, FENCE, OperationEnd::Returned(outcome(b"ok")));
    operations.sealed(&key, Ok(outcome(b"ok")));
    assert_eq!(steps(&mut operations), ["seal", "over 1", "answer 2 ok"]);
}

#[test]
fn pitfall_9_what_nobody_waits_for_runs_on_and_is_sealed() {
    let (mut operations, key) = running(RetryPolicy::PERSIST);
    operations.attempt_gone(&key, attempt(1), Failure::Cancelled);
    operations.attempt(attempt(2), operation(RetryPolicy::PERSIST), 2);
    operations.handler_ended(&key, FENCE, OperationEnd::Returned(outcome(b"ok")));
    operations.sealed(&key, Ok(outcome(b"ok")));
    assert_eq!(steps(&mut operations), ["answer 1 Cancelled, runs on", "seal", "over 1", "answer 2 ok"]);
}

#[test]
fn pitfall_10_when_sealing_fails_nobody_gets_the_outcome() {
    let (mut operations, key) = running(RetryPolicy::PERSIST);
    operations.attempt(attempt(2), operation(RetryPolicy::PERSIST), 2);
    operations.handler_ended(&key, FENCE, OperationEnd::Returned(outcome(b"ok")));
    operations.sealed(&key, Err(StoreFailed));
    assert_eq!(steps(&mut operations), ["seal", "give up"]);
    operations.let_go(&key, None);
    let unknown = format!("{:?}", Failure::StoreUnavailable(Ran::Unknown));
    assert_eq!(steps(&mut operations), [format!("answer 1 {unknown}"), format!("answer 2 {unknown}")]);
}

#[test]
fn an_outcome_that_was_sealed_after_all_is_answered() {
    let (mut operations, key) = running(RetryPolicy::PERSIST);
    operations.handler_ended(&key, FENCE, OperationEnd::Broken(Failure::Panicked));
    operations.let_go(&key, Some(outcome(b"sealed by the handler")));
    assert_eq!(steps(&mut operations), ["give up", "answer 1 sealed by the handler"]);
}

#[test]
fn when_admitting_fails_nothing_runs() {
    let mut operations = Operations::default();
    let new = operation(RetryPolicy::PERSIST);
    operations.attempt(attempt(1), new.clone(), 1);
    operations.admitted(&new.key, Err(StoreFailed));
    assert_eq!(steps(&mut operations), ["admit", &format!("answer 1 {:?}", Failure::StoreUnavailable(Ran::No))]);
}

#[test]
fn what_another_process_runs_is_asked_for_again_until_nobody_waits() {
    let mut operations = Operations::default();
    let new = operation(RetryPolicy::PERSIST);
    operations.attempt(attempt(1), new.clone(), 1);
    assert_eq!(steps(&mut operations), ["admit"]);
    operations.admitted(&new.key, Ok(Admission::Running));
    let Some(Step::Wait { round, times: 0, .. }) = operations.poll_step() else { panic!("it waits") };
    operations.ask_again(&new.key, round);
    operations.ask_again(&new.key, round);
    assert_eq!(steps(&mut operations), ["admit"], "a second answer to one wait is none");
    operations.admitted(&new.key, Ok(Admission::Running));
    assert_eq!(steps(&mut operations), ["wait 1"]);
    operations.attempt_gone(&new.key, attempt(1), Failure::DeadlineExceeded);
    assert_eq!(steps(&mut operations), ["answer 1 DeadlineExceeded"]);
    assert_eq!(operations.len(), 0);
}

#[test]
fn a_caller_that_leaves_before_admission_leaves_its_operation_to_run() {
    let mut operations = Operations::default();
    let new = operation(RetryPolicy::PERSIST);
    operations.attempt(attempt(1), new.clone(), 1);
    operations.attempt_gone(&new.key, attempt(1), Failure::Cancelled);
    operations.admitted(&new.key, Ok(Admission::Granted(FENCE)));
    assert_eq!(steps(&mut operations), ["admit", "answer 1 Cancelled", "run 1 detached"]);
    operations.handler_ended(&new.key, FENCE, OperationEnd::Returned(outcome(b"ok")));
    operations.sealed(&new.key, Ok(outcome(b"ok")));
    assert_eq!(steps(&mut operations), ["seal", "over 1"]);
}

#[test]
fn a_volatile_handler_is_told_to_end_when_the_last_caller_leaves_and_that_one_waits_for_its_end() {
    let (mut operations, key) = running(RetryPolicy::VOLATILE);
    operations.attempt(attempt(2), operation(RetryPolicy::VOLATILE), 2);
    operations.attempt_gone(&key, attempt(1), Failure::Cancelled);
    assert_eq!(steps(&mut operations), ["answer 1 Cancelled, runs on"]);
    operations.attempt_gone(&key, attempt(2), Failure::DeadlineExceeded);
    assert_eq!(steps(&mut operations), ["abort 1"]);
    operations.handler_ended(&key, FENCE, OperationEnd::Broken(Failure::Cancelled));
    operations.let_go(&key, None);
    assert_eq!(steps(&mut operations), ["give up", "over 1", "answer 2 DeadlineExceeded"]);
}

#[test]
fn the_end_of_an_older_run_ends_nothing() {
    let (mut operations, key) = running(RetryPolicy::IDEM_PERSIST);
    operations.handler_ended(&key, Fence(6), OperationEnd::Broken(Failure::Panicked));
    assert_eq!(steps(&mut operations), [""; 0]);
    operations.handler_ended(&key, FENCE, OperationEnd::Refused(Failure::Busy(Short::SHUTTING_DOWN)));
    operations.let_go(&key, None);
    assert_eq!(steps(&mut operations), ["release", "answer 1 Busy(Short { code: 1, needed: 0, limit: 0 })"]);
}

#[test]
fn the_id_of_an_operation_that_is_not_admitted_may_be_that_of_another_attempt() {
    let mut operations = Operations::default();
    let other = NewOperation { digest: Digest([2; 32]), ..operation(RetryPolicy::PERSIST) };
    let key = other.key.clone();
    operations.attempt(attempt(1), other, 1);
    operations.attempt(attempt(2), operation(RetryPolicy::PERSIST), 2);
    assert_eq!(steps(&mut operations), ["admit"]);
    operations.admitted(&key, Ok(Admission::Conflict));
    assert_eq!(steps(&mut operations), ["answer 1 OperationConflict", "admit"]);
    operations.admitted(&key, Ok(Admission::Replay(outcome(b"first"))));
    assert_eq!(steps(&mut operations), ["answer 2 first"]);
}

#[test]
fn who_comes_when_a_handler_is_being_aborted_is_not_answered_that_it_cancelled() {
    let (mut operations, key) = running(RetryPolicy::VOLATILE);
    operations.attempt_gone(&key, attempt(1), Failure::Cancelled);
    operations.attempt(attempt(2), operation(RetryPolicy::VOLATILE), 2);
    assert_eq!(steps(&mut operations), ["abort 1"]);
    operations.handler_ended(&key, FENCE, OperationEnd::Broken(Failure::Cancelled));
    operations.let_go(&key, None);
    assert_eq!(steps(&mut operations), ["give up", "answer 1 Cancelled", "admit"]);
    operations.admitted(&key, Ok(Admission::Indeterminate));
    assert_eq!(steps(&mut operations), ["answer 2 Indeterminate"]);
}

#[test]
fn what_is_granted_and_sealed_in_the_same_moment_takes_no_steps() {
    for policy in [RetryPolicy::VOLATILE, RetryPolicy::PERSIST] {
        let mut operations = Operations::<u64>::default();
        let new = operation(policy);
        operations.attempt_granted(attempt(1), &new, FENCE);
        assert!(operations.is_live(&new.key));
        let sealed = operations.returned_alone(&new.key, FENCE, || Some("sealed"));
        assert_eq!((sealed, operations.len()), (Some((attempt(1), "sealed")), 0));
        // The first end counts.
        assert_eq!(operations.returned_alone(&new.key, FENCE, || Some("again")), None);
        assert_eq!(steps(&mut operations), [""; 0]);
    }
}

#[test]
fn nothing_is_sealed_in_the_same_moment_that_others_have_asked_for_or_an_older_run_returns() {
    let check = |happens: fn(&mut Operations<u64>, &OperationKey), fence: Fence| {
        let mut operations = Operations::default();
        let new = operation(RetryPolicy::PERSIST);
        operations.attempt_granted(attempt(1), &new, FENCE);
        happens(&mut operations, &new.key);
        let none = operations.returned_alone(&new.key, fence, || -> Option<()> { panic!("the store is not asked") });
        assert!(none.is_none() && operations.is_live(&new.key));
    };
    check(|operations, _| operations.attempt(attempt(2), operation(RetryPolicy::PERSIST), 2), FENCE);
    check(|operations, key| operations.attempt_gone(key, attempt(1), Failure::Cancelled), FENCE);
    check(|_, _| {}, Fence(FENCE.0 - 1));

    // And a store that fails is asked again, in steps.
    let mut operations = Operations::<u64>::default();
    let new = operation(RetryPolicy::PERSIST);
    operations.attempt_granted(attempt(1), &new, FENCE);
    assert_eq!(operations.returned_alone(&new.key, FENCE, || None::<()>), None);
    operations.handler_ended(&new.key, FENCE, OperationEnd::Returned(outcome(b"mine")));
    assert_eq!(steps(&mut operations), ["seal"]);
    operations.sealed(&new.key, Err(StoreFailed));
    assert_eq!(steps(&mut operations), ["give up"]);
}
