//! On which terms requests are served of a peer that knows the service otherwise.

use std::sync::Arc;

use bytes::Bytes;

use super::super::session::{malformed, unawaited};
use super::Serving;
use crate::error::ProtocolViolation;
use crate::ids::MethodId;
use crate::schema::{Contract, SchemaHash};
use crate::terms::{MethodTerms, Terms};

impl Serving {
    /// The peer tells how it knows the service.
    pub(crate) fn on_contract(&mut self, hash: SchemaHash, theirs: &Bytes) -> Result<(), ProtocolViolation> {
        if !std::mem::take(&mut self.awaits_contract) {
            return Err(unawaited(self.id));
        }
        let ours = self.descriptor.contract();
        let theirs = Contract::read(theirs, hash, &ours).map_err(|fault| malformed(self.id, &fault))?;
        self.terms = Some(Terms::between(&ours, &theirs));
        Ok(())
    }

    /// On which terms this method is served; `None` where both ends know it alike.
    pub(crate) fn terms(&self, method: MethodId) -> Option<&Arc<MethodTerms>> {
        self.terms.as_ref()?.method(method)
    }
}
