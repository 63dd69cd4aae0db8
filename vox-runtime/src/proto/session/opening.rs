//! Opens connections, and finds out whether both ends have the same version of the service. Where they do not, the acceptor tells the
//! opener its contract, and the opener judges every method before it calls it.

use std::sync::Arc;

use bytes::Bytes;

use super::super::calling::{Calling, Recalled};
use super::super::serving::{Serving, id_violation};
use super::super::{Output, Token};
use super::Session;
use crate::descriptor::ServiceDescriptor;
use crate::error::{ProtocolViolation, Refusal, RefusalCode, Rule};
use crate::ids::{ConnectionId, RequestId, ServiceIndex};
use crate::limits::Fits;
use crate::metadata::Metadata;
use crate::schema::{Contract, SchemaFault};
use crate::wire::{Frame, Named, Open, Recalls, Telling, metadata_len};

impl Session {
    /// The connection that the handshake opened, on the side that asked for it.
    ///
    /// `differs`: the peer's contract of the service is another than `contract`. `recalled`: what was named to the peer as its own, perhaps.
    pub(crate) fn opened_in_handshake(
        &mut self,
        contract: Option<Arc<Contract>>,
        recalled: Option<Recalled>,
        differs: Option<Telling>,
    ) -> ConnectionId {
        let id = self.new_connection(None, contract, recalled);
        if let Err(violation) = self.on_compared(id, differs) {
            self.on_violation(&violation);
        }
        id
    }

    /// The peer has accepted the connection, and says how the contracts compare.
    fn on_compared(&mut self, connection: ConnectionId, differs: Option<Telling>) -> Result<(), ProtocolViolation> {
        let Some(calling) = self.calling.get_mut(connection.0) else { return Ok(()) };
        match calling.on_compared(differs)? {
            Some(Recalled { hash, contract }) => self.on_contract(connection, hash, contract),
            None => Ok(()),
        }
    }

    /// The connection that the handshake opened, on the side that serves it.
    ///
    /// `theirs` names the contract that the peer has of the service, `heard` is that contract where it was told before. `Some`: this end's is
    /// another, and who tells. `Err`: it cannot be told.
    pub(crate) fn accepted_in_handshake(
        &mut self,
        service: ServiceIndex,
        descriptor: &'static ServiceDescriptor,
        theirs: Option<Named>,
        heard: Option<Bytes>,
    ) -> Result<Option<Telling>, Refusal> {
        let id = ConnectionId(1);
        let compared = self.compare(descriptor, theirs, heard)?;
        let differs = compared.as_ref().map(|compared| compared.telling);
        if self.peer_connections.open(id.0).is_ok() {
            self.serve(id, service, descriptor, differs);
        }
        self.go_by(id, compared);
        Ok(differs)
    }

    fn serve(
        &mut self,
        id: ConnectionId,
        service: ServiceIndex,
        descriptor: &'static ServiceDescriptor,
        differs: Option<Telling>,
    ) {
        let awaits = differs.is_some_and(|telling| telling.openers);
        self.serving.push_rare(id.0, Serving::new(id, self.role.peer(), service, descriptor, awaits));
    }

    fn new_connection(
        &mut self,
        opening: Option<Token>,
        contract: Option<Arc<Contract>>,
        recalled: Option<Recalled>,
    ) -> ConnectionId {
        let id: ConnectionId = self.connection_ids.allocate();
        self.highest_connection = id.0;
        self.calling.push_rare(id.0, Calling::new(id, self.role, opening, contract, recalled));
        id
    }

