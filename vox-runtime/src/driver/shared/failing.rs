//! A panic of vox itself in a session ends that session, with [`EndReason::InternalFault`], and nothing else.
//!
//! What a panic under the session's lock leaves may be half changed, so nothing goes on with it. As far as the core is still able to,
//! it ends its calls itself, and knows which of them never left. A session that has ended takes its place, and whatever still waits is
//! told that its outcome is unknown.

use super::super::shared::Shared;
use super::super::state::State;
use super::super::sync::MutexGuard;
use crate::error::EndReason;

impl Shared {
    /// vox has panicked in this session, under its lock or not.
    #[cold]
    pub(in crate::driver) fn fail(&self) {
        let state = self.lock();
        if state.session.end_reason() != Some(&EndReason::InternalFault) {
            drop(self.end_by_fault(state));
        }
    }

    /// Ends the session, and wakes those who wait for anything of it. Gives the lock back.
    #[cold]
    pub(in crate::driver) fn end_by_fault<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.state.clear_poison();
        state.fail(&self.router);
        let deferred = state.deferred.take();
        drop(state);
        if let Some(deferred) = deferred {
            self.run_deferred(deferred);
        }
        self.lock()
    }
}

#[cfg(test)]
mod tests;
