//! A peer that can be reached again: how, and the sessions that follow one another with it.

use std::sync::Arc;

use super::budget::Budget;
use super::config::ConnectConfig;
use super::keeper::Keeper;
use crate::driver::Shared;

/// A peer, whichever session there is with it. What clients share; when the last of them goes, none follows the session.
pub(crate) struct Remote {
    keeper: Arc<Keeper>,
    pub(super) budget: Budget,
}

impl Remote {
    /// The peer that there is this session with.
    pub(super) fn new(config: ConnectConfig, shared: Arc<Shared>) -> Arc<Self> {
        Arc::new(Self { keeper: Keeper::new(config, shared, false), budget: Budget::default() })
    }

    /// A peer that is dialled when a session with it is needed. `none`: one that has ended.
    pub(super) fn lazy(config: ConnectConfig, none: Arc<Shared>) -> Arc<Self> {
        Arc::new(Self { keeper: Keeper::new(config, none, true), budget: Budget::default() })
    }

    pub(super) fn keeper(&self) -> &Arc<Keeper> {
        &self.keeper
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.keeper.release();
    }
}
