//! A call that was sent and waits for its end.

use crate::ids::ConnectionId;
use crate::operation::OperationId;
use crate::proto::Token;

/// A call that was sent and not yet taken up again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent {
    pub(crate) connection: ConnectionId,
    pub(crate) token: Token,
    /// The operation that is acknowledged with the outcome, since nobody else knows its id.
    pub(crate) auto_id: Option<OperationId>,
    /// It was made alone, and may read the link itself.
    pub(crate) reads_inline: bool,
}
