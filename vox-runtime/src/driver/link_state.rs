//! The link of a session: the old one is let go of, the next one is taken up.
//!
//! Every link of a session has a number, which grows when it is lost and when another takes its place. A task that writes or
//! reads for a link that is no longer the session's finds another number under the lock, and what it did counts for nothing.
//! Only the session's task lets a link go or takes one up, so that its halves are changed by nobody while in use.

use crate::transport::Link;

/// Which link the session has, or that it has none.
#[derive(Debug, Default)]
pub(super) struct LinkState {
    /// Grows with every change.
    pub(super) number: u64,
    /// The next link, until the session's task takes it up.
    pub(super) next: Option<Box<Link>>,
}
