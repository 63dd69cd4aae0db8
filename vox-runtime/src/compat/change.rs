//! A change between two snapshots, and who has to go first.

use std::fmt;

use super::code::Code;
use super::witness::Witness;

/// In which order the two ends may be upgraded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(clippy::exhaustive_enums, reason = "there are two ends")]
pub enum Order {
    /// Old and new ends go together.
    Any,
    /// Old clients go with new servers, and not the other way.
    ServersFirst,
    /// New clients go with old servers, and not the other way.
    ClientsFirst,
    /// Neither way.
    Breaking,
}

/// Where in a method a change is: who writes what has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Position {
    /// The method itself, or its policy.
    Method,
    /// An argument, which clients write.
    Argument,
    /// An item that the caller sends.
    CallerItem,
    /// An item that the handler sends.
    HandlerItem,
    /// What the method returns, which servers write.
    Return,
    /// The error that it returns.
    Error,
    /// An outcome that a server kept, which an older server wrote.
    KeptOutcome,
}

/// One change between two snapshots of a service.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Change {
    /// What kind of change it is.
    pub code: Code,
    /// Where: `Bank.rename`, then the way from there.
    pub place: String,
    /// Who writes what has changed.
    pub position: Position,
    /// What has changed, in the user's words.
    pub words: String,
    /// Who may be upgraded first.
    pub order: Order,
    /// What goes wrong between an old client and a new server.
    pub old_client: Option<String>,
    /// What goes wrong between a new client and an old server.
    pub new_client: Option<String>,
    /// A value for which it goes wrong, and what the other end says to it.
    pub witness: Option<Witness>,
    /// Names what was there before and what is there now.
    pub(super) before: String,
    pub(super) after: String,
}

impl Order {
    /// That where these go wrong.
    pub(super) fn of(old_client_fails: bool, new_client_fails: bool) -> Self {
        match (old_client_fails, new_client_fails) {
            (false, false) => Self::Any,
            (false, true) => Self::ServersFirst,
            (true, false) => Self::ClientsFirst,
            (true, true) => Self::Breaking,
        }
    }

    /// What is left where both have to hold.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let fails = |order| {
            (matches!(order, Self::ClientsFirst | Self::Breaking), matches!(order, Self::ServersFirst | Self::Breaking))
        };
        let ((a, b), (c, d)) = (fails(self), fails(other));
        Self::of(a || c, b || d)
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Any => "any order",
            Self::ServersFirst => "servers first",
            Self::ClientsFirst => "clients first",
            Self::Breaking => "breaking",
        })
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Method => "method",
            Self::Argument => "argument",
            Self::CallerItem => "item that the caller sends",
            Self::HandlerItem => "item that the handler sends",
            Self::Return => "return",
            Self::Error => "error",
            Self::KeptOutcome => "kept outcome",
        })
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {} ({})", self.code, self.place, self.words, self.order)?;
        if let Some(why) = &self.old_client {
            write!(f, "\n  an old client and a new server: {why}")?;
        }
        if let Some(why) = &self.new_client {
            write!(f, "\n  a new client and an old server: {why}")?;
        }
        match &self.witness {
            Some(witness) => write!(f, "\n  witness: {witness}"),
            None => Ok(()),
        }
    }
}
