//! Errors say who is at fault: the application, the peer, this end's user, the link, or nobody knows.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use crate::descriptor::RetryPolicy;

/// How a call ended, other than well. `E` is the method's own error.
///
/// [`ran`](Self::ran) answers what a caller needs before trying again.
#[derive(Debug, Clone, PartialEq, Eq, facet::Facet)]
#[repr(u8)]
pub enum VoxError<E = Infallible> {
    /// The method's own error: the handler ran and returned it.
    User(E),
    /// The service has no such method.
    UnknownMethod,
    /// The peer could not decode the arguments; says where and why.
    InvalidPayload(String),
    /// The server is past a limit of its own and did not start the handler.
    Busy,
    /// The call was cancelled after it was sent.
    Cancelled,
    /// The deadline passed after the call was sent.
    DeadlineExceeded,
    /// The handler panicked.
    Panicked,
    /// Whether the call ran cannot be known: the session was lost after the request may have left, or the server has no
    /// outcome on record of an operation that it did begin.
    Indeterminate,
    /// The handler ran, but its response could not be sent or decoded; says why.
    InvalidResponse(String),
    /// The operation id belongs to another call: to another method, or to other arguments.
    OperationConflict,
    /// The operation id is too old, or of the future: nobody can tell any more whether it ran, so it is not run.
    OperationExpired,
    /// The server's store failed. Before the handler was started (`No`), or when its outcome was to be kept (`Unknown`).
    StoreUnavailable(Ran),
    /// The call never left this end; says why.
    NotSent(NotSent),
}

/// Why a call never left this end.
#[derive(Debug, Clone, PartialEq, Eq, facet::Facet)]
#[repr(u8)]
pub enum NotSent {
    /// The connection or its session had ended; says how.
    Closed(String),
    /// The deadline passed while the call waited for its turn.
    DeadlineExceeded,
    /// The arguments or the metadata are over a limit; says which.
    TooLarge(String),
    /// An argument cannot cross the wire; says which and why.
    InvalidArgument(String),
    /// The peer was built from another version of the service, in which the method differs; says where.
    Incompatible(String),
}

/// Whether a call's handler ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, facet::Facet)]
#[repr(u8)]
pub enum Ran {
    /// It did not, and will not.
    No,
    /// It did, to its end.
    Yes,
    /// It may have.
    Unknown,
}

impl<E> VoxError<E> {
    /// Whether the handler ran.
    pub fn ran(&self) -> Ran {
        match self {
            Self::User(_) | Self::InvalidResponse(_) => Ran::Yes,
            Self::UnknownMethod | Self::InvalidPayload(_) | Self::Busy | Self::NotSent(_) => Ran::No,
            Self::OperationConflict | Self::OperationExpired => Ran::No,
            Self::StoreUnavailable(ran) => *ran,
            Self::Cancelled | Self::DeadlineExceeded | Self::Panicked | Self::Indeterminate => Ran::Unknown,
        }
    }

    /// Whether the call may be tried again whatever its method is: it did not run, and what kept it from running passes.
    ///
    /// Of a method whose policy is known, [`is_retryable_under`](Self::is_retryable_under) says more.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Busy | Self::StoreUnavailable(Ran::No) => true,
            Self::NotSent(why) => matches!(why, NotSent::Closed(_) | NotSent::DeadlineExceeded),
            Self::User(_)
            | Self::UnknownMethod
            | Self::InvalidPayload(_)
            | Self::Cancelled
            | Self::DeadlineExceeded
            | Self::Panicked
            | Self::Indeterminate
            | Self::InvalidResponse(_)
            | Self::OperationConflict
            | Self::OperationExpired
            | Self::StoreUnavailable(_) => false,
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
            (Ran::Unknown, Self::Panicked) => policy.idem,
            (Ran::Unknown, _) => policy.idem || policy.persist,
        }
    }

    /// The outcome's name, for logs and metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::UnknownMethod => "unknown-method",
            Self::InvalidPayload(_) => "invalid-payload",
            Self::Busy => "busy",
            Self::Cancelled => "cancelled",
            Self::DeadlineExceeded => "deadline-exceeded",
            Self::Panicked => "panicked",
            Self::Indeterminate => "indeterminate",
            Self::InvalidResponse(_) => "invalid-response",
            Self::OperationConflict => "operation-conflict",
            Self::OperationExpired => "operation-expired",
            Self::StoreUnavailable(_) => "store-unavailable",
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
            Self::UnknownMethod => VoxError::UnknownMethod,
            Self::InvalidPayload(why) => VoxError::InvalidPayload(why),
            Self::Busy => VoxError::Busy,
            Self::Cancelled => VoxError::Cancelled,
            Self::DeadlineExceeded => VoxError::DeadlineExceeded,
            Self::Panicked => VoxError::Panicked,
            Self::Indeterminate => VoxError::Indeterminate,
            Self::InvalidResponse(why) => VoxError::InvalidResponse(why),
            Self::OperationConflict => VoxError::OperationConflict,
            Self::OperationExpired => VoxError::OperationExpired,
            Self::StoreUnavailable(ran) => VoxError::StoreUnavailable(ran),
            Self::NotSent(why) => VoxError::NotSent(why),
        }
    }
}

