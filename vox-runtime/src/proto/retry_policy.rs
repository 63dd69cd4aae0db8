//! The retry policy: whether a call is sent again after an attempt has ended, or ends with that attempt's result.
//!
//! A session that was resumed goes on, and nothing is decided here. Where it was lost, or ended, a call's policy decides:
//!
//! | the request | volatile | `idem` | `persist` |
//! |---|---|---|---|
//! | never left | again | again | again |
//! | may have left | `Indeterminate` | again, if no item was exchanged on its channels | again, under the same operation |
//!
//! It remembers what no later attempt can undo: that an earlier one may have run. From then on an answer that the handler did
//! not run is about one attempt and not about the call, whose outcome is `Indeterminate`.

use super::CallEnd;
use crate::descriptor::RetryPolicy;
use crate::error::{EndReason, Ran, VoxError};
use crate::wire::{ERR, Failure, USER};

/// How often one call is sent at most.
pub(crate) const MAX_ATTEMPTS: u32 = 5;

/// A call, over its attempts.
#[derive(Debug, Clone)]
pub(crate) struct Attempts {
    policy: RetryPolicy,
    ended: u32,
    /// One that has ended may have run.
    may_have_run: bool,
}

/// What to do about a call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Verdict {
    /// Send it again once there is a session; under the operation that it had, if it had one. Where there will be none, or
    /// it may take too long, this is its outcome.
    Again { or: CallEnd },
    /// This is its outcome.
    End(CallEnd),
}

impl Attempts {
    pub(crate) fn new(policy: RetryPolicy) -> Self {
        Self { policy, ended: 0, may_have_run: false }
    }

    /// An attempt has ended. `exchanged`: an item went over one of the call's channels, in either direction, or may have.
    pub(crate) fn ended(&mut self, end: CallEnd, exchanged: bool) -> Verdict {
        self.ended += 1;
        let again = match &end {
            CallEnd::Reply(_) | CallEnd::DeadlineExceeded | CallEnd::NeverLeftInTime => false,
            CallEnd::NeverLeft(reason) => is_lost(reason),
            CallEnd::Indeterminate => self.policy.idem || self.policy.persist,
        };
        let or = self.outcome(end);
        self.may_have_run |= or == CallEnd::Indeterminate;
        match again && !exchanged && self.ended < MAX_ATTEMPTS {
            true => Verdict::Again { or },
            false => Verdict::End(or),
        }
    }

    /// What such an end of the last attempt is for the call.
    pub(crate) fn outcome(&self, end: CallEnd) -> CallEnd {
        let did_not_run = match &end {
            CallEnd::NeverLeftInTime if self.may_have_run => return CallEnd::DeadlineExceeded,
            CallEnd::NeverLeft(_) | CallEnd::NeverLeftInTime => true,
            CallEnd::Reply(payload) => says_it_did_not_run(payload),
            CallEnd::DeadlineExceeded | CallEnd::Indeterminate => false,
        };
        if self.may_have_run && did_not_run { CallEnd::Indeterminate } else { end }
    }
}

/// Whether a session that ended so may be followed by another one.
fn is_lost(reason: &EndReason) -> bool {
    match reason {
        EndReason::Goodbye(_)
        | EndReason::LinkLost(_)
        | EndReason::Lost(_)
        | EndReason::KeepaliveTimeout
        | EndReason::WriteStalled
        | EndReason::InternalFault => true,
        EndReason::ClosedHere | EndReason::PeerViolation(_) | EndReason::AccusedByPeer(_) => false,
    }
}

/// Whether a response is a refusal: it says nothing of earlier attempts, one of which may yet be taken up. That is so of a
/// conflict too, for the operation that an id belongs to may never start, and then the id is free again.
fn says_it_did_not_run(payload: &[u8]) -> bool {
    let [ERR, code, ..] = payload else { return false };
    if *code == USER {
        return false;
    }
    match Failure::read(&payload[1..]) {
        Ok(failure) => VoxError::<()>::from(failure).ran() == Ran::No,
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::error::Short;

    const VOLATILE: RetryPolicy = RetryPolicy::VOLATILE;
    const IDEM: RetryPolicy = RetryPolicy::IDEM;
    const PERSIST: RetryPolicy = RetryPolicy::PERSIST;
    const BOTH: RetryPolicy = RetryPolicy::IDEM_PERSIST;

    fn never_left() -> CallEnd {
        CallEnd::NeverLeft(EndReason::Lost("restarted".into()))
    }

    fn reply(failure: &Failure) -> CallEnd {
        let mut payload = Vec::new();
        failure.put(&mut payload);
        CallEnd::Reply(Bytes::from(payload))
    }

    fn is_again(policy: RetryPolicy, end: CallEnd, exchanged: bool) -> bool {
        matches!(Attempts::new(policy).ended(end, exchanged), Verdict::Again { .. })
    }

    #[test]
    fn the_table_of_lost_sessions() {
        for policy in [VOLATILE, IDEM, PERSIST, BOTH] {
            assert!(is_again(policy, never_left(), false), "{policy:?}: what never left is sent again");
            assert!(!is_again(policy, CallEnd::DeadlineExceeded, false), "{policy:?}: its time is over");
            assert!(
                !is_again(policy, reply(&Failure::Busy(Short::SHUTTING_DOWN)), false),
                "{policy:?}: an answer is one"
            );
        }
        assert!(!is_again(VOLATILE, CallEnd::Indeterminate, false));
        for policy in [IDEM, PERSIST, BOTH] {
            assert!(is_again(policy, CallEnd::Indeterminate, false), "{policy:?}");
            assert!(!is_again(policy, CallEnd::Indeterminate, true), "{policy:?}: a stream cannot be sent again");
        }
    }

    #[test]
    fn what_this_end_closed_or_a_violation_ended_is_not_sent_again() {
        assert!(!is_again(IDEM, CallEnd::NeverLeft(EndReason::ClosedHere), false));
        assert!(is_again(IDEM, CallEnd::NeverLeft(EndReason::Goodbye("shutting down".into())), false));
    }

    #[test]
    fn nothing_that_a_later_attempt_is_told_makes_an_earlier_one_not_have_run() {
        let refusals =
            [Failure::Busy(Short::SHUTTING_DOWN), Failure::OperationConflict, Failure::StoreUnavailable(Ran::No)];
        for end in refusals.iter().map(reply).chain([never_left()]) {
            let mut attempts = Attempts::new(PERSIST);
            assert_eq!(attempts.outcome(end.clone()), end);
            let _ = attempts.ended(CallEnd::Indeterminate, false);
            assert_eq!(attempts.outcome(end), CallEnd::Indeterminate);
        }
    }

    #[test]
    fn what_a_later_attempt_is_told_of_the_operation_is_the_outcome() {
        let replay = CallEnd::Reply(Bytes::from_static(&[0, 7]));
        for end in [replay, reply(&Failure::Panicked), CallEnd::DeadlineExceeded] {
            let mut attempts = Attempts::new(PERSIST);
            let _ = attempts.ended(CallEnd::Indeterminate, false);
            assert_eq!(attempts.ended(end.clone(), false), Verdict::End(end));
        }
    }

    #[test]
    fn the_attempts_at_one_call_are_few() {
        let mut attempts = Attempts::new(IDEM);
        for _ in 1..MAX_ATTEMPTS {
            assert_eq!(attempts.ended(CallEnd::Indeterminate, false), Verdict::Again { or: CallEnd::Indeterminate });
        }
        assert_eq!(attempts.ended(never_left(), false), Verdict::End(CallEnd::Indeterminate));
    }
}
