//! The errors of the codec, as data.
//!
//! Whose fault: a [`PlanError`] is the programmer's (a type that cannot cross the wire), an
//! [`EncodeError`] is the sender's, a [`DecodeError`] is the peer's who sent the bytes.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::error::Shortage;
use crate::escaped::Escaped;

/// A type that cannot be sent, found when its plan is compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlanError {
    /// The way from the planned type to the offending one, e.g. `Transfer.rows[].tag`.
    pub path: String,
    /// The name of the offending type.
    pub type_name: String,
    /// Why it cannot be sent.
    pub reason: Cow<'static, str>,
    /// What to write instead.
    pub instead: Cow<'static, str>,
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, type_name, reason, instead } = self;
        write!(f, "`{path}` of type `{type_name}` cannot cross the wire: {reason}; {instead}")
    }
}

impl std::error::Error for PlanError {}

/// A value that could not be encoded. Nothing of it is left in the buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeError {
    /// The encoding is longer than the buffer may become.
    TooLarge {
        /// The bytes that it takes at least, with what was in the buffer before.
        needed: usize,
        /// The most bytes the buffer may hold.
        limit: usize,
    },
    /// The value nests deeper than a peer would accept.
    TooDeep {
        /// The deepest nesting.
        limit: u32,
    },
    /// The value would take more memory than its receiver grants a message.
    OverBudget {
        /// The memory that it takes at least, in bytes.
        needed: usize,
        /// The memory that it may take, in bytes.
        limit: usize,
    },
    /// A collection has more items that take no bytes than any receiver takes.
    TooManyEmptyItems {
        /// How many it has.
        count: u64,
        /// How many it may have.
        limit: usize,
    },
    /// The value holds a channel where no channel can be opened.
    NoChannels,
    /// A channel in the value could not be given away; the reason comes from the channel hook.
    Channel(Cow<'static, str>),
    /// A path in the value is not UTF-8.
    PathNotUtf8,
    /// A foreign type refused to be encoded.
    Unrepresentable(&'static str),
    /// The type cannot be sent at all.
    Plan(Arc<PlanError>),
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { needed, limit } => {
                write!(f, "the encoding takes {needed} bytes or more, over the limit of {limit} bytes")
            }
            Self::TooDeep { limit } => {
                write!(f, "the value nests deeper than {limit} levels, the most that `Limits::max_depth` may be")
            }
            Self::OverBudget { needed, limit } => write!(
                f,
                "the value takes {needed} bytes of memory or more when it is decoded, over the peer's limit of {limit} \
                 bytes; `Limits::max_decoded_bytes` of the peer raises it"
            ),
            Self::TooManyEmptyItems { count, limit } => {
                write!(
                    f,
                    "a collection of {count} items that take no bytes passes the limit of {limit} such items; no setting \
                     raises it: send their number"
                )
            }
            Self::NoChannels => f.write_str("the value holds a channel, and none can be opened here"),
            Self::Channel(why) => write!(f, "a channel in the value cannot be given away: {why}"),
            Self::PathNotUtf8 => f.write_str("a path in the value is not UTF-8"),
            Self::Unrepresentable(what) => {
                write!(f, "the value holds {what}, which has no encoding")
            }
            Self::Plan(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for EncodeError {}

/// Bytes that are not an encoding of the expected type, or cost more than they may.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DecodeError {
    /// What is wrong.
    pub kind: DecodeErrorKind,
    /// Where in the frame reading stopped.
    pub offset: usize,
}

impl DecodeError {
    /// An error of `kind` found at `offset` of the frame.
    #[must_use]
    pub fn new(kind: DecodeErrorKind, offset: usize) -> Self {
        Self { kind, offset }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}: {}", self.offset, self.kind)
    }
}

impl std::error::Error for DecodeError {}

/// What is wrong with bytes that could not be decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The frame ends inside the value.
    UnexpectedEnd,
    /// The value ends before the frame does.
    TrailingBytes,
    /// A number does not fit its type, or its encoding never ends.
    BadVarint,
    /// A `bool` that is neither 0 nor 1.
    BadBool,
    /// An `Option` whose tag is neither 0 nor 1.
    BadOption,
    /// A `char` that is none.
    BadChar,
    /// A string that is not UTF-8.
    BadUtf8,
    /// An enum has no variant of this index.
    BadVariant(u32),
    /// An enum has a variant of this name where it was written, and not here.
    UnknownVariant {
        /// The variant.
        name: Box<str>,
        /// The enum, as it is called here.
        of: &'static str,
    },
    /// A field that its sender does not have has no default that could be made.
    NoDefault,
    /// Bytes that are no value of this type (a `NonZero` of zero, a `Duration` that overflows).
    BadValue(&'static str),
    /// A length that the rest of the frame cannot hold.
    BadLength(u64),
    /// A collection has more items that take no bytes than it may.
    TooManyEmptyItems {
        /// How many it has.
        count: u64,
        /// How many it may have.
        limit: usize,
    },
    /// The value would take more memory than the message may cost.
    OverBudget {
        /// The memory that it takes at least, in bytes.
        needed: usize,
        /// The memory that it may take, in bytes.
        limit: usize,
    },
    /// The end that decodes the value keeps too much because of its peer already.
    OverMemory {
        /// Which limit it is, and the numbers.
        short: Shortage,
    },
    /// The value nests deeper than the message may.
    TooDeep {
        /// How deep it may nest.
        limit: u32,
    },
    /// The value holds a channel where none can be accepted.
    NoChannels,
    /// A channel in the value could not be taken; the reason comes from the channel hook.
    Channel(Cow<'static, str>),
    /// It is no value of a type that is known by its schema alone: where in it, and why.
    Value(Box<str>),
    /// The type cannot be received at all.
    Plan(Arc<PlanError>),
}

impl fmt::Display for DecodeErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(why) => f.write_str(why),
            Self::UnexpectedEnd => f.write_str("the frame ends inside the value"),
            Self::TrailingBytes => f.write_str("bytes are left after the value"),
            Self::BadVarint => f.write_str("a number does not fit its type"),
            Self::BadBool => f.write_str("a bool is neither 0 nor 1"),
            Self::BadOption => f.write_str("an option's tag is neither 0 nor 1"),
            Self::BadChar => f.write_str("a char is none"),
            Self::BadUtf8 => f.write_str("a string is not UTF-8"),
            Self::BadVariant(index) => write!(f, "an enum has no variant {index}"),
            Self::UnknownVariant { name, of } => {
                write!(f, "the variant `{}`, which `{of}` does not have here", Escaped::name(name))
            }
            Self::NoDefault => f.write_str("a field that is not sent, whose default cannot be made"),
            Self::BadValue(what) => write!(f, "not a valid {what}"),
            Self::BadLength(len) => write!(f, "a length of {len} is more than the frame holds"),
            Self::TooManyEmptyItems { count, limit } => {
                write!(
                    f,
                    "a collection of {count} items that take no bytes passes the limit of {limit} such items; no setting \
                     raises it: send their number"
                )
            }
            Self::OverBudget { needed, limit } => write!(
                f,
                "the value takes {needed} bytes of memory or more, over the limit of {limit} bytes; \
                 `Limits::max_decoded_bytes` of the end that decodes it raises it"
            ),
            Self::OverMemory { short } => write!(f, "the end that decodes the value is busy: {short}"),
            Self::TooDeep { limit } => write!(
                f,
                "the value nests {} levels deep or more, over the limit of {limit}; `Limits::max_depth` of the end that \
                 decodes it raises it",
                u64::from(*limit) + 1
            ),
            Self::NoChannels => f.write_str("the value holds a channel, and none is accepted here"),
            Self::Channel(why) => write!(f, "a channel in the value cannot be taken: {why}"),
            Self::Plan(error) => error.fmt(f),
        }
    }
}