impl<E: fmt::Display> fmt::Display for VoxError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(error) => error.fmt(f),
            Self::UnknownMethod => f.write_str("the service has no such method"),
            Self::InvalidPayload(why) => write!(f, "the peer could not decode the arguments: {why}"),
            Self::Busy => f.write_str("the server is past its limit; the call did not run"),
            Self::Cancelled => f.write_str("the call was cancelled"),
            Self::DeadlineExceeded => f.write_str("the deadline passed"),
            Self::Panicked => f.write_str("the handler panicked"),
            Self::Indeterminate => f.write_str("whether the call ran is unknown"),
            Self::InvalidResponse(why) => write!(f, "the call ran, but its response is lost: {why}"),
            Self::OperationConflict => f.write_str("the operation id belongs to another call; this one did not run"),
            Self::OperationExpired => f.write_str("the operation id is out of date; the call did not run"),
            Self::StoreUnavailable(Ran::Unknown) => f.write_str(
                "the server's store failed when the outcome was to be kept; whether the call ran is unknown",
            ),
            Self::StoreUnavailable(_) => f.write_str("the server's store failed; the call did not run"),
            Self::NotSent(why) => write!(f, "the call was not sent: {why}"),
        }
    }
}

impl fmt::Display for NotSent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(how) => write!(f, "the connection is closed: {how}"),
            Self::DeadlineExceeded => f.write_str("the deadline passed while it waited for its turn"),
            Self::TooLarge(what) | Self::InvalidArgument(what) => f.write_str(what),
            Self::Incompatible(how) => {
                write!(f, "the two ends have different versions of {how}; build both from one version of the trait")
            }
        }
    }
}

impl<E: fmt::Debug + fmt::Display> std::error::Error for VoxError<E> {}

/// A peer broke the protocol. The session ends with this one error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProtocolViolation {
    /// Which rule.
    pub rule: Rule,
    /// What was seen.
    pub detail: String,
}

impl ProtocolViolation {
    pub(crate) fn new(rule: Rule, detail: impl Into<String>) -> Self {
        Self { rule, detail: detail.into() }
    }
}

impl fmt::Display for ProtocolViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule.name(), self.detail)
    }
}

impl std::error::Error for ProtocolViolation {}

macro_rules! rules {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $name:literal;)*) => {
        /// The rules a peer can break, with the codes that the wire gives them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Rule { $($(#[$doc])* $variant = $code,)* }

        impl Rule {
            /// Every rule.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The rule's name in messages and in the protocol document.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The code on the wire.
            pub fn code(self) -> u8 {
                self as u8
            }

            /// The rule with this code.
            pub fn from_code(code: u8) -> Option<Self> {
                Self::ALL.iter().copied().find(|rule| rule.code() == code)
            }
        }
    };
}

