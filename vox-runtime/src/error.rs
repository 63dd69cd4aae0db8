//! Errors say who is at fault: the application, the peer, this end's user, the link, or nobody knows.

use std::fmt;
use std::sync::Arc;

mod call;
mod call_error;
mod cause;
mod clocks;
mod method;
mod place;
mod shortage;

pub use call::VoxError;
pub use call_error::CallError;
pub use cause::Cause;
pub use clocks::Clocks;
pub use method::{MethodError, Never};
pub use place::{Place, Reason};
pub use shortage::Shortage;
pub(crate) use shortage::{Scarce, Short};

use crate::shown::Shown;

/// Why a call never left this end.
///
/// To compare with, `NotSent::DeadlineExceeded` is a constant too; in a pattern it is `NotSent::DeadlineExceeded { .. }`.
#[derive(Debug, Clone, PartialEq, Eq, facet::Facet)]
#[repr(u8)]
#[non_exhaustive]
pub enum NotSent {
    /// The connection or its session had ended; says how.
    Closed(Reason),
    /// The deadline passed before the call could be sent: there was no session, or no time.
    DeadlineExceeded {
        /// Which call.
        at: Place,
    },
    /// The deadline passed while the call waited for a limit to make room; says which, and its number.
    Waited(Reason),
    /// The arguments or the metadata are over a limit; says which.
    TooLarge(Reason),
    /// An argument cannot cross the wire; says which and why.
    InvalidArgument(Reason),
    /// The peer was built from another version of the service, in which the method differs; says where.
    Incompatible(Reason),
    /// The deadline passed while there was no link to the peer; says why there is none, and how often one was tried.
    NoLink(Reason),
}

/// Whether a call's handler ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, facet::Facet)]
#[repr(u8)]
#[allow(clippy::exhaustive_enums, reason = "there is nothing beside these three")]
pub enum Ran {
    /// It did not, and will not.
    No,
    /// It did, to its end.
    Yes,
    /// It may have.
    Unknown,
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::No => "it did not run",
            Self::Yes => "it ran to its end",
            Self::Unknown => "whether it ran is unknown",
        })
    }
}

impl NotSent {
    /// [`NotSent::DeadlineExceeded`](enum@NotSent) of no particular call, to compare with.
    #[allow(non_upper_case_globals, reason = "it is called like the variant that it is")]
    pub const DeadlineExceeded: Self = Self::DeadlineExceeded { at: Place::UNKNOWN };

    /// Which call.
    pub fn place(&self) -> &Place {
        match self {
            Self::Closed(why) | Self::TooLarge(why) | Self::InvalidArgument(why) => &why.at,
            Self::Incompatible(why) | Self::NoLink(why) | Self::Waited(why) => &why.at,
            Self::DeadlineExceeded { at } => at,
        }
    }

    /// Why, without the call and that it was not sent.
    pub(crate) fn words(&self) -> Words<'_> {
        Words(self)
    }

    fn place_mut(&mut self) -> &mut Place {
        match self {
            Self::Closed(why) | Self::TooLarge(why) | Self::InvalidArgument(why) => &mut why.at,
            Self::Incompatible(why) | Self::NoLink(why) | Self::Waited(why) => &mut why.at,
            Self::DeadlineExceeded { at } => at,
        }
    }
}

/// Why a call was not sent, and no more.
pub(crate) struct Words<'a>(&'a NotSent);

impl fmt::Display for NotSent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.place().introduce(f)?;
        write!(f, "the call was not sent: {}", self.words())
    }
}

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            NotSent::Closed(how) => write!(f, "the connection is closed: {how}"),
            NotSent::DeadlineExceeded { .. } => f.write_str("its deadline passed before it had left"),
            NotSent::Waited(what) => write!(f, "its deadline passed while it waited for {what}"),
            NotSent::TooLarge(what) | NotSent::InvalidArgument(what) | NotSent::NoLink(what) => {
                fmt::Display::fmt(what, f)
            }
            NotSent::Incompatible(how) => {
                write!(f, "the two ends have different versions of {how}")
            }
        }
    }
}

impl std::error::Error for NotSent {}

/// A peer broke the protocol. The session ends with this one error.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
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
        write!(f, "{}: {}", self.rule.name(), Shown::new(&self.detail))
    }
}

impl fmt::Debug for ProtocolViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let detail = Shown::new(&self.detail);
        f.debug_struct("ProtocolViolation").field("rule", &self.rule).field("detail", &detail).finish()
    }
}

impl std::error::Error for ProtocolViolation {}

macro_rules! rules {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $name:literal;)*) => {
        /// The rules a peer can break, with the codes that the wire gives them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        #[non_exhaustive]
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
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
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
    /// vox itself panicked at this end, in this session. That is a bug of vox: please report it, with the panic's message. Other sessions go
    /// on.
    InternalFault,
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClosedHere => f.write_str("closed by this end"),
            Self::Goodbye(why) => write!(f, "closed by the peer: {}", Shown::new(why)),
            Self::LinkLost(how) => write!(f, "the link was lost: {}", Shown::new(how)),
            Self::Lost(why) => write!(f, "the session was lost: {}", Shown::new(why)),
            Self::KeepaliveTimeout => f.write_str("the peer did not answer in time (`Limits::keepalive_timeout`)"),
            Self::WriteStalled => f.write_str("the peer stopped reading (`Limits::write_stall`)"),
            Self::PeerViolation(violation) => write!(f, "the peer broke the protocol: {violation}"),
            Self::AccusedByPeer(violation) => {
                write!(f, "the peer says this end broke the protocol: {violation}")
            }
            Self::InternalFault => f.write_str(
                "an internal fault of vox at this end; please report it, with the message of the panic that was printed",
            ),
        }
    }
}

impl fmt::Debug for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, what): (_, &dyn fmt::Debug) = match self {
            Self::ClosedHere => return f.write_str("ClosedHere"),
            Self::KeepaliveTimeout => return f.write_str("KeepaliveTimeout"),
            Self::WriteStalled => return f.write_str("WriteStalled"),
            Self::InternalFault => return f.write_str("InternalFault"),
            Self::Goodbye(why) => ("Goodbye", &Shown::new(why)),
            Self::LinkLost(how) => ("LinkLost", &Shown::new(how)),
            Self::Lost(why) => ("Lost", &Shown::new(why)),
            Self::PeerViolation(violation) => ("PeerViolation", violation),
            Self::AccusedByPeer(violation) => ("AccusedByPeer", violation),
        };
        f.debug_tuple(name).field(what).finish()
    }
}

impl std::error::Error for EndReason {}

/// Why a connection was refused, as the opener sees it.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// The kind of refusal.
    pub code: RefusalCode,
    /// The reason, for a person.
    pub reason: String,
}

/// The kinds of refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
#[non_exhaustive]
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
    /// A refusal of this kind, with a reason for the peer that is refused.
    pub fn new(code: RefusalCode, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Shown::new(&self.reason), f)
    }
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = Shown::new(&self.reason);
        f.debug_struct("Refusal").field("code", &self.code).field("reason", &reason).finish()
    }
}

impl std::error::Error for Refusal {}
