//! The agreed terms for requests of a peer that has another version of the service.

use std::sync::Arc;

use bytes::Bytes;

use super::super::Effects;
use super::super::agreed::Agreed;
use super::super::session::{malformed, unawaited};
use super::Serving;
use crate::error::{ProtocolViolation, Short};
use crate::ids::MethodId;
use crate::schema::{Contract, SchemaHash};
use crate::terms::MethodTerms;

impl Serving {
    /// The peer tells how it knows the service: both contracts, this end's first.
    pub(crate) fn on_contract(
        &mut self,
        hash: SchemaHash,
        theirs: &Bytes,
    ) -> Result<(Arc<Contract>, Contract), ProtocolViolation> {
        if !std::mem::take(&mut self.awaits_contract) {
            return Err(unawaited(self.id));
        }
        let ours = self.descriptor.contract();
        let theirs = Contract::read(theirs, hash, &ours).map_err(|fault| malformed(self.id, &fault))?;
        Ok((ours, theirs))
    }

    /// Requests are served so from now on.
    pub(in super::super) fn agree(&mut self, agreed: Agreed) {
        self.terms = Some(agreed.into());
    }

    /// On which terms this method is served; `None` where both ends know it alike. `Err`: what was short for them.
    pub(crate) fn terms(&self, method: MethodId) -> Result<Option<&Arc<MethodTerms>>, Short> {
        self.terms.as_ref().map_or(Ok(None), |agreed| agreed.method(method))
    }

    /// Charges what was made since for the terms, too.
    pub(in super::super) fn settle_terms(&mut self, fx: &mut Effects) {
        if let Some(agreed) = &mut self.terms {
            agreed.settle(fx);
        }
    }

    /// What is charged for the terms.
    pub(in super::super) fn standing(&self) -> usize {
        self.terms.as_ref().map_or(0, |agreed| agreed.charged())
    }

    pub(in super::super) fn end_terms(&mut self, fx: &mut Effects) {
        if let Some(agreed) = self.terms.take() {
            agreed.end(fx);
        }
    }
}
