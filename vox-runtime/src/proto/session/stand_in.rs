//! The stand-in for a session that a panic of vox itself has left half changed.

use std::sync::Arc;
use std::time::Instant;

use super::Session;
use crate::error::EndReason;
use crate::wire::Frame;

impl Session {
    /// A session with this one's role and limits that has ended for `reason`, and in which nothing is open. With `words`, a goodbye
    /// is all that it still has to write.
    pub(crate) fn remains(&self, now: Instant, reason: EndReason, words: Option<&str>) -> Self {
        let mut remains = Self::new(self.role, Arc::clone(&self.limits), self.peer, now);
        if let Some(words) = words {
            let reason = remains.fx.words(words);
            remains.fx.send(&Frame::Goodbye { reason });
        }
        remains.ended = Some(reason);
        remains
    }
}
