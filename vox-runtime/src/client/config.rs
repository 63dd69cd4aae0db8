//! The configuration of a client's sessions.

use std::sync::Arc;

use super::credentials::Introduction;
use crate::descriptor::ServiceDescriptor;
use crate::driver::{Asking, Backoff, ConnectError, Established, Router, initiate_at};
use crate::limits::Limits;
use crate::metadata::Metadata;
use crate::transport::DialTarget;

/// How a session is made.
pub(super) struct ConnectConfig {
    pub(super) target: Arc<dyn DialTarget>,
    pub(super) limits: Arc<Limits>,
    pub(super) router: Router,
    pub(super) introduction: Introduction,
    pub(super) resumes: bool,
    pub(super) backoff: Backoff,
}

impl ConnectConfig {
    /// Makes a session.
    pub(super) async fn connect(
        &self,
        service: Option<(&'static ServiceDescriptor, Metadata)>,
    ) -> Result<Established, ConnectError> {
        let (limits, resumes) = (Arc::clone(&self.limits), self.resumes);
        let made = self.introduction.make(limits.handshake_timeout).await;
        let metadata = made.map_err(|error| error.at(&self.target.name()))?;
        let asking = Asking { limits, router: self.router.clone(), metadata, service, resumes };
        initiate_at(&*self.target, asking).await
    }
}
