//! What is kept because of the peer, where that is found outside of the lock.

use super::shared::Shared;
use crate::codec::DecodeErrorKind;
use crate::ids::{ConnectionId, RequestId};

impl Shared {
    /// The arguments of this request take so much more than it was charged when it came.
    #[cold]
    pub(crate) fn keep_decoded(
        &self,
        connection: ConnectionId,
        request: RequestId,
        bytes: usize,
    ) -> Result<(), DecodeErrorKind> {
        let kept = self.lock().session.keep_decoded(connection, request, bytes);
        kept.map_err(|kept| DecodeErrorKind::OverMemory { kept, limit: self.limits.session_memory })
    }
}
