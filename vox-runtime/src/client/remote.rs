//! A peer that can be reached again, and the sessions with it, one after the other.

use std::sync::Arc;

use super::config::ConnectConfig;
use super::reconnector::Reconnector;
use super::retry_budget::Budget;
use crate::driver::Shared;

/// A peer, whichever session there is with it. What clients share; when the last of them goes, none follows the session.
pub(crate) struct Remote {
    reconnector: Arc<Reconnector>,
    pub(super) budget: Budget,
}

impl Remote {
    /// The peer that there is this session with.
    pub(super) fn new(config: ConnectConfig, shared: Arc<Shared>) -> Arc<Self> {
        Arc::new(Self { reconnector: Reconnector::new(config, shared, false), budget: Budget::default() })
    }

    /// A peer that is dialled when a session with it is needed. `none`: one that has ended.
    pub(super) fn lazy(config: ConnectConfig, none: Arc<Shared>) -> Arc<Self> {
        Arc::new(Self { reconnector: Reconnector::new(config, none, true), budget: Budget::default() })
    }

    pub(super) fn reconnector(&self) -> &Arc<Reconnector> {
        &self.reconnector
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.reconnector.release();
    }
}
