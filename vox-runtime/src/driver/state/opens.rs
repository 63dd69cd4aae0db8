//! Connections that this end asks for.

use super::super::state::{OpenWaiter, State};
use crate::error::Refusal;
use crate::ids::ConnectionId;
use crate::proto::Token;

impl State {
    /// Forgets who asked for a connection.
    pub(crate) fn take_open(&mut self, token: Token) -> Option<OpenWaiter> {
        self.opens.as_mut()?.remove(token)
    }

    pub(in crate::driver) fn on_opened(&mut self, token: Token, result: Result<ConnectionId, Refusal>) {
        let Some(opens) = &mut self.opens else { return };
        match opens.get_mut(token) {
            Some(OpenWaiter::Abandoned) => {
                opens.remove(token);
                if let Ok(connection) = result {
                    self.session.shut(connection);
                }
            }
            Some(waiter) => {
                if let OpenWaiter::Waiting(Some(waker)) = std::mem::replace(waiter, OpenWaiter::Done(result)) {
                    self.deferred.wakes.push(waker);
                }
            }
            None => {}
        }
    }
}
