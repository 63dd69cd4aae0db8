//! The rules of the protocol that a peer can break, and the error that says which it broke.

use std::fmt;

use crate::escaped::Escaped;

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
        write!(f, "{}: {}", self.rule.name(), Escaped::new(&self.detail))
    }
}

impl fmt::Debug for ProtocolViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let detail = Escaped::new(&self.detail);
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
