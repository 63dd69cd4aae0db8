//! A server that describes itself.

use std::sync::Arc;

use super::listen::ServerBuilder;
use crate::dynamic::describing;

impl ServerBuilder {
    /// Serves `vox.Describe` as well, which says what services there are, with their docs, types and limits: to any peer that is let in, so
    /// that programs without their traits can [ask](crate::Session::describe) and call them. Off without this.
    pub fn describe(mut self) -> Self {
        self.describes = true;
        self
    }

    /// Adds the description of the services, if it is wanted and not there yet.
    pub(super) fn add_description(&mut self) {
        if std::mem::take(&mut self.describes) {
            let description = describing(&self.services, &self.limits);
            self.services.push(Arc::new(description));
        }
    }
}
