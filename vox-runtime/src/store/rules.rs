//! The result of an admission, by what is known of the operation. The engines find records; this says what they mean.

use crate::ids::MethodId;
use crate::operation::{Admission, Digest, NewOperation, Outcome};

/// A record, as a store finds it.
pub(super) enum Found {
    /// What is there cannot be read.
    #[cfg_attr(not(feature = "sqlite"), allow(dead_code, reason = "what is in memory can be read"))]
    Unreadable,
    /// Its caller does not ask again.
    Acknowledged,
    Record {
        method: MethodId,
        digest: Digest,
        state: State,
    },
}

/// How far an operation has come.
pub(super) enum State {
    /// A handler was admitted; whether its owner lives.
    Granted { owner_lives: bool },
    /// It ended with an outcome. `None` if that cannot be read.
    Sealed(Option<Outcome>),
    /// It ended without.
    GivenUp,
}

/// What to do about an attempt.
pub(super) enum Decision {
    /// Give this answer and change nothing.
    Answer(Admission),
    /// Grant it anew, in the place of the record.
    GrantAnew,
}

/// What to do about an attempt at an operation that there is a record of.
pub(super) fn decide(operation: &NewOperation, found: Found) -> Decision {
    let answer = Decision::Answer;
    let unknown = || match operation.policy.idem {
        true => Decision::GrantAnew,
        false => Decision::Answer(Admission::Indeterminate),
    };
    let (method, digest, state) = match found {
        Found::Unreadable => return unknown(),
        Found::Acknowledged => return answer(Admission::Expired),
        Found::Record { method, digest, state } => (method, digest, state),
    };
    match state {
        _ if method != operation.method || digest != operation.digest => answer(Admission::Conflict),
        State::Granted { owner_lives: true } => answer(Admission::Running),
        // Of one that may not run again, the one who asks is told why the outcome cannot be read.
        State::Sealed(Some(outcome)) if !operation.policy.idem || operation.schema.reads(&outcome.schema) => {
            answer(Admission::Replay(outcome))
        }
        State::Granted { owner_lives: false } | State::Sealed(_) | State::GivenUp => unknown(),
    }
}
