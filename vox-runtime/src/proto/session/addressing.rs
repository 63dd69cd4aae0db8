//! Finds what an id names: the channels of this end's user and of the peer's frames, and what is no longer there.

use std::time::Instant;

use super::super::channels::{Channels, Run, RunRoom, Sent};
use super::super::memory_ledger::items_cost;
use super::super::outbox::LongId;
use super::super::{Effects, Output, Token};
use super::Session;
use crate::error::{ProtocolViolation, Rule};
use crate::ids::{ChannelId, ConnectionId, Role};
use crate::metadata::Metadata;
use crate::wire::{Reset, WHOLE};

/// How long a run is that is gathered elsewhere, at most: it is no more than an eighth of what the outbox takes.
const RUN: usize = 16 << 10;

impl Session {
    /// Gives a channel of a call that this end serves to its holder. `false`: the channel is gone.
    pub(crate) fn bind(&mut self, connection: ConnectionId, channel: ChannelId, token: Token) -> bool {
        match self.serving.get_mut(connection.0) {
            Some(serving) => serving.channels.bind(channel, token, &mut self.fx),
            None => false,
        }
    }

    /// Sends one item. The outbox's high-water mark counts like missing credit.
    pub(crate) fn send_item(&mut self, connection: ConnectionId, channel: ChannelId, item: &mut Vec<u8>) -> Sent {
        let is_full = if item.len() > WHOLE { self.outbox_is_laden() } else { self.outbox_is_full() };
        if self.ended.is_none() && is_full {
            return Sent::Wait;
        }
        let max_frame = self.max_payload();
        let (channels, fx) = self.channels(connection);
        channels.map_or(Sent::Gone, |channels| channels.send(connection, channel, item, max_frame, fx))
    }

    /// What a run of the channel may gather that is put into the outbox later, while so many `others` gather as well. `None`: the outbox has no
    /// room for them all, or a long item of the channel is under way, and items go into the outbox one by one.
    pub(crate) fn room_for_run(
        &mut self,
        connection: ConnectionId,
        channel: ChannelId,
        others: usize,
    ) -> Option<RunRoom> {
        let most = RUN.min(self.limits.outbox_bytes / 8);
        let reserved = (others + 1) * most;
        let outbox = &self.fx.outbox;
        let fits =
            outbox.pending() + reserved <= self.limits.outbox_bytes && outbox.kept() + reserved <= self.max_kept();
        if !fits || self.has_long() && outbox.holds(LongId::Items(connection, channel)) {
            return None;
        }
        let len = most.min(self.max_payload());
        let credit = self.channels(connection).0?.credit(channel)?;
        Some(RunRoom { credit, len })
    }

    /// Sends what was gathered. `false`: the channel has ended, and the items are lost with it.
    pub(crate) fn send_run(&mut self, connection: ConnectionId, channel: ChannelId, run: &Run<'_>) -> bool {
        let max_frame = self.max_payload();
        let (channels, fx) = self.channels(connection);
        channels.is_some_and(|channels| channels.send_run((connection, channel), run, max_frame, fx))
    }

    /// Whether an item could be sent now.
    pub(crate) fn may_send_item(&mut self, connection: ConnectionId, channel: ChannelId) -> bool {
        let is_under_way = self.has_long() && self.fx.outbox.holds(LongId::Items(connection, channel));
        !self.outbox_is_full()
            && !is_under_way
            && self.channels(connection).0.is_some_and(|channels| channels.may_send(channel))
    }

    /// Ends a sender gracefully.
    pub(crate) fn close_channel(&mut self, connection: ConnectionId, channel: ChannelId, metadata: Metadata) {
        self.end_leaving_channel(connection, channel, true);
        if let (Some(channels), fx) = self.channels(connection) {
            channels.close(connection, channel, metadata, fx);
        }
    }

