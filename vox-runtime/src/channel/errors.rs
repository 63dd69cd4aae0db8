//! Errors of channels: why an item was not sent, or none was received. Each names its call.

use std::fmt;

use crate::codec::DecodeError;
use crate::error::{Place, Reason};
use crate::wire::Reset;

/// Why an item was not sent, or why a channel takes no more.
///
/// [`place`](Self::place) is the call that the channel came with, and errors are compared without it: `SendError::Reset` is a constant
/// too, and in a pattern it is `SendError::Reset { .. }`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// The receiver was dropped, or its handler ended without taking it.
    Reset {
        /// Which call the channel came with.
        at: Place,
    },
    /// The receiving end keeps more of its peer than it may (its `Limits::session_memory`), and took no more; says how much.
    Full(Reason),
    /// The connection was lost or closed; says how.
    ConnectionLost(Reason),
    /// The call that carried the other half was not sent; says why.
    NotBound(Reason),
    /// The item is larger than the peer takes, or cannot be encoded; says why.
    InvalidItem(Reason),
}

impl SendError {
    /// The receiver is gone, on no particular channel: to compare with.
    #[allow(non_upper_case_globals, reason = "it is called like the variant that it is")]
    pub const Reset: Self = Self::Reset { at: Place::UNKNOWN };

    /// Which call the channel came with. Unknown for a channel that no call carries.
    pub fn place(&self) -> &Place {
        match self {
            Self::Reset { at } => at,
            Self::Full(why) | Self::ConnectionLost(why) | Self::NotBound(why) | Self::InvalidItem(why) => why.place(),
        }
    }
}

/// Why an item was not sent at once.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrySendError<T> {
    /// There is no credit now, or no call carries the other half yet and as many items wait for it as may, or the call is being made
    /// again; the item comes back.
    Full(T),
    /// It will never be sent.
    Closed(SendError),
}

/// Why there is no further item, other than a clean end.
///
/// [`place`](Self::place) is the call that the channel came with, and errors are compared without it: `RecvError::Dropped` and
/// `RecvError::Reset` are constants too, and in a pattern they are `RecvError::Dropped { .. }` and `RecvError::Reset { .. }`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecvError {
    /// The sender was dropped and had not been [closed](crate::Tx::close): the items before may be a part of what was meant.
    Dropped {
        /// Which call the channel came with.
        at: Place,
    },
    /// The sender gave up, by [`Tx::abort`](crate::Tx::abort); says why.
    Aborted(Reason),
    /// A panic or a cancel took the sender, or the call ended without its handler taking the sender up.
    Reset {
        /// Which call the channel came with.
        at: Place,
    },
    /// This end keeps more of its peer than it may (`Limits::session_memory`), and took no further items; says how much.
    Full(Reason),
    /// The connection was lost or closed before the sender closed the channel; says how.
    ConnectionLost(Reason),
    /// The call that carried the other half was not sent; says why.
    NotBound(Reason),
    /// An item that cannot be decoded. The channel ends with it.
    BadItem {
        /// Where in it, and why.
        error: DecodeError,
        /// Which call the channel came with.
        at: Place,
    },
}

/// Errors of no particular channel, called like their variants: to compare with.
#[allow(non_upper_case_globals, reason = "they are called like the variants that they are")]
impl RecvError {
    /// The sender was dropped.
    pub const Dropped: Self = Self::Dropped { at: Place::UNKNOWN };
    /// The sender is gone.
    pub const Reset: Self = Self::Reset { at: Place::UNKNOWN };

    /// Which call the channel came with. Unknown for a channel that no call carries.
    pub fn place(&self) -> &Place {
        match self {
            Self::Dropped { at } | Self::Reset { at } | Self::BadItem { at, .. } => at,
            Self::Aborted(why) | Self::Full(why) | Self::ConnectionLost(why) | Self::NotBound(why) => why.place(),
        }
    }

    pub(super) fn reset(why: Reset, at: Place) -> Self {
        match why {
            Reset::Gone => Self::Reset { at },
            Reset::Dropped => Self::Dropped { at },
            Reset::Aborted(reason) => Self::Aborted(Reason::new(reason, at)),
            Reset::Full(reason) => Self::Full(Reason::new(reason, at)),
        }
    }
}

/// Why [`Rx::try_recv`](crate::Rx::try_recv) has no item.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TryRecvError {
    /// None is here now; one may yet come.
    Empty,
    /// The sender has closed the channel, and every item was received.
    Closed,
    /// There will be none, and the end is not a clean one.
    Failed(RecvError),
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        introduce(self.place(), f)?;
        match self {
            Self::Reset { .. } => f.write_str("the receiver is gone"),
            Self::Full(why) => write!(f, "the receiving end takes no more: {why}"),
            Self::ConnectionLost(how) => write!(f, "the connection is gone: {how}"),
            Self::NotBound(why) => fmt::Display::fmt(why, f),
            Self::InvalidItem(why) => write!(f, "the item cannot be sent: {why}"),
        }
    }
}

impl std::error::Error for SendError {}

impl<T> fmt::Display for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(_) => f.write_str(
                "the channel has no room now: what its reader has not taken is as much as its `Limits::channel_items` or \
                 `Limits::channel_bytes` allow",
            ),
            Self::Closed(error) => error.fmt(f),
        }
    }
}

impl<T: fmt::Debug> std::error::Error for TrySendError<T> {}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        introduce(self.place(), f)?;
        match self {
            Self::Dropped { .. } => f.write_str("the sender was dropped without close()"),
            Self::Aborted(reason) if reason.is_empty() => {
                f.write_str("the sender aborted the channel, without a reason")
            }
            Self::Aborted(reason) => write!(f, "the sender aborted the channel: {reason}"),
            Self::Reset { .. } => {
                f.write_str("the sender is gone: its handler panicked, was stopped or did not take it")
            }
            Self::Full(why) => write!(f, "items were not taken: {why}"),
            Self::ConnectionLost(how) => write!(f, "the connection is gone: {how}"),
            Self::NotBound(why) => fmt::Display::fmt(why, f),
            Self::BadItem { error, .. } => write!(f, "an item cannot be decoded: {error}"),
        }
    }
}

impl std::error::Error for RecvError {}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("no item is here now"),
            Self::Closed => f.write_str("the channel is closed, and every item was received"),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for TryRecvError {}

/// Begins the text of a channel's error.
fn introduce(place: &Place, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match place.is_known() {
        true => write!(f, "a channel of {place}: "),
        false => f.write_str("a channel that no call carries: "),
    }
}
