//! Drops the dispatchers of connections that have ended.

use super::super::deferred::LogEvent;
use super::super::state::State;

impl State {
    /// Lets go of the dispatchers whose connections are gone, and from which no handler runs on: once the lock is free, for their drop is
    /// the user's.
    pub(in crate::driver) fn let_go_of_chosen(&mut self) {
        let Self { chosen: Some(chosen), session, deferred, .. } = self else { return };
        for place in &mut chosen.0 {
            if let Some((_, dispatcher)) = place.take_if(|(connection, _)| !session.serves(*connection)) {
                deferred.notes.push(LogEvent::LetGo(dispatcher));
            }
        }
    }
}
