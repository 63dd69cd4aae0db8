//! How a call ended, other than well.

use std::convert::Infallible;
use std::fmt;

use facet::Facet;

use super::{Cause, Clocks, MethodError, Never, NotSent, Place, Ran, Reason, Shortage};
use crate::escaped::show;
use crate::policy::RetryPolicy;

/// How a call ended, other than well. `E` is the method's own error.
///
/// [`ran`](Self::ran) answers what a caller needs before trying again, and [`place`](Self::place) which call it was. Printed, it says both.
///
/// In a pattern, a variant with a place is written `VoxError::Busy { .. }`. To compare with and to make one by hand, there is a constant or a
/// function of the same name. Comparing looks at what happened, not at the place.
///
/// ```
/// # extern crate vox_runtime as vox;
/// # use vox::VoxError;
/// # let error: VoxError = VoxError::UnknownMethod;
/// assert!(matches!(error, VoxError::UnknownMethod { .. }));
/// assert_eq!(error, VoxError::UnknownMethod);
/// ```
///
/// It is an [`Error`](std::error::Error) for every `E` that crosses the wire and is `Debug` ([`MethodError`]), so `?` takes it to `anyhow`, `eyre` and
/// `Box<dyn Error>`. A method's own error prints as itself: as its `Display`, or as its `Debug` where it has none. `?` also makes the
/// error of a method that has none of its own, a `VoxError<Never>`, the error of any other.
#[derive(Clone, PartialEq, Eq, facet::Facet)]
#[repr(u8)]
#[non_exhaustive]
pub enum VoxError<E = Never> {
    /// The method's own error: the handler ran and returned it.
    User(E),
    /// The service has no such method.
    UnknownMethod {
        /// Which call.
        at: Place,
    },
    /// The peer could not decode the arguments; says where and why.
    InvalidPayload(Reason),
    /// The server is past a limit of its own and did not start the handler.
    Busy {
        /// Which call.
        at: Place,
        /// Which limit it is, and the numbers.
        short: Shortage,
    },
    /// The call was cancelled after it was sent.
    Cancelled {
        /// Which call.
        at: Place,
    },
    /// The deadline passed after the call was sent.
    DeadlineExceeded {
        /// Which call.
        at: Place,
    },
    /// The handler panicked.
    Panicked {
        /// Which call.
        at: Place,
    },
    /// Whether the call ran cannot be known: the session was lost after the request may have left, or the server has no
    /// outcome on record of an operation that it did begin.
    Indeterminate {
        /// Which call.
        at: Place,
        /// How the session or the connection ended, or that no outcome is on record.
        why: Cause,
    },
    /// The handler ran, but its response could not be sent, kept or decoded; says why.
    InvalidResponse(Reason),
    /// The operation id belongs to another call: to another method, or to other arguments. They are compared as they are written, so those of
    /// another version of the client are others.
    OperationConflict {
        /// Which call.
        at: Place,
    },
    /// The operation id is too old, of the future, or acknowledged: nobody can tell any more whether it ran, so it is not run.
    OperationExpired {
        /// Which call.
        at: Place,
        /// What time the id says, and what time it is by the server's clock.
        clocks: Clocks,
    },
    /// The server's store failed. Before the handler was started (`No`), or when its outcome was to be kept (`Unknown`).
    StoreUnavailable {
        /// Whether the handler ran.
        ran: Ran,
        /// Which call.
        at: Place,
    },
    /// The call never left this end; says why.
    NotSent(NotSent),
}

/// Errors of no particular call, called like their variants: to compare with, and to make by hand.
#[allow(non_upper_case_globals, non_snake_case, reason = "they are called like the variants that they are")]
impl<E> VoxError<E> {
    /// The service has no such method.
    pub const UnknownMethod: Self = Self::UnknownMethod { at: Place::UNKNOWN };
    /// The server is past a limit of its own.
    pub const Busy: Self = Self::Busy { at: Place::UNKNOWN, short: Shortage::UNKNOWN };
    /// The call was cancelled.
    pub const Cancelled: Self = Self::Cancelled { at: Place::UNKNOWN };
    /// The deadline passed after the call was sent.
    pub const DeadlineExceeded: Self = Self::DeadlineExceeded { at: Place::UNKNOWN };
    /// The handler panicked.
    pub const Panicked: Self = Self::Panicked { at: Place::UNKNOWN };
    /// Whether the call ran cannot be known.
    pub const Indeterminate: Self = Self::Indeterminate { at: Place::UNKNOWN, why: Cause::UNKNOWN };
    /// The operation id belongs to another call.
    pub const OperationConflict: Self = Self::OperationConflict { at: Place::UNKNOWN };
    /// The operation id is out of date.
    pub const OperationExpired: Self = Self::OperationExpired { at: Place::UNKNOWN, clocks: Clocks::UNKNOWN };

