//! A channel whose items this end has no memory for.

use super::{Channel, ChannelEnd, Channels, Effects, Half, ReceiverState};
use crate::ids::{ChannelId, ConnectionId};
use crate::proto::Output;
use crate::wire::{Frame, Reset};

impl Channel {
    /// Whether this end has ended it, and nobody has taken it up.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        matches!(self.half, Half::Receiver { state: ReceiverState::Buffering { full: true, .. }, .. })
    }
}

impl Channels {
    /// Ends a receiver, whose items are too many together with all else. Its holder gets what came before, and both ends are told why. `false`:
    /// it has ended before.
    #[cold]
    pub(in super::super) fn end_full(
        &mut self,
        connection: ConnectionId,
        id: ChannelId,
        why: &str,
        fx: &mut Effects,
    ) -> bool {
        let Some(channel) = self.table.get_mut(id.0).filter(|channel| !channel.is_full()) else { return false };
        let Half::Receiver { state, .. } = &mut channel.half else { return false };
        let end = ChannelEnd::Reset(Reset::Full(why.into()));
        match state {
            // The peer has ended it already, and will be told by the rule that it breaks.
            ReceiverState::Buffering { end: Some(_), .. } => return false,
            ReceiverState::Buffering { end: place, full, .. } => {
                // The words are this end's own, and short: the entry's charge has room for them.
                (*place, *full) = (Some(end), true);
                channel.arriving = false;
                self.untaken += 1;
                self.untaken_bytes += channel.kept();
            }
            ReceiverState::Live(token) => {
                let token = *token;
                fx.emit(Output::ReceiverEnded { token, end });
                if let Some(channel) = self.table.remove(id.0) {
                    channel.leave_to(token, fx);
                }
                fx.emit(Output::Room);
            }
        }
        let why = Reset::Full(fx.words(why).into());
        fx.send(&Frame::Reset { connection, channel: id, why });
        true
    }
}
