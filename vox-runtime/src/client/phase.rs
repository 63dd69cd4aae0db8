//! The phase of a remote: calls follow it while the [`Reconnector`](super::reconnector::Reconnector) dials.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use crate::error::EndReason;
use crate::escaped::Escaped;

/// How a peer is reached just now.
#[derive(Debug, Clone)]
pub(super) enum Phase {
    /// Nobody has needed it yet.
    Idle,
    /// The session has a link.
    Up,
    /// It has none, and one is dialled for.
    Trying(Trying),
    /// The runtime went down, and the task with it. The next who needs a session starts another task where he is.
    Orphaned,
    /// There will be no other session.
    Over(EndReason),
}

/// An outage so far.
#[derive(Debug, Clone)]
pub(super) struct Trying {
    pub(super) since: Instant,
    pub(super) attempts: u32,
    /// Why the last attempt failed; before the first, why there is no link.
    pub(super) why: Arc<str>,
}

impl fmt::Display for Trying {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.attempts {
            0 => write!(f, "{}, and no attempt to make one has ended yet", Escaped::new(&self.why)),
            1 => write!(f, "{}, 1 attempt", Escaped::new(&self.why)),
            attempts => write!(f, "{}, {attempts} attempts", Escaped::new(&self.why)),
        }
    }
}
