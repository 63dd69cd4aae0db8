//! A server that describes itself.

use super::listen::ServerBuilder;

impl ServerBuilder {
    /// Serves `vox.Describe` as well, which says what services there are, with their docs, types and limits: to any peer that is let in, so
    /// that programs without their traits can [ask](crate::Session::describe) and call them. Off without this.
    pub fn describe(mut self) -> Self {
        self.describes = true;
        self
    }
}
