//! The end of the calls on a connection that is gone.

use super::super::{Effects, Output};
use super::{Agreement, AttemptState, CallEnd, Calling};
use crate::error::EndReason;

impl Calling {
    /// The connection is gone, and nobody goes by its terms any more.
    pub(in super::super) fn end_terms(&mut self, fx: &mut Effects) {
        if let Agreement::Differs(agreed) = std::mem::replace(&mut self.agreement, Agreement::Equal) {
            agreed.end(fx);
        }
    }

    /// This end closes the connection, and says so after all that was put before, calls included.
    pub(in super::super) fn end_all(&mut self, reason: &EndReason, fx: &mut Effects) {
        self.end_terms(fx);
        let (left, mut room) = (fx.outbox.end(), usize::MAX);
        self.end_some(reason, left, &mut room, fx);
    }

    /// The connection is gone, and so much of the stream has left: so many channels and calls end. A call that may be made again finds
    /// that its channels are lost. `true`: that was all.
    pub(in super::super) fn end_some(
        &mut self,
        reason: &EndReason,
        left: u64,
        room: &mut usize,
        fx: &mut Effects,
    ) -> bool {
        if !self.channels.end_some(reason, room, fx) {
            return false;
        }
        while *room > 0
            && let Some(attempt) = self.attempts.pop_first()
        {
            *room -= 1;
            let AttemptState::Waiting(token) = attempt.state else { continue };
            let end = match attempt.end <= left {
                true => CallEnd::Indeterminate,
                false => CallEnd::NeverLeft(reason.clone()),
            };
            fx.emit(Output::Finish { token, end });
        }
        self.attempts.is_empty()
    }
}
