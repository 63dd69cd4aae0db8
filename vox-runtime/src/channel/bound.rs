//! A half that belongs to a channel of a connection.

use std::fmt;
use std::sync::Arc;

use crate::client::CallerHandle;
use crate::codec::Program;
use crate::driver::Shared;
use crate::ids::{ChannelId, ConnectionId};
use crate::metadata::Metadata;
use crate::proto::Token;

/// Where a half's items go or come from.
pub(crate) struct Bound {
    pub(crate) shared: Arc<Shared>,
    /// Keeps the caller's connection open while the channel lives.
    pub(crate) _hold: Option<Arc<CallerHandle>>,
    pub(crate) connection: ConnectionId,
    pub(crate) channel: ChannelId,
    pub(crate) token: Token,
    pub(crate) item: Arc<Program>,
}

/// How a half ends that its holder lets go of.
#[derive(Debug)]
pub(crate) enum HalfEnd {
    /// A sender, gracefully.
    Close(Metadata),
    /// Either, at once.
    Reset,
}

impl Bound {
    /// Ends this half and forgets it. Only once: its token is another half's before long.
    pub(crate) fn end(&self, end: HalfEnd) {
        self.shared.change(|state| {
            match end {
                HalfEnd::Close(metadata) => state.session.close_channel(self.connection, self.channel, metadata),
                HalfEnd::Reset => state.session.reset_channel(self.connection, self.channel),
            }
            state.endpoints.remove(self.token);
        });
    }
}

impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "channel {} of connection {}", self.channel, self.connection)
    }
}
