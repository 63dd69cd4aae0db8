//! A call whose deadline has passed ends, at the end that made it and at the end that serves it.

use std::time::Instant;

use super::{Session, earlier};

impl Session {
    /// Ends what had to be done by now. Says nothing of the peer, so it may be called before the link is read.
    pub(crate) fn expire_due(&mut self, now: Instant) {
        if self.ended.is_none() && self.deadline.is_some_and(|deadline| deadline <= now) {
            self.expire(now);
        }
    }

    fn expire(&mut self, now: Instant) {
        let mut next = None;
        for (_, calling) in self.calling.iter_mut() {
            next = earlier(next, calling.expire(now, &mut self.fx));
        }
        for (_, serving) in self.serving.iter_mut() {
            next = earlier(next, serving.expire(now, &mut self.fx));
        }
        self.deadline = next;
    }
}