rules! {
    /// A frame that cannot be parsed.
    MalformedFrame = 1, "malformed-frame";
    /// A frame or a long message longer than was announced.
    FrameTooLarge = 2, "frame-too-large";
    /// An id of the other end's parity.
    WrongParity = 3, "wrong-parity";
    /// An id that was used before.
    IdReused = 4, "id-reused";
    /// More calls in flight than was announced.
    TooManyCalls = 5, "too-many-calls";
    /// More connections open than was announced.
    TooManyConnections = 6, "too-many-connections";
    /// More channels open than was announced.
    TooManyChannels = 7, "too-many-channels";
    /// More items or bytes on a channel than were granted.
    CreditOverrun = 8, "credit-overrun";
    /// A grant that takes a channel's credit past its ceiling.
    CreditOverflow = 9, "credit-overflow";
    /// A message for a connection that was never opened.
    UnknownConnection = 10, "unknown-connection";
    /// A message for a channel that was never opened.
    UnknownChannel = 11, "unknown-channel";
    /// A reply to, or a cancel of, a request that was never made.
    UnknownRequest = 12, "unknown-request";
    /// A message that this end may not send: a reply from the caller, an item from the receiver.
    WrongDirection = 13, "wrong-direction";
    /// Metadata past its limits.
    MetadataTooLarge = 14, "metadata-too-large";
    /// More control messages waiting to be answered than an honest peer would cause.
    Flood = 15, "flood";
    /// An acknowledgement of what was not sent, or of less than the one before.
    FalseAck = 16, "false-ack";
    /// A part that belongs to no long message under way, or does not fit it; or a further message of a channel or a request
    /// before the long one is whole.
    WrongPart = 17, "wrong-part";
    /// More long messages begun, or more bytes of them, than was announced.
    TooManyParts = 18, "too-many-parts";
}

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndReason {
    /// This end closed it.
    ClosedHere,
    /// The peer said goodbye; says why.
    Goodbye(Arc<str>),
    /// The link was lost; says how.
    LinkLost(Arc<str>),
    /// The link was lost and the session could not be resumed; says why.
    Lost(Arc<str>),
    /// The peer did not answer a probe in time.
    KeepaliveTimeout,
    /// The peer did not read for too long.
    WriteStalled,
    /// The peer broke the protocol.
    PeerViolation(Arc<ProtocolViolation>),
    /// The peer says that this end broke the protocol.
    AccusedByPeer(Arc<ProtocolViolation>),
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClosedHere => f.write_str("closed by this end"),
            Self::Goodbye(why) => write!(f, "closed by the peer: {why}"),
            Self::LinkLost(how) => write!(f, "the link was lost: {how}"),
            Self::Lost(why) => write!(f, "the session was lost: {why}"),
            Self::KeepaliveTimeout => f.write_str("the peer did not answer in time"),
            Self::WriteStalled => f.write_str("the peer stopped reading"),
            Self::PeerViolation(violation) => write!(f, "the peer broke the protocol: {violation}"),
            Self::AccusedByPeer(violation) => {
                write!(f, "the peer says this end broke the protocol: {violation}")
            }
        }
    }
}

/// Why a connection was refused, as the opener sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The kind of refusal.
    pub code: RefusalCode,
    /// The reason, for a person.
    pub reason: String,
}

/// The kinds of refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum RefusalCode {
    /// The peer serves no service of that name.
    UnknownService = 1,
    /// The peer is past a limit of its own.
    Busy = 2,
    /// The peer is shutting down.
    ShuttingDown = 3,
    /// The peer does not accept who this end says it is.
    Unauthorized = 4,
    /// The session cannot be resumed: it is not known here, or not to this peer.
    SessionLost = 5,
    /// A kind of refusal that this version does not know.
    Other = 255,
}

impl RefusalCode {
    pub(crate) fn from_code(code: u8) -> Self {
        match code {
            1 => Self::UnknownService,
            2 => Self::Busy,
            3 => Self::ShuttingDown,
            4 => Self::Unauthorized,
            5 => Self::SessionLost,
            _ => Self::Other,
        }
    }
}

impl Refusal {
    /// A refusal of this kind, with a reason for whoever is refused.
    pub fn new(code: RefusalCode, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
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
        check(VoxError::NotSent(NotSent::Closed(String::new())), true, true, true);
        check(VoxError::NotSent(NotSent::DeadlineExceeded), true, true, true);
        check(VoxError::NotSent(NotSent::TooLarge(String::new())), false, false, false);
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
        check(VoxError::InvalidResponse(String::new()), false, false, false);
    }
}