    /// The server's store failed.
    pub const fn StoreUnavailable(ran: Ran) -> Self {
        Self::StoreUnavailable { ran, at: Place::UNKNOWN }
    }
}

impl<E> VoxError<E> {
    /// Whether the handler ran.
    pub fn ran(&self) -> Ran {
        match self {
            Self::User(_) | Self::InvalidResponse(_) => Ran::Yes,
            Self::UnknownMethod { .. } | Self::InvalidPayload(_) | Self::Busy { .. } | Self::NotSent(_) => Ran::No,
            Self::OperationConflict { .. } | Self::OperationExpired { .. } => Ran::No,
            Self::StoreUnavailable { ran, .. } => *ran,
            Self::Cancelled { .. } | Self::DeadlineExceeded { .. } => Ran::Unknown,
            Self::Panicked { .. } | Self::Indeterminate { .. } => Ran::Unknown,
        }
    }

    /// Which call it was: its service, its method and the peer's address. Unknown for the method's own error.
    pub fn place(&self) -> &Place {
        match self {
            Self::User(_) => &Place::UNKNOWN,
            Self::InvalidPayload(why) | Self::InvalidResponse(why) => &why.at,
            Self::NotSent(why) => why.place(),
            Self::UnknownMethod { at }
            | Self::Busy { at, .. }
            | Self::Cancelled { at }
            | Self::DeadlineExceeded { at }
            | Self::Panicked { at }
            | Self::Indeterminate { at, .. }
            | Self::OperationConflict { at }
            | Self::OperationExpired { at, .. }
            | Self::StoreUnavailable { at, .. } => at,
        }
    }

    /// The same, of this call if it is of none so far.
    pub(crate) fn placed(mut self, place: impl FnOnce() -> Place) -> Self {
        match &mut self {
            Self::User(_) => {}
            Self::InvalidPayload(why) | Self::InvalidResponse(why) => why.at.or(place),
            Self::NotSent(why) => why.place_mut().or(place),
            Self::UnknownMethod { at }
            | Self::Busy { at, .. }
            | Self::Cancelled { at }
            | Self::DeadlineExceeded { at }
            | Self::Panicked { at }
            | Self::Indeterminate { at, .. }
            | Self::OperationConflict { at }
            | Self::OperationExpired { at, .. }
            | Self::StoreUnavailable { at, .. } => at.or(place),
        }
        self
    }

    /// The same, with these times if the operation is out of date and no times are known so far.
    pub(crate) fn timed(mut self, times: impl FnOnce() -> Clocks) -> Self {
        if let Self::OperationExpired { clocks, .. } = &mut self {
            clocks.or(times);
        }
        self
    }

    /// Nobody knows whether the call ran, for this reason.
    pub(crate) fn indeterminate(why: impl Into<Box<str>>) -> Self {
        Self::Indeterminate { at: Place::UNKNOWN, why: Cause::new(why) }
    }

