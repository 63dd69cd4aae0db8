//! Grants credit to a channel's sender for the items that the receiver's user has taken.

use std::time::Instant;

use super::{Channel, Channels, Effects, Half};
use crate::ids::{ChannelId, ConnectionId};
use crate::proto::Token;
use crate::proto::memory_ledger::items_cost;
use crate::proto::receive_window::Room;
use crate::wire::Frame;

impl Channels {
    /// The receiver took this much; grants are batched. `room`: what the session's memory has for more.
    pub(in super::super) fn consumed(
        &mut self,
        now: Instant,
        (connection, id, token): (ConnectionId, ChannelId, Token),
        (items, bytes): (u32, u64),
        room: Room,
        fx: &mut Effects,
    ) {
        let kept = items_cost(items, bytes);
        let Some(Channel { half: Half::Receiver { window, charge, promise, .. }, .. }) = self.table.get_mut(id.0)
        else {
            return fx.ledger.consume(token, kept);
        };
        fx.ledger.lower(charge, kept);
        let grant = window.consume(now, items, bytes, room);
        fx.ledger.promise(promise, window.promised());
        if let Some((items, bytes)) = grant {
            fx.send(&Frame::Credit { connection, channel: id, items, bytes });
        }
    }
}