    /// Asks the peer for a connection. `contract` is how this end knows the service, `recalled` how a peer does that told it before: most
    /// likely this one too.
    pub(crate) fn open(
        &mut self,
        service: &str,
        metadata: Metadata,
        contract: Option<Arc<Contract>>,
        recalled: Option<Recalled>,
        token: Token,
    ) -> Result<(), Refusal> {
        if let Some(reason) = &self.ended {
            return Err(Refusal::new(RefusalCode::Other, reason.to_string()));
        }
        if self.calling.len() as u64 >= self.peer.max_connections {
            let why = format!(
                "the peer takes {} connections in a session (its `Limits::max_connections`)",
                self.peer.max_connections
            );
            return Err(Refusal::new(RefusalCode::Busy, why));
        }
        let (len, most) = (service.len() + metadata_len(&metadata), self.max_payload());
        if len > most {
            let why = format!(
                "the name and the metadata of the connection take {len} bytes, where {}",
                Fits { limit: most, whose: "the peer" }
            );
            return Err(Refusal::new(RefusalCode::Other, why));
        }
        let named =
            contract.as_ref().map(|contract| Named::new(contract.hash(), recalled.as_ref().map(|told| told.hash)));
        let connection = self.new_connection(Some(token), contract, recalled);
        let open = Open { service: service.to_owned(), metadata, contract: named };
        self.fx.send(&Frame::Open { connection, open });
        Ok(())
    }

    /// The answer to an offered connection takes a while, and so many bytes are kept for it until then. `Err`: there is no memory for it.
    pub(crate) fn hold_offer(&mut self, connection: ConnectionId, bytes: usize) -> Result<(), String> {
        let charge = self.fx.ledger.charge(bytes);
        match self.is_over_memory(bytes, 0) {
            None => {
                self.held.get_or_insert_default().insert(connection, charge);
                Ok(())
            }
            Some(_) => {
                self.fx.ledger.release(charge);
                Err(self.kept_too_much())
            }
        }
    }

    /// An offered connection has its answer.
    fn answered(&mut self, connection: ConnectionId) {
        self.offered = self.offered.saturating_sub(1);
        let Some(held) = &mut self.held else { return };
        if let Some(charge) = held.remove(&connection) {
            self.fx.ledger.release(charge);
        }
        if held.is_empty() {
            self.held = None;
        }
    }

    /// Whether this end serves the connection, or handlers from it run on.
    pub(crate) fn serves(&self, connection: ConnectionId) -> bool {
        let of_it = (connection, RequestId(0))..=(connection, RequestId(u64::MAX));
        let runs_on = self.detached.range(of_it.clone()).chain(self.aborting.range(of_it)).next();
        self.serving.get(connection.0).is_some() || runs_on.is_some() || self.leaving.has(connection)
    }

    /// Serves an offered connection. `theirs` names the contract that the peer has of the service, and `heard` is that contract where it was
    /// told before.
    pub(crate) fn accept(
        &mut self,
        id: ConnectionId,
        service: ServiceIndex,
        descriptor: &'static ServiceDescriptor,
        theirs: Option<Named>,
        heard: Option<Bytes>,
    ) {
        let compared = match self.compare(descriptor, theirs, heard) {
            Ok(compared) => compared,
            Err(refusal) => return self.refuse(id, refusal),
        };
        self.answered(id);
        if self.ended.is_some() {
            return;
        }
        let differs = compared.as_ref().map(|compared| compared.telling);
        self.serve(id, service, descriptor, differs);
        self.answer(&Frame::Accept { connection: id, differs });
        self.go_by(id, compared);
    }

    /// Refuses an offered connection.
    pub(crate) fn refuse(&mut self, connection: ConnectionId, refusal: Refusal) {
        self.answered(connection);
        if self.ended.is_some() {
            return;
        }
        let reason = self.fx.words(&refusal.reason);
        self.answer(&Frame::Refuse { connection, refusal: Refusal { reason, ..refusal } });
    }

    #[cold]
    pub(super) fn on_open(&mut self, connection: ConnectionId, open: Open) -> Result<(), ProtocolViolation> {
        self.answer_allowed()?;
        self.peer_connections.open(connection.0).map_err(|fault| id_violation("connection", connection.0, fault))?;
        if self.serving.len() + self.offered as usize >= self.limits.max_connections {
            let why = format!("connection {connection} is over the limit of {}", self.limits.max_connections);
            return Err(ProtocolViolation::new(Rule::TooManyConnections, why));
        }
        self.offered += 1;
        let Open { service, metadata, contract } = open;
        self.fx.emit(Output::Offered { connection, service, metadata, contract });
        Ok(())
    }

