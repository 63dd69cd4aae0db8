//! Calls that wait for their replies.

use super::super::state::{State, Waiter};
use super::super::waiting::Sent;
use crate::proto::{CallEnd, LONG_REPLY};
use crate::wire;

impl State {
    /// The end of the call, unless it is yet to come.
    pub(in crate::driver) fn take_end(&mut self, sent: &Sent) -> Option<Option<CallEnd>> {
        if let Some(Waiter::Waiting(_)) = self.waiters.get_mut(sent.token) {
            return None;
        }
        let end = self.waiters.remove(sent.token);
        self.call_over(sent.token);
        let Some(Waiter::Done(end)) = end else { return Some(None) };
        if let CallEnd::Reply(payload) = &end
            && payload.len() > LONG_REPLY
        {
            self.session.reply_taken(sent.token);
            // What was left for later may be read now.
            if self.may_read_on() {
                self.poke_driver();
            }
        }
        if let (Some(id), CallEnd::Reply(payload)) = (sent.auto_id, &end)
            && wire::is_outcome(payload)
        {
            self.session.acknowledge_with_next(sent.connection, id);
        }
        Some(Some(end))
    }
}
