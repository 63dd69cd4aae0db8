//! The contents of a call: its encoded arguments, and the channels among them.

use std::sync::Arc;

use crate::channel::OutgoingHalf;
use crate::driver::CallerHandle;
use crate::error::NotSent;
use crate::wire::Payload;

/// What was written, for the call that takes it along.
pub(super) struct Written {
    pub(super) handle: Option<Arc<CallerHandle>>,
    pub(super) payload: Payload,
    pub(super) channels: Vec<OutgoingHalf>,
    /// What keeps the call from being sent.
    pub(super) fault: Option<Box<NotSent>>,
}
