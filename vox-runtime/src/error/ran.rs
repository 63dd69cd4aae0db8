//! Whether a call's handler ran.

use std::fmt;

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
