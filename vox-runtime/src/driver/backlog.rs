//! Items that were sent before their call. They leave once the channel has credit for them.

use std::collections::VecDeque;

use crate::ids::{ChannelId, ConnectionId};
use crate::metadata::Metadata;
use crate::wire::Reset;

/// How a half ends that its holder lets go of.
#[derive(Debug, Clone)]
pub(crate) enum HalfEnd {
    /// A sender, gracefully.
    Close(Metadata),
    /// Either, at once.
    Reset(Reset),
}

/// What a sender has to send before anything else. Bounded by what a channel keeps that no call carries.
#[derive(Debug)]
pub(crate) struct Backlog {
    pub(super) connection: ConnectionId,
    pub(super) channel: ChannelId,
    pub(super) items: VecDeque<Vec<u8>>,
    /// How the channel ends after them, if it does.
    pub(super) then: Option<HalfEnd>,
    /// Its holder let go of the sender.
    pub(super) let_go: bool,
}

impl Backlog {
    pub(crate) fn new(
        connection: ConnectionId,
        channel: ChannelId,
        items: VecDeque<Vec<u8>>,
        then: Option<HalfEnd>,
    ) -> Self {
        Self { connection, channel, items, then, let_go: false }
    }
}
