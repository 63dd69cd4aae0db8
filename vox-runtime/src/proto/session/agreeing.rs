//! Whether both ends know a service alike. Where they do not, the acceptor tells the opener its contract, and the opener
//! judges every method before it calls it.

use std::sync::Arc;

use bytes::Bytes;

use super::super::Output;
use super::Session;
use crate::descriptor::ServiceDescriptor;
use crate::error::{ProtocolViolation, Refusal, RefusalCode};
use crate::ids::{ConnectionId, MethodId};
use crate::schema::{Contract, SchemaHash};
use crate::wire::Frame;

impl Session {
    /// Why this method cannot be called on the connection: the peer knows it otherwise.
    #[inline]
    pub(crate) fn disagreement(&self, connection: ConnectionId, method: MethodId) -> Option<Arc<str>> {
        self.calling.get(connection.0)?.disagreement(method).cloned()
    }

    /// This end's contract of a service, where it is another than the peer's. `Err`: the peer cannot be told of it.
    pub(super) fn other_contract(
        &self,
        descriptor: &'static ServiceDescriptor,
        theirs: Option<SchemaHash>,
    ) -> Result<Option<Arc<Contract>>, Refusal> {
        let Some(theirs) = theirs else { return Ok(None) };
        let ours = descriptor.contract();
        if ours.hash() == theirs {
            return Ok(None);
        }
        let (name, len, most) = (descriptor.name, ours.bytes().len(), self.max_payload());
        if len > most {
            let why = format!(
                "the two ends know `{name}` otherwise, and its description of {len} bytes is over the peer's limit of \
                 max_message_bytes, {most}"
            );
            return Err(Refusal::new(RefusalCode::Other, why));
        }
        if self.outbox_is_full() {
            return Err(Refusal::new(RefusalCode::Busy, format!("too much waits to be sent to describe `{name}`")));
        }
        Ok(Some(ours))
    }

    pub(super) fn tell(&mut self, connection: ConnectionId, contract: Option<Arc<Contract>>) {
        if let Some(contract) = contract {
            let (hash, contract) = (contract.hash(), contract.bytes().clone());
            self.fx.send(&Frame::Contract { connection, hash, contract });
        }
    }

    pub(super) fn on_contract(
        &mut self,
        connection: ConnectionId,
        hash: SchemaHash,
        contract: Bytes,
    ) -> Result<(), ProtocolViolation> {
        let Some(calling) = self.calling.get_mut(connection.0) else {
            return self.stray(connection, "a contract", self.role);
        };
        calling.on_contract(hash, contract)?;
        self.fx.emit(Output::Room);
        Ok(())
    }
}
