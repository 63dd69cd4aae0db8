//! Why a call was not sent.

use std::fmt;

use super::{Place, Reason};

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

    pub(super) fn place_mut(&mut self) -> &mut Place {
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
