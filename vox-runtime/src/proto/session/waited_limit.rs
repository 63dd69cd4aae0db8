//! The limit that something waits for.

use std::fmt;

use super::super::calling::Calling;
use super::Session;
use crate::ids::ConnectionId;

/// What keeps a call or an item from being sent just now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// The peer runs no more calls of the connection at once.
    Calls { limit: u64 },
    /// The peer takes no more channels on the connection.
    Channels { open: usize, asked: usize, limit: u64 },
    /// So many bytes wait to be written.
    Outbox { pending: usize, mark: usize },
    /// So many bytes are kept until the peer acknowledges them.
    Unacknowledged { kept: usize, mark: usize },
    /// What the peer says of the methods that differ.
    Contract,
    /// Calls that came before it.
    Turn,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Calls { limit } => {
                write!(f, "a free slot, of which the peer has {limit} for a connection (its `Limits::max_calls`)")
            }
            Self::Channels { open, asked, limit } => write!(
                f,
                "channels: {open} are open and it brings {asked}, where the peer takes {limit} on a connection (its \
                 `Limits::max_channels`)"
            ),
            Self::Outbox { pending, mark } => {
                write!(
                    f,
                    "the link: {pending} bytes wait to be written, over the mark of {mark} (`Limits::outbox_bytes`)"
                )
            }
            Self::Unacknowledged { kept, mark } => write!(
                f,
                "the peer to acknowledge what was sent: {kept} bytes are kept until then, over the mark of {mark} \
                 (`Limits::replay_bytes`)"
            ),
            Self::Contract => f.write_str("the peer to say in which methods its version of the service differs"),
            Self::Turn => f.write_str("the calls that came before it"),
        }
    }
}

impl Session {
    /// How many channels the peer counts as open: one whose end waits for the long item before it is.
    pub(super) fn open_channels(&self, calling: &Calling, connection: ConnectionId) -> usize {
        calling.channels.len() + self.fx.outbox.waiting_ends(connection)
    }

    /// What a call with so many channels waits for on this connection. `None`: nothing.
    pub(crate) fn obstacle(&self, connection: ConnectionId, channels: usize) -> Option<Obstacle> {
        let calling = self.calling.get(connection.0)?;
        let open = self.open_channels(calling, connection);
        let (max_calls, max_channels) = (self.peer.max_calls, self.peer.max_channels);
        if calling.in_flight() as u64 >= max_calls {
            return Some(Obstacle::Calls { limit: max_calls });
        }
        if channels > 0 && (open + channels) as u64 > max_channels {
            return Some(Obstacle::Channels { open, asked: channels, limit: max_channels });
        }
        if calling.awaits_contract() {
            return Some(Obstacle::Contract);
        }
        self.full_outbox()
    }

    /// What everything that is sent waits for. `None`: nothing.
    pub(crate) fn full_outbox(&self) -> Option<Obstacle> {
        let (pending, kept) = (self.fx.outbox.pending(), self.fx.outbox.kept());
        if pending > self.limits.outbox_bytes {
            return Some(Obstacle::Outbox { pending, mark: self.limits.outbox_bytes });
        }
        (kept > self.max_kept()).then(|| Obstacle::Unacknowledged { kept, mark: self.max_kept() })
    }
}
