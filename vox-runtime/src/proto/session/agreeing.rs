//! The agreed terms of connections whose ends have different versions of their service, and the memory for them.

use std::sync::Arc;

use bytes::Bytes;

use super::super::Output;
use super::super::agreed::Agreed;
use super::super::calling::Calling;
use super::super::memory_ledger::Standing;
use super::Session;
use super::leasing::FREE;
use crate::error::{EndReason, ProtocolViolation, Scarce, Short};
use crate::ids::{ConnectionId, MethodId, RequestId};
use crate::limits::Refused;
use crate::schema::{Contract, SchemaHash};
use crate::terms::{MethodTerms, Terms};

/// Why a request is not served on any terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoTerms {
    /// Its connection is gone.
    Gone(EndReason),
    /// There is no memory for what it takes to read its arguments.
    Short(Short),
}

impl Session {
    #[cold]
    pub(super) fn on_contract(
        &mut self,
        connection: ConnectionId,
        hash: SchemaHash,
        contract: Bytes,
    ) -> Result<(), ProtocolViolation> {
        if let Some(serving) = self.serving.get_mut(connection.0) {
            let (ours, theirs) = serving.on_contract(hash, &contract)?;
            self.keep_for_later(&ours, &theirs);
            let agreed = self.agree(&ours, &theirs, None);
            if let Some(serving) = self.serving.get_mut(connection.0) {
                serving.agree(agreed);
            }
            return Ok(());
        }
        let most = self.max_payload();
        let Some(calling) = self.calling.get_mut(connection.0) else {
            return self.stray(connection, "a contract", self.owner(connection));
        };
        let (ours, theirs, tells) = calling.on_contract(hash, &contract)?;
        self.keep_for_later(&ours, &theirs);
        let len = ours.bytes().len();
        let untold = (tells && len > most).then(|| {
            format!("it differs, and the {len} bytes that say how are over the peer's max_message_bytes, {most}")
        });
        let agreed = self.agree(&ours, &theirs, untold.as_deref());
        // The peer is told before any call that goes by it.
        let is_told = tells && untold.is_none() && matches!(agreed, Agreed::Terms { .. });
        if let Some(calling) = self.calling.get_mut(connection.0) {
            calling.agree(agreed);
        }
        self.tell(connection, is_told.then_some(ours));
        self.fx.emit(Output::Room);
        Ok(())
    }

    /// The peer told this contract, and need not tell it to the next connection.
    fn keep_for_later(&mut self, ours: &Contract, theirs: &Contract) {
        self.fx.emit(Output::Heard { ours: ours.hash(), theirs: theirs.clone().into() });
    }

    /// The terms of these contracts, if there is memory for them. Those that are alone always fit into the session's own.
    pub(super) fn agree(&mut self, ours: &Arc<Contract>, theirs: &Contract, untold: Option<&str>) -> Agreed {
        let (before, most, purse) = (self.memory(), self.limits.session_memory, self.purse.as_ref());
        let is_free = |bytes: usize| before + bytes <= FREE;
        let terms = match untold {
            Some(why) => Terms::untold(ours, theirs, why, purse, is_free),
            None => Terms::between(ours, theirs, purse, is_free),
        };
        let short = match terms {
            Ok(terms) => {
                let (bytes, mut charge) = (terms.settle(), Standing::default());
                if before + bytes <= most || self.keeps_nothing_else(0) {
                    self.fx.ledger.stand(&mut charge, bytes);
                    return Agreed::Terms { terms, charge };
                }
                Short::new(Scarce::SessionMemory, before + bytes, most)
            }
            Err(none) => {
                let (taken, most) = purse.map_or((0, 0), |purse| purse.sums());
                Short::new(Scarce::ServerMemory, taken + none.0, most)
            }
        };
        Agreed::no_room(ours, theirs, short)
    }

    /// Whether no more is charged than this.
    fn keeps_nothing_else(&self, charged: usize) -> bool {
        self.fx.ledger.sum() + self.fx.ledger.standing() <= charged
    }

    /// What is short, if nothing more may be made for terms, beside so much that is charged for them. What is made counts once it is there, as
    /// items do: so nothing is where too much is kept already.
    fn is_short_for_terms(&mut self, charged: usize) -> Option<Short> {
        let may_pass = |short: &Short| short.of() == Some(Scarce::SessionMemory);
        self.is_past_memory(0).filter(|short| !(may_pass(short) && self.keeps_nothing_else(charged)))
    }

    /// On which terms this method is called on the connection; `None` where both ends know it alike. `Err`: what is short for them.
    #[inline]
    pub(crate) fn terms(
        &mut self,
        connection: ConnectionId,
        method: MethodId,
    ) -> Result<Option<Arc<MethodTerms>>, Short> {
        match self.calling.get(connection.0) {
            Some(calling) if calling.differs() => self.terms_of_another(connection, method),
            _ => Ok(None),
        }
    }

    /// The same of a connection whose ends know its service otherwise. Calls of others do not pay for what it takes to find that out.
    #[cold]
    fn terms_of_another(
        &mut self,
        connection: ConnectionId,
        method: MethodId,
    ) -> Result<Option<Arc<MethodTerms>>, Short> {
        let Some(calling) = self.calling.get(connection.0) else { return Ok(None) };
        let Some(terms) = calling.terms(method)?.map(Arc::clone) else { return Ok(None) };
        let charged = calling.standing();
        match self.is_short_for_terms(charged).filter(|_| !terms.was_judged()) {
            Some(short) => Err(short),
            None => Ok(Some(terms)),
        }
    }

    /// On which terms this request of this method is served; `None` where both ends know it alike.
    pub(crate) fn serving_terms(
        &mut self,
        connection: ConnectionId,
        request: RequestId,
        method: MethodId,
    ) -> Result<Option<Arc<MethodTerms>>, NoTerms> {
        let Some(serving) = self.serving.get(connection.0) else {
            return Err(NoTerms::Gone(self.ended.clone().unwrap_or_else(Calling::shut_by_peer)));
        };
        let charged = serving.standing() + serving.charge_of(request);
        let terms = serving.terms(method).map(|terms| terms.map(Arc::clone));
        let short = match &terms {
            Ok(Some(terms)) if !terms.was_read() => self.is_short_for_terms(charged),
            _ => None,
        };
        short.map_or(terms, Err).map_err(|short| {
            self.fx.refused(Refused::Call, short);
            NoTerms::Short(short)
        })
    }

    /// Something was made for the terms of this connection, of either end, which is kept with them.
    pub(crate) fn settle_terms(&mut self, connection: ConnectionId) {
        let Self { serving, calling, fx, .. } = self;
        if let Some(serving) = serving.get_mut(connection.0) {
            serving.settle_terms(fx);
        } else if let Some(calling) = calling.get_mut(connection.0) {
            calling.settle_terms(fx);
        }
        self.settle_lease();
    }
}