    #[cold]
    pub(super) fn on_answer(
        &mut self,
        connection: ConnectionId,
        answer: Result<Option<Telling>, Refusal>,
    ) -> Result<(), ProtocolViolation> {
        let Some(calling) = self.calling.get_mut(connection.0) else {
            return self.stray(connection, "an answer", self.role);
        };
        let Some(token) = calling.opening.take() else {
            let why = format!("connection {connection} was answered twice");
            return Err(ProtocolViolation::new(Rule::UnknownConnection, why));
        };
        let result = match answer {
            Ok(differs) => {
                self.on_compared(connection, differs)?;
                Ok(connection)
            }
            Err(refusal) => {
                self.calling.remove(connection.0);
                Err(refusal)
            }
        };
        self.fx.emit(Output::Opened { token, result });
        Ok(())
    }

    /// How this end's contract of a service compares with the peer's; `None`: they are equal. `Err`: the peer cannot be told of it.
    fn compare(
        &self,
        descriptor: &'static ServiceDescriptor,
        theirs: Option<Named>,
        heard: Option<Bytes>,
    ) -> Result<Option<Compared>, Refusal> {
        let Some(named) = theirs else { return Ok(None) };
        let ours = descriptor.contract();
        if ours.hash() == named.hash {
            return Ok(None);
        }
        let heard = heard.filter(|_| named.recalls != Recalls::Nothing);
        let theirs = heard.and_then(|contract| Contract::read(&contract, named.hash, &ours).ok());
        let telling = Telling { acceptors: named.recalls != Recalls::Both(ours.hash()), openers: theirs.is_none() };
        if telling.acceptors {
            self.may_tell(descriptor, &ours)?;
        }
        Ok(Some(Compared { ours, theirs, telling }))
    }

    /// `Err`: the peer cannot be told this end's contract.
    fn may_tell(&self, descriptor: &'static ServiceDescriptor, ours: &Contract) -> Result<(), Refusal> {
        let (name, len, most) = (descriptor.name, ours.bytes().len(), self.max_payload());
        if len > most {
            let why = format!("`{name}` differs, and its {len} bytes are over the peer's max_message_bytes, {most}");
            return Err(Refusal::new(RefusalCode::Other, why));
        }
        if self.outbox_is_full() {
            return Err(Refusal::new(RefusalCode::Busy, format!("too much waits to be sent to describe `{name}`")));
        }
        Ok(())
    }

    /// Tells this end's contract, where that is awaited, and serves by the peer's, where it was told before.
    fn go_by(&mut self, connection: ConnectionId, compared: Option<Compared>) {
        let Some(Compared { ours, theirs, telling }) = compared else { return };
        if let Some(theirs) = theirs {
            let agreed = self.agree(&ours, &theirs, None);
            if let Some(serving) = self.serving.get_mut(connection.0) {
                serving.agree(agreed);
            }
            self.settle_lease();
        }
        self.tell(connection, telling.acceptors.then_some(ours));
    }

    pub(super) fn tell(&mut self, connection: ConnectionId, contract: Option<Arc<Contract>>) {
        if let Some(contract) = contract {
            let (hash, contract) = (contract.hash(), contract.bytes().clone());
            self.fx.send(&Frame::Contract { connection, hash, contract });
        }
    }
}

/// Two contracts of one service that differ.
struct Compared {
    ours: Arc<Contract>,
    /// `Some`: it was told before.
    theirs: Option<Contract>,
    telling: Telling,
}

/// A contract that nobody waits for.
pub(in crate::proto) fn unawaited(connection: ConnectionId) -> ProtocolViolation {
    let why = format!("a contract of connection {connection}, which waits for none");
    ProtocolViolation::new(Rule::UnknownConnection, why)
}

/// A contract that is none.
pub(in crate::proto) fn malformed(connection: ConnectionId, fault: &SchemaFault) -> ProtocolViolation {
    let why = format!("the contract of connection {connection}: {}", fault.0);
    ProtocolViolation::new(Rule::MalformedFrame, why)
}
