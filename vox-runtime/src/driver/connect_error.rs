//! Errors of connecting.

use std::fmt;
use std::io;
use std::time::Duration;

use super::backoff::Missed;
use crate::descriptor::ServiceError;
use crate::error::{Refusal, RefusalCode};
use crate::escaped::{Escaped, show};
use crate::limits::LimitError;
use crate::transport::{AddressError, NoLink};

/// Why there is no connection. Says to which address.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// The address cannot be read.
    Address(AddressError),
    /// There is no link to the address, or to any of its addresses.
    NoLink(NoLink),
    /// The link broke during the handshake.
    Broken {
        /// Where the link led.
        address: String,
        /// How it broke.
        error: io::Error,
    },
    /// The peer does not speak the protocol, or not as it should.
    Handshake {
        /// Where the link led.
        address: String,
        /// What was wrong.
        why: String,
    },
    /// The peer refused.
    Refused {
        /// Where the link led.
        address: String,
        /// What the peer says of it.
        refusal: Refusal,
    },
    /// It took too long.
    Timeout {
        /// Where to.
        address: String,
        /// How long it took.
        after: Duration,
        /// What had gone wrong until then, if anything.
        last: Option<Box<ConnectError>>,
    },
    /// A service cannot be served or called: one of its types cannot cross the wire.
    Service(ServiceError),
    /// The metadata is over a limit.
    Metadata {
        /// Whom it was for.
        address: String,
        /// Which limit, and by how much.
        why: String,
    },
    /// Two services that this end serves have the same name.
    DuplicateService(&'static str),
    /// The client cannot be made without connecting.
    NotLazy {
        /// Where it was to connect later.
        address: String,
        /// Why it cannot be.
        why: &'static str,
    },
    /// It was awaited outside of a tokio runtime, and sessions live in one.
    NoRuntime {
        /// Where to.
        address: String,
    },
    /// A limit of this end is set to what it cannot be.
    Limit(LimitError),
    /// The application gave no credentials to show.
    Credentials {
        /// Whom to show them.
        address: String,
        /// Why there are none.
        why: String,
    },
}

impl ConnectError {
    pub(crate) fn broken(error: io::Error) -> Self {
        Self::Broken { address: String::new(), error }
    }

    pub(crate) fn handshake(why: impl Into<String>) -> Self {
        Self::Handshake { address: String::new(), why: why.into() }
    }

    pub(crate) fn refused(refusal: Refusal) -> Self {
        Self::Refused { address: String::new(), refusal }
    }

    pub(crate) fn metadata(why: String) -> Self {
        Self::Metadata { address: String::new(), why }
    }

    pub(crate) fn no_credentials(why: String) -> Self {
        Self::Credentials { address: String::new(), why }
    }

    pub(crate) fn not_lazy(address: &str, why: &'static str) -> Self {
        Self::NotLazy { address: address.to_owned(), why }
    }

    pub(crate) fn no_runtime(address: &str) -> Self {
        Self::NoRuntime { address: address.to_owned() }
    }

    pub(crate) fn timeout(after: Duration) -> Self {
        Self::Timeout { address: String::new(), after, last: None }
    }

    /// The same error, which says where, if it does not already.
    pub(crate) fn at(mut self, place: &str) -> Self {
        match &mut self {
            Self::Broken { address, .. }
            | Self::Handshake { address, .. }
            | Self::Refused { address, .. }
            | Self::Credentials { address, .. }
            | Self::NotLazy { address, .. }
            | Self::NoRuntime { address }
            | Self::Metadata { address, .. }
            | Self::Timeout { address, .. } => {
                if address.is_empty() {
                    place.clone_into(address);
                }
            }
            Self::Address(_) | Self::NoLink(_) | Self::Service(_) | Self::DuplicateService(_) | Self::Limit(_) => {}
        }
        self
    }

    /// Whether it may be over before long, so that it is worth while to try again.
    pub(crate) fn passes(&self) -> bool {
        match self {
            Self::NoLink(_) | Self::Broken { .. } | Self::Timeout { .. } | Self::Handshake { .. } => true,
            Self::Credentials { .. } => true,
            Self::Refused { refusal, .. } => matches!(refusal.code, RefusalCode::Busy | RefusalCode::ShuttingDown),
            Self::Address(_)
            | Self::Service(_)
            | Self::Metadata { .. }
            | Self::DuplicateService(_)
            | Self::Limit(_)
            | Self::NoRuntime { .. }
            | Self::NotLazy { .. } => false,
        }
    }

    /// Whether a peer was asked, and said no.
    pub(crate) fn is_refused(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }

    /// What an attempt to connect that ended so came to.
    pub(crate) fn missed(&self) -> Missed {
        if matches!(self, Self::NoLink(_)) { Missed::NoLink } else { Missed::NoSession }
    }
}

impl From<AddressError> for ConnectError {
    fn from(error: AddressError) -> Self {
        Self::Address(error)
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(error) => error.fmt(f),
            Self::NoLink(error) => error.fmt(f),
            Self::Broken { address, error } => {
                show(f, format_args!("the link to {address} broke during the handshake: {error}"))
            }
            Self::Handshake { address, why } => show(f, format_args!("the handshake with {address} failed: {why}")),
            Self::Refused { address, refusal } => show(f, format_args!("{address} refused: {refusal}")),
            Self::Timeout { address, after, last } => {
                write!(f, "no session with {} within {after:?}", Escaped::new(address))?;
                match last {
                    Some(last) => write!(f, ": {last}"),
                    None => Ok(()),
                }
            }
            Self::Service(error) => error.fmt(f),
            Self::Metadata { address, why } => show(f, format_args!("no session with {address}: {why}")),
            Self::DuplicateService(name) => write!(f, "two services are called `{name}`"),
            Self::NotLazy { address, why } => show(f, format_args!("`lazy` gives no client of {address}: {why}")),
            Self::NoRuntime { address } => {
                show(f, format_args!("no session with {address}: there is no tokio runtime here"))
            }
            Self::Limit(error) => error.fmt(f),
            Self::Credentials { address, why } => show(f, format_args!("no credentials for {address}: {why}")),
        }
    }
}

// What another error is behind it says itself: nothing is printed twice where somebody prints the chain.
impl std::error::Error for ConnectError {}
