//! Sends items: one by one, and in runs.

use super::{Channel, Channels, Effects, Half, Sent};
use crate::ids::{ChannelId, ConnectionId};
use crate::proto::outbox::LongId;

/// Items that were gathered elsewhere, each with its length before it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run<'a> {
    pub(crate) items: &'a [u8],
    pub(crate) count: u32,
    /// Their bytes without the lengths.
    pub(crate) bytes: usize,
}

/// What may be gathered of a channel's items before they are put into the outbox together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RunRoom {
    /// The credit, in items and bytes.
    pub(crate) credit: (i64, i64),
    /// How long the run may be.
    pub(crate) len: usize,
}

impl Channels {
    /// Sends one item if there is credit for it.
    pub(in super::super) fn send(
        &mut self,
        connection: ConnectionId,
        id: ChannelId,
        item: &mut Vec<u8>,
        max_frame: usize,
        fx: &mut Effects,
    ) -> Sent {
        let Some(Channel { half: Half::Sender { credit, .. }, .. }) = self.table.get_mut(id.0) else {
            return Sent::Gone;
        };
        // One after the other: what follows a long item waits until that has left.
        if !credit.may_send() || (fx.outbox.has_long() && fx.outbox.holds(LongId::Items(connection, id))) {
            return Sent::Wait;
        }
        credit.charge(item.len());
        fx.outbox.put_item(connection, id, item, max_frame);
        Sent::Yes
    }

    /// Sends a run of items, for each of which there was credit. `false`: the channel has ended.
    pub(in super::super) fn send_run(
        &mut self,
        (connection, id): (ConnectionId, ChannelId),
        run: &Run<'_>,
        max_frame: usize,
        fx: &mut Effects,
    ) -> bool {
        let Some(Channel { half: Half::Sender { credit, .. }, .. }) = self.table.get_mut(id.0) else { return false };
        credit.charge_run(run.count, run.bytes);
        fx.outbox.put_run(connection, id, run.items, max_frame);
        true
    }

    /// The credit of a sender, in items and bytes.
    pub(in super::super) fn credit(&self, id: ChannelId) -> Option<(i64, i64)> {
        match self.table.get(id.0) {
            Some(Channel { half: Half::Sender { credit, .. }, .. }) => Some(credit.left()),
            Some(_) | None => None,
        }
    }

    /// Whether the channel is a sender with credit.
    pub(in super::super) fn may_send(&self, id: ChannelId) -> bool {
        matches!(self.table.get(id.0), Some(Channel { half: Half::Sender { credit, .. }, .. }) if credit.may_send())
    }
}
