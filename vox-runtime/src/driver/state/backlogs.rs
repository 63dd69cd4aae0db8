//! Items that were sent before their call leave.

use super::super::backlog::Backlog;
use super::super::backlog::HalfEnd;
use super::super::endpoint::Endpoint;
use super::super::state::State;
use crate::proto::{ChannelEnd, Sent, Token};
use crate::wire::Reset;

impl State {
    /// Sends this before anything else on the channel. Its call cannot take the channel along to another session any more.
    pub(crate) fn hold_back(&mut self, token: Token, backlog: Backlog) {
        if let Some(endpoint) = self.endpoints.get_mut(token) {
            endpoint.unpledge();
            if let Some(sender) = endpoint.as_sender()
                && sender.end.is_none()
            {
                sender.backlog = Some(Box::new(backlog));
                self.pump(token);
            }
        }
    }

    /// Ends the sender after what it has to send. `false`: there is nothing.
    pub(crate) fn end_after_backlog(&mut self, token: Token, end: &HalfEnd) -> bool {
        let sender = self.endpoints.get_mut(token).and_then(Endpoint::as_sender);
        let Some(backlog) = sender.and_then(|sender| sender.backlog.as_mut()) else { return false };
        backlog.then.get_or_insert_with(|| end.clone());
        backlog.let_go = true;
        true
    }

    /// Sends what there is credit for.
    pub(in crate::driver) fn pump(&mut self, token: Token) {
        let Self { endpoints, session, deferred, wake_plan, backlogs, .. } = self;
        let Some(endpoint) = endpoints.get_mut(token) else { return };
        let Some(sender) = endpoint.as_sender() else { return };
        let Some(backlog) = &mut sender.backlog else { return };
        while let Some(item) = backlog.items.front_mut() {
            match session.send_item(backlog.connection, backlog.channel, item) {
                Sent::Yes => drop(backlog.items.pop_front()),
                Sent::Gone => backlog.items.clear(),
                Sent::Wait => {
                    if session.outbox_is_laden() {
                        wake_plan.on_no_room(session.outbox_is_full(), true);
                        if !backlogs.contains(&token) {
                            backlogs.push(token);
                        }
                    }
                    return;
                }
            }
        }
        let Some(backlog) = sender.backlog.take() else { return };
        deferred.wakes.append(&mut sender.wakers);
        let Backlog { connection, channel, then, let_go, .. } = *backlog;
        match then {
            None => return,
            Some(HalfEnd::Close(metadata)) => session.close_channel(connection, channel, metadata),
            Some(HalfEnd::Reset(why)) => session.reset_channel(connection, channel, why),
        }
        if let_go {
            endpoints.remove(token);
        } else {
            endpoint.end(ChannelEnd::Reset(Reset::Gone), &mut deferred.wakes);
        }
    }

    /// The channel has credit again.
    pub(in crate::driver) fn on_credit(&mut self, token: Token) {
        self.pump(token);
        if let Some(sender) = self.endpoints.get_mut(token).and_then(Endpoint::as_sender) {
            sender.waits.off();
            self.deferred.wakes.append(&mut sender.wakers);
        }
    }

    /// The outbox has room again.
    pub(in crate::driver) fn pump_all(&mut self) {
        for token in std::mem::take(&mut self.backlogs) {
            self.pump(token);
        }
    }

    /// The session says that the channel is over: what was to be sent is not, and a sender that nobody holds is forgotten.
    pub(in crate::driver) fn drop_backlog(&mut self, token: Token) {
        let sender = self.endpoints.get_mut(token).and_then(Endpoint::as_sender);
        if sender.and_then(|sender| sender.backlog.take()).is_some_and(|backlog| backlog.let_go) {
            self.forget_half(token);
        }
    }
}
