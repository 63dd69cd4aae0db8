//! Halves of channels that were dropped, or whose call is over.

use super::super::backlog::HalfEnd;
use super::super::state::State;
use crate::proto::{ChannelEnd, Token};

impl State {
    /// The holder of a half lets go of it.
    pub(crate) fn let_go(&mut self, token: Token, end: &HalfEnd) {
        self.session.let_go(token);
        if !self.endpoints.get_mut(token).is_some_and(|endpoint| endpoint.let_go(end)) {
            self.forget_half(token);
        }
    }

    /// Nobody holds the half any more. Wakers that were left with it go once the lock is free.
    pub(in crate::driver) fn forget_half(&mut self, token: Token) {
        if let Some(mut endpoint) = self.endpoints.remove(token) {
            endpoint.wake(&mut self.deferred.spent);
        }
    }

    /// The call of this half is over: if the channel was lost, so it ends.
    pub(crate) fn release_half(&mut self, token: Token) {
        let Some(endpoint) = self.endpoints.get_mut(token) else { return };
        let Some(retry_hold) = endpoint.retry_hold.take() else { return };
        if retry_hold.half_end.is_some() {
            self.session.let_go(token);
            self.forget_half(token);
        } else if let Some(reason) = retry_hold.lost {
            endpoint.end(ChannelEnd::Lost(reason), &mut self.deferred.wakes);
        }
    }

    /// The call of this half was made again, and the half is elsewhere now. Gives how its holder let go of it, if so.
    pub(crate) fn move_half(&mut self, token: Token) -> Option<HalfEnd> {
        self.session.let_go(token);
        let mut endpoint = self.endpoints.remove(token)?;
        endpoint.wake(&mut self.deferred.wakes);
        endpoint.retry_hold?.half_end
    }
}
