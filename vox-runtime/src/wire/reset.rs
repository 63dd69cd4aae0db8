//! Why a half of a channel ended without a clean end.

use super::put_str;
use super::reader::{Read, Reader, clean};

/// Why a half ended at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reset {
    /// The receiver wants no more, the call ended before the half was bound, or the handler that held the half did not return.
    Gone,
    /// The sender was dropped and had not been closed.
    Dropped,
    /// The sender gave up, and says why.
    Aborted(Box<str>),
    /// The receiver keeps more of its peer than it may, and says how much.
    Full(Box<str>),
}

const GONE: u8 = 0;
const DROPPED: u8 = 1;
const ABORTED: u8 = 2;
const FULL: u8 = 3;

impl Reset {
    /// A sender's abort. Of the reason remains what the peer would keep.
    pub(crate) fn aborted(reason: &str) -> Self {
        Self::Aborted(clean(reason).into())
    }

    pub(super) fn put(&self, out: &mut Vec<u8>) {
        let (code, reason) = match self {
            Self::Gone => (GONE, ""),
            Self::Dropped => (DROPPED, ""),
            Self::Aborted(reason) => (ABORTED, &**reason),
            Self::Full(reason) => (FULL, &**reason),
        };
        out.push(code);
        put_str(out, reason);
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Read<Self> {
        let code = r.byte("reset code")?;
        let reason = r.reason("reason")?;
        Ok(match code {
            DROPPED => Self::Dropped,
            ABORTED => Self::Aborted(reason.into()),
            FULL => Self::Full(reason.into()),
            // A code of a later version says no less than this.
            _ => Self::Gone,
        })
    }
}
