//! A peer that can be reached again: how, and the sessions that follow one another with it.

use std::sync::Arc;

use super::budget::Budget;
use super::connect_error::ConnectError;
use super::credentials::Introduction;
use super::keeper::Keeper;
use crate::descriptor::ServiceDescriptor;
use crate::driver::{Asking, Backoff, Established, Router, Shared, initiate_at};
use crate::limits::Limits;
use crate::metadata::Metadata;
use crate::transport::Reach;

/// A peer, whichever session there is with it. What clients share; when the last of them goes, none follows the session.
pub(crate) struct Remote {
    keeper: Arc<Keeper>,
    pub(super) budget: Budget,
}

/// How a session is made.
pub(super) struct Way {
    pub(super) reach: Arc<dyn Reach>,
    pub(super) limits: Arc<Limits>,
    pub(super) router: Router,
    pub(super) introduction: Introduction,
    pub(super) resumes: bool,
    pub(super) backoff: Backoff,
}

impl Way {
    /// Makes a session.
    pub(super) async fn connect(
        &self,
        service: Option<(&'static ServiceDescriptor, Metadata)>,
    ) -> Result<Established, ConnectError> {
        let (limits, resumes) = (Arc::clone(&self.limits), self.resumes);
        let made = self.introduction.make(limits.handshake_timeout).await;
        let metadata = made.map_err(|error| error.at(&self.reach.name()))?;
        let asking = Asking { limits, router: self.router.clone(), metadata, service, resumes };
        initiate_at(&*self.reach, asking).await
    }
}

impl Remote {
    /// The peer that there is this session with.
    pub(super) fn new(way: Way, shared: Arc<Shared>) -> Arc<Self> {
        Arc::new(Self { keeper: Keeper::new(way, shared, false), budget: Budget::default() })
    }

    /// A peer that is dialled when a session with it is needed. `none`: one that has ended.
    pub(super) fn lazy(way: Way, none: Arc<Shared>) -> Arc<Self> {
        Arc::new(Self { keeper: Keeper::new(way, none, true), budget: Budget::default() })
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
