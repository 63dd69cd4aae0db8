//! Takes up the ends of handlers.

use super::super::shared::Shared;
use super::super::state::{Flush, State};
use crate::ids::{ConnectionId, RequestId};
use crate::proto::HandlerEnd;

impl Shared {
    /// A handler has ended. Where it is the only thing going on, its reply is written here and now.
    pub(crate) fn handler_ended(&self, connection: ConnectionId, request: RequestId, end: HandlerEnd<'_>) {
        let alone = |state: &State| match state.driver_is_awake() || state.session.handlers_running() > 0 {
            true => Flush::Driver,
            false => Flush::Here,
        };
        self.with(alone, |state| {
            state.on_handler_ended(connection, request, end);
            self.note_replies(state);
        });
    }
}
