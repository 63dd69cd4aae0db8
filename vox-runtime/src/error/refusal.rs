//! Why a connection was refused.

use std::fmt;

use crate::escaped::Escaped;

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
        fmt::Display::fmt(&Escaped::new(&self.reason), f)
    }
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = Escaped::new(&self.reason);
        f.debug_struct("Refusal").field("code", &self.code).field("reason", &reason).finish()
    }
}

impl std::error::Error for Refusal {}