    /// Whether the call may be tried again whatever its method is: it did not run, and what kept it from running passes.
    ///
    /// Of a method whose policy is known, [`is_retryable_under`](Self::is_retryable_under) says more.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Busy { .. } | Self::StoreUnavailable { ran: Ran::No, .. } => true,
            Self::NotSent(why) => {
                matches!(
                    why,
                    NotSent::Closed(_) | NotSent::NoLink(_) | NotSent::DeadlineExceeded { .. } | NotSent::Waited(_)
                )
            }
            _ => false,
        }
    }

    /// Whether a call of a method with this policy may be tried again: as [`is_retryable`](Self::is_retryable), and, where
    /// nobody knows whether it ran, if the method may run again, or keeps its outcome. A `persist` call is tried again
    /// *under the same operation id*; a handler that panicked has no outcome that could be had by asking again.
    ///
    /// A method's policy is in its service's descriptor, and a call says its own: [`Call::policy`](crate::Call::policy).
    pub fn is_retryable_under(&self, policy: RetryPolicy) -> bool {
        match (self.ran(), self) {
            (Ran::No, _) => self.is_retryable(),
            (Ran::Yes, _) => false,
            (Ran::Unknown, Self::Panicked { .. }) => policy.idem,
            (Ran::Unknown, _) => policy.idem || policy.persist,
        }
    }

    /// The outcome's name, for logs and metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::UnknownMethod { .. } => "unknown-method",
            Self::InvalidPayload(_) => "invalid-payload",
            Self::Busy { .. } => "busy",
            Self::Cancelled { .. } => "cancelled",
            Self::DeadlineExceeded { .. } => "deadline-exceeded",
            Self::Panicked { .. } => "panicked",
            Self::Indeterminate { .. } => "indeterminate",
            Self::InvalidResponse(_) => "invalid-response",
            Self::OperationConflict { .. } => "operation-conflict",
            Self::OperationExpired { .. } => "operation-expired",
            Self::StoreUnavailable { .. } => "store-unavailable",
            Self::NotSent(_) => "not-sent",
        }
    }

    /// The method's own error, if that is what it is.
    pub fn user(self) -> Option<E> {
        match self {
            Self::User(error) => Some(error),
            _ => None,
        }
    }

    /// The same outcome with the method's own error changed.
    pub fn map_user<F>(self, change: impl FnOnce(E) -> F) -> VoxError<F> {
        match self {
            Self::User(error) => VoxError::User(change(error)),
            Self::UnknownMethod { at } => VoxError::UnknownMethod { at },
            Self::InvalidPayload(why) => VoxError::InvalidPayload(why),
            Self::Busy { at, short } => VoxError::Busy { at, short },
            Self::Cancelled { at } => VoxError::Cancelled { at },
            Self::DeadlineExceeded { at } => VoxError::DeadlineExceeded { at },
            Self::Panicked { at } => VoxError::Panicked { at },
            Self::Indeterminate { at, why } => VoxError::Indeterminate { at, why },
            Self::InvalidResponse(why) => VoxError::InvalidResponse(why),
            Self::OperationConflict { at } => VoxError::OperationConflict { at },
            Self::OperationExpired { at, clocks } => VoxError::OperationExpired { at, clocks },
            Self::StoreUnavailable { ran, at } => VoxError::StoreUnavailable { ran, at },
            Self::NotSent(why) => VoxError::NotSent(why),
        }
    }

    /// Begins the error's text. A call that was not sent says by itself which it is.
    fn place_first(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if matches!(self, Self::NotSent(_)) { Ok(()) } else { self.place().introduce(f) }
    }
}

impl<E: MethodError> fmt::Display for VoxError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.place_first(f)?;
        match self {
            Self::User(error) => show(f, format_args!("{}", Own(error))),
            Self::UnknownMethod { .. } => {
                f.write_str("the service has no such method; the two ends are built from different traits")
            }
            Self::InvalidPayload(why) => write!(f, "the peer could not decode the arguments: {why}"),
            Self::Busy { short, .. } => {
                write!(f, "the server is busy: {short}; the call did not run, so try again")
            }
            Self::Cancelled { .. } => f.write_str("the call was cancelled; whether it ran is unknown"),
            Self::DeadlineExceeded { .. } => f.write_str("the deadline passed; whether the call ran is unknown"),
            Self::Panicked { .. } => f.write_str("the handler panicked; the server's log says where"),
            Self::Indeterminate { why, .. } => write!(f, "whether the call ran is unknown: {why}"),
            Self::InvalidResponse(why) => write!(f, "the call ran, but its response is lost: {why}"),
            Self::OperationConflict { .. } => f.write_str(
                "the operation id belongs to another call: of another method, with other arguments, or of another version of the client; \
                 this one did not run",
            ),
            Self::OperationExpired { clocks, .. } => write!(
                f,
                "the operation id is out of date, or was acknowledged: {clocks}; the call did not run. `Caller::new_operation` makes an id \
                 by the server's clock, and `OperationId::derive(key, when)` one of a name from elsewhere"
            ),
            Self::StoreUnavailable { ran: Ran::Unknown, .. } => f.write_str(
                "the server's store failed when the outcome was to be kept; whether the call ran is unknown",
            ),
            Self::StoreUnavailable { .. } => {
                f.write_str("the server's store failed; the call did not run, so try again")
            }
            Self::NotSent(why) => fmt::Display::fmt(why, f),
        }
    }
}