    /// Ends either half at once.
    pub(crate) fn reset_channel(&mut self, connection: ConnectionId, channel: ChannelId, why: Reset) {
        self.end_leaving_channel(connection, channel, true);
        if let (Some(channels), fx) = self.channels(connection) {
            channels.reset(connection, channel, why, fx);
        }
    }

    /// A receiver, which was bound under this token, took items.
    pub(crate) fn consumed(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        (channel, token): (ChannelId, Token),
        items: u32,
        bytes: u64,
    ) {
        self.end_leaving_channel(connection, channel, false);
        let room = self.room_for_windows();
        match self.channels(connection) {
            (Some(channels), fx) => {
                channels.consumed(now, (connection, channel, token), (items, bytes), room, fx);
            }
            (None, fx) => fx.ledger.consume(token, items_cost(items, bytes)),
        }
        self.settle_lease();
    }

    /// The holder of a half lets go of it: of a channel that has ended, nothing is kept any more.
    #[inline]
    pub(crate) fn let_go(&mut self, token: Token) {
        self.fx.ledger.let_go(token);
        self.settle_lease();
    }

    /// The peer ends a channel at once: what of a long item has not left need not.
    pub(super) fn on_reset(
        &mut self,
        connection: ConnectionId,
        channel: ChannelId,
        why: Reset,
    ) -> Result<(), ProtocolViolation> {
        let item = LongId::Items(connection, channel);
        if self.fx.outbox.forget(item) {
            // The end of this channel may have waited for it, and is forgotten as well: the channel has its place no longer.
            self.fx.emit(Output::Room);
        }
        match self.channels_for(connection, channel)? {
            (Some(channels), fx) => channels.on_reset(channel, why, fx),
            (None, _) => Ok(()),
        }
    }

    // ---- look-ups ----

    pub(super) fn owner(&self, connection: ConnectionId) -> Role {
        if self.role.owns(connection.0) { self.role } else { self.role.peer() }
    }

    pub(super) fn channels(&mut self, connection: ConnectionId) -> (Option<&mut Channels>, &mut Effects) {
        let channels = if self.role.owns(connection.0) {
            self.calling.get_mut(connection.0).map(|calling| &mut calling.channels)
        } else {
            self.serving.get_mut(connection.0).map(|serving| &mut serving.channels)
        };
        (channels, &mut self.fx)
    }

    /// The channels of the connection, where this channel was ever opened. `None`: the connection is gone.
    pub(super) fn channels_for(
        &mut self,
        connection: ConnectionId,
        channel: ChannelId,
    ) -> Result<(Option<&mut Channels>, &mut Effects), ProtocolViolation> {
        let opened = if self.role.owns(connection.0) {
            self.calling.get(connection.0).map(|calling| calling.channel_was_opened(channel))
        } else {
            self.serving.get(connection.0).map(|serving| serving.channel_was_opened(channel))
        };
        match opened {
            None => self.stray(connection, "a channel's message", self.owner(connection))?,
            Some(true) => {}
            Some(false) => {
                let why = format!("channel {channel} of connection {connection} was never opened");
                return Err(ProtocolViolation::new(Rule::UnknownChannel, why));
            }
        }
        Ok(self.channels(connection))
    }

    /// A message for a connection that is not there: fine where it was closed, a violation where it never was.
    #[cold]
    pub(super) fn stray(&self, connection: ConnectionId, what: &str, opener: Role) -> Result<(), ProtocolViolation> {
        let opened = if opener == self.role {
            self.role.owns(connection.0) && connection.0 <= self.highest_connection
        } else {
            self.peer_connections.was_opened(connection.0)
        };
        if opened {
            return Ok(());
        }
        let wrong_way = self.owner(connection) != opener
            && (self.calling.get(connection.0).is_some() || self.serving.get(connection.0).is_some());
        let rule = if wrong_way { Rule::WrongDirection } else { Rule::UnknownConnection };
        Err(ProtocolViolation::new(rule, format!("{what} on connection {connection}")))
    }
}