impl<E: fmt::Debug> fmt::Debug for VoxError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, at) = match self {
            Self::User(error) => return f.debug_tuple("User").field(&Own(error)).finish(),
            Self::InvalidPayload(why) => return f.debug_tuple("InvalidPayload").field(why).finish(),
            Self::InvalidResponse(why) => return f.debug_tuple("InvalidResponse").field(why).finish(),
            Self::NotSent(why) => return f.debug_tuple("NotSent").field(why).finish(),
            Self::OperationExpired { at, clocks } => {
                return f.debug_struct("OperationExpired").field("at", at).field("clocks", clocks).finish();
            }
            Self::Busy { at, short } => return f.debug_struct("Busy").field("at", at).field("short", short).finish(),
            Self::Indeterminate { at, why } => {
                return f.debug_struct("Indeterminate").field("at", at).field("why", why).finish();
            }
            Self::StoreUnavailable { ran, at } => {
                return f.debug_struct("StoreUnavailable").field("ran", ran).field("at", at).finish();
            }
            Self::UnknownMethod { at } => ("UnknownMethod", at),
            Self::Cancelled { at } => ("Cancelled", at),
            Self::DeadlineExceeded { at } => ("DeadlineExceeded", at),
            Self::Panicked { at } => ("Panicked", at),
            Self::OperationConflict { at } => ("OperationConflict", at),
        };
        f.debug_struct(name).field("at", at).finish()
    }
}

/// A method's own error, which prints as itself.
struct Own<'a, E>(&'a E);

impl<E: fmt::Debug> fmt::Debug for Own<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // On many lines as it is: the lines are its type's.
        if f.alternate() { self.0.fmt(f) } else { show(f, format_args!("{:?}", self.0)) }
    }
}

impl<E: MethodError> fmt::Display for Own<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.show(f)
    }
}

impl<E: MethodError> std::error::Error for VoxError<E> {}

/// A method without an error of its own fails as any other does, so `?` works between them.
impl<E: Facet<'static>> From<VoxError<Never>> for VoxError<E> {
    fn from(error: VoxError<Never>) -> Self {
        error.widen()
    }
}

impl VoxError<Never> {
    /// The same as the error of a method that has one of its own. `?` does it too, where `E` crosses the wire.
    pub fn widen<E>(self) -> VoxError<E> {
        self.map_user(|never| match never {})
    }
}

impl VoxError<Infallible> {
    /// The same as the error of a method that can fail.
    pub fn widen<E>(self) -> VoxError<E> {
        self.map_user(|never| match never {})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What may be tried again: whatever the method, and under each policy.
    fn check(error: VoxError, any: bool, idem: bool, persist: bool) {
        let under = |policy| error.is_retryable_under(policy);
        let found = (error.is_retryable(), under(RetryPolicy::IDEM), under(RetryPolicy::PERSIST));
        assert_eq!(found, (any, idem, persist), "{error:?}");
        assert_eq!(
            (under(RetryPolicy::VOLATILE), under(RetryPolicy::IDEM_PERSIST)),
            (any, idem || persist),
            "{error:?}"
        );
    }

    #[test]
    fn what_did_not_run_may_be_tried_again_if_what_kept_it_passes() {
        check(VoxError::Busy, true, true, true);
        check(VoxError::StoreUnavailable(Ran::No), true, true, true);
        check(VoxError::NotSent(NotSent::Closed(String::new().into())), true, true, true);
        check(VoxError::NotSent(NotSent::DeadlineExceeded), true, true, true);
        check(VoxError::NotSent(NotSent::Waited(String::new().into())), true, true, true);
        check(VoxError::NotSent(NotSent::TooLarge(String::new().into())), false, false, false);
        check(VoxError::UnknownMethod, false, false, false);
        check(VoxError::OperationConflict, false, false, false);
        check(VoxError::OperationExpired, false, false, false);
    }

    #[test]
    fn what_may_have_run_is_tried_again_only_as_its_policy_says() {
        check(VoxError::Indeterminate, false, true, true);
        check(VoxError::DeadlineExceeded, false, true, true);
        check(VoxError::StoreUnavailable(Ran::Unknown), false, true, true);
        check(VoxError::Panicked, false, true, false);
        check(VoxError::InvalidResponse(String::new().into()), false, false, false);
    }
}
